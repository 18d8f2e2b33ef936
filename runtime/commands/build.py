"""`voxgate build`: the words of the command; what it does is in build_plans."""

from __future__ import annotations

import json
from enum import Enum
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from voxgate.runtime.commands.console import errors_as_json, progress_bar
from voxgate.runtime.commands.options import AsJson
from voxgate.runtime.plans.flavour import FLAVOURS, Name

if TYPE_CHECKING:
    from voxgate.runtime.engines.build import Outcome
    from voxgate.runtime.engines.builder import BuildOptions


class FlavourName(str, Enum):
    """Which TensorRT, where both are installed."""

    TENSORRT = "tensorrt"
    RTX = "tensorrt-rtx"


def build(
    recipe: Annotated[
        Path | None, typer.Argument(help="Folder of the recipe, or name/version with -c.")
    ] = None,
    config: Annotated[
        Path | None, typer.Option("--config", "-c", help="A cell's YAML: its recipes and plans.")
    ] = None,
    plans: Annotated[
        Path | None, typer.Option(help="Folder of plans; default: .plans beside the recipes.")
    ] = None,
    workspace_mb: Annotated[
        int, typer.Option(min=16, max=65536, help="Scratch memory that a kernel may ask for.")
    ] = 1024,
    level: Annotated[
        int, typer.Option(min=0, max=5, help="Optimisation level; 4 and 5 build very long.")
    ] = 3,
    tf32: Annotated[
        bool, typer.Option("--tf32", help="Allow TF32; the probe must still agree.")
    ] = False,
    dla: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=7,
            help="DLA core of a Jetson that runs what it can of an FP16 or INT8 recipe; the GPU "
            "runs the rest, which is told layer by layer.",
        ),
    ] = None,
    cards: Annotated[
        str | None,
        typer.Option(
            "--for",
            metavar="sm_NN,...",
            help="RTX cards, e.g. sm_86,sm_89,sm_120: build here, without a GPU, and put the plans "
            "into the recipe.",
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="With --for: a copy of the recipe that gets the plans.")
    ] = None,
    flavour: Annotated[
        FlavourName | None,
        typer.Option(help="Which TensorRT; default: the cell's backend, or the one installed."),
    ] = None,
    rebuild: Annotated[
        bool,
        typer.Option(
            "--rebuild",
            help="After an upgrade of JetPack: every recipe of the cell that had a plan, as it was "
            "built.",
        ),
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Build again what is there.")] = False,
    as_json: AsJson = False,
) -> None:
    """Build the TensorRT plan of each of a recipe's models, where it will serve, and prove it; or,
    with --for, ahead, for named cards: sign the recipe then, and each box proves its own."""
    from voxgate.runtime.commands.build_plans import build_plans
    from voxgate.runtime.engines.builder import BuildOptions

    if rebuild:
        if config is None or recipe or plans or cards or out or flavour:
            raise typer.BadParameter("--rebuild takes a cell: voxgate build --rebuild -c CELL")
        _again(config, force, as_json)
        return
    if recipe is None:
        raise typer.BadParameter("say which recipe, or --rebuild -c CELL for all that had a plan")
    options = BuildOptions(workspace_mb, level, tf32, dla)
    if cards is not None:
        if config or plans or force or flavour is FlavourName.TENSORRT:
            raise typer.BadParameter("--for builds into the recipe: no -c, --plans, --force")
        if dla is not None:
            raise typer.BadParameter("--dla is for a Jetson, on it; --for is for RTX cards")
        _ahead(recipe, out, cards, options, as_json)
        return
    if out is not None:
        raise typer.BadParameter("--out is for plans that are built ahead: give --for sm_NN")
    with errors_as_json(as_json), progress_bar(as_json) as progress:
        outcomes = build_plans(recipe, config, plans, options, force, _named(flavour), progress)
    _tell(outcomes, as_json)


def _again(config: Path, force: bool, as_json: bool) -> None:
    from voxgate.runtime.commands.build_plans import rebuild_plans

    with errors_as_json(as_json), progress_bar(as_json) as progress:
        outcomes = list(rebuild_plans(config, force, progress))
    _tell(outcomes, as_json)


def _tell(outcomes: list[Outcome], as_json: bool) -> None:
    if not as_json:
        lines = ([outcome.sentence, *outcome.left_to_gpu] for outcome in outcomes)
        typer.echo("\n".join(chain.from_iterable(lines)))
    elif len(outcomes) == 1:
        typer.echo(outcomes[0].sidecar.model_dump_json())
    else:
        typer.echo(json.dumps({"plans": [o.sidecar.model_dump(mode="json") for o in outcomes]}))


def _ahead(
    recipe: Path, out: Path | None, cards: str, options: BuildOptions, as_json: bool
) -> None:
    from voxgate.runtime.commands.build_plans import build_for_cards

    with errors_as_json(as_json), progress_bar(as_json) as progress:
        made = build_for_cards(recipe, out, cards, options, progress)
    if as_json:
        found = [
            ahead.section.model_dump(mode="json")
            | {"bytes": ahead.nbytes, "needs_mb": ahead.needs and ahead.needs.total_mb}
            for ahead in made
        ]
        typer.echo(json.dumps({"plans": found}))
        return
    typer.echo("\n".join(ahead.sentence for ahead in made))
    typer.echo(f"next: voxgate sign {out or recipe} --key FILE; a box opens signed plans only")


def _named(flavour: FlavourName | None) -> Name | None:
    return next((name for name in FLAVOURS if name == flavour), None)
