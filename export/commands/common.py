"""What every `voxgate export METHOD` asks for beside the method's own options, and runs."""

from __future__ import annotations

import inspect
import json
import warnings
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, fields
from enum import Enum
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

from voxgate.export.commands.recipe_options import (
    CheckTensorRT,
    GoldenScan,
    NewRecipe,
    RecipeName,
    RecipeVersion,
)
from voxgate.runtime.commands.console import errors_as_json, progress_bar, stdout_console, task_on
from voxgate.runtime.commands.options import AsJson, CalibrationFile
from voxgate.runtime.errors import RecipeError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from voxgate.export.golden.golden import Golden
    from voxgate.export.progress import Progress
    from voxgate.export.source import Source

    Load = Callable[[Golden, Progress], Source]

WORKSTATION = ("torch", "torchvision", "timm", "anomalib", "sklearn", "safetensors", "lightning")


class PrecisionName(str, Enum):
    """Types of the graph's arithmetic; what loses by it stays FP32."""

    FP32 = "fp32"
    FP16 = "fp16"
    INT8 = "int8"


@dataclass(frozen=True, slots=True, kw_only=True)
class Common:
    """The options that all methods share."""

    scan: GoldenScan
    out: NewRecipe
    name: RecipeName = None
    version: RecipeVersion = "1"
    precision: Annotated[
        PrecisionName, typer.Option(help="Of the graph; distances and norms stay FP32.")
    ] = PrecisionName.FP32
    threshold: Annotated[
        float | None,
        typer.Option(min=1e-30, help="Raw score that becomes 1.0; default: from the good scans."),
    ] = None
    good: Annotated[
        list[Path] | None,
        typer.Option(
            help="Scan of another good part: raises the threshold, or lies below the given one. "
            "Repeatable."
        ),
    ] = None
    verify: Annotated[
        list[Path] | None,
        typer.Option(help="Scan whose verdict must not change by the export. Repeatable."),
    ] = None
    geometry: Annotated[
        bool, typer.Option(help="Also score deviations from the golden surface.")
    ] = False
    smallest_mm: Annotated[
        float | None,
        typer.Option(
            min=0.1,
            max=100,
            help="Smallest defect to find, across: the model gets pictures reduced to a quarter of "
            "it per pixel; default: the camera's own.",
        ),
    ] = None
    most_ms: Annotated[
        float | None,
        typer.Option(min=0.0, help="Most one run may take on this machine; default: anything."),
    ] = None
    gpu_mb: Annotated[
        int,
        typer.Option(
            min=16, help="Most that one run may need of a GPU's memory, weights included."
        ),
    ] = 4096
    check_tensorrt: CheckTensorRT = False
    calibration: CalibrationFile = None
    as_json: AsJson = False


def with_common(command: Callable[..., None]) -> Callable[..., None]:
    """Let `command(own options, *, common: Common)` be called with Common's options spread out."""
    names = [field.name for field in fields(Common)]

    @wraps(command)
    def spread(**options: Any) -> None:
        shared = {name: options.pop(name) for name in names}
        with errors_as_json(shared["as_json"]), workstation(f"export {command.__name__}"):
            command(**options, common=Common(**shared))

    own = _parameters(command, skip="common")
    spread.__signature__ = inspect.Signature([*own, *_parameters(Common)])  # type: ignore[attr-defined]
    spread.__annotations__ = {p.name: p.annotation for p in [*own, *_parameters(Common)]}
    return spread


def export_recipe(load: Load, common: Common) -> None:
    """Run the whole export of one method and print what came of it."""
    from voxgate.export.graph.real_tensorrt import graph_check
    from voxgate.export.packing.cameras import of_each_camera, scan_of_camera
    from voxgate.export.quality.spot_check import SpotCheck, spot_check
    from voxgate.export.trained.asked import Exported, Options
    from voxgate.export.trained.trained import export_trained
    from voxgate.runtime.recipe.recipe import Recipe

    with progress_bar(common.as_json) as progress:

        def export(scan: Path, out: Path) -> tuple[Exported, SpotCheck]:
            options = Options(
                scan=scan,
                out=out,
                name=common.name,
                version=common.version,
                precision=common.precision.value,
                threshold=common.threshold,
                good=tuple(scan_of_camera(each, scan) for each in common.good or ()),
                verify=tuple(scan_of_camera(each, scan) for each in common.verify or ()),
                geometry=common.geometry,
                smallest_mm=common.smallest_mm,
                most_ms=common.most_ms,
                gpu_mb=common.gpu_mb,
                calibration=common.calibration,
                check=graph_check(common.check_tensorrt, common.gpu_mb),
            )
            exported = export_trained(load, options, task_on(progress, "export"))
            progress.add_task("put defects on the golden part")
            recipe = Recipe.load(out)
            return exported, spot_check(recipe, scan, common.smallest_mm, exported.ms)

        made = of_each_camera(common.scan, common.out, common.version, common.name, export)
    if common.as_json:
        told = {
            camera: {**exported.to_json(), "finds": check.to_json()}
            for camera, (exported, check) in made.items()
        }
        typer.echo(json.dumps(told_of(told, common.out)))
        return

    console = stdout_console()
    for camera, (exported, check) in made.items():
        console.print(exported.parity)
        of = f"camera {camera}:" if camera else f"recipe written: {common.out}"
        console.print(exported.summary(of), highlight=False)
        asking = f"voxgate sensitivity {common.out} {common.scan}"
        console.print(f"{check.words}: {asking}", highlight=False, soft_wrap=True)
    if len(made) > 1:
        console.print(f"recipe written: {common.out}, of the cameras {', '.join(made)}")


def told_of(made: dict[str, dict[str, Any]], out: Path) -> dict[str, Any]:
    """For programs: of one camera as it is, of several under the name of each."""
    of_camera = {"cameras": made} if len(made) > 1 else next(iter(made.values()))
    return {"recipe": str(out), **of_camera}


def _parameters(what: Any, skip: str = "") -> list[inspect.Parameter]:
    """Its parameters with annotations typer can read; all by keyword."""
    hints = get_type_hints(what, include_extras=True)
    return [
        parameter.replace(annotation=hints[name], kind=inspect.Parameter.KEYWORD_ONLY)
        for name, parameter in inspect.signature(what).parameters.items()
        if name != skip
    ]


@contextmanager
def workstation(words: str) -> Iterator[None]:
    """A missing library of the workstation is one line; what they say of each other is not."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            yield
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in WORKSTATION:
            raise
        raise RecipeError(
            f"{words.replace('_', '-')} needs {error.name}, a library of the workstation: "
            'pip install "voxgate[export]"'
        ) from error
