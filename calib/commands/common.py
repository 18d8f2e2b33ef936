"""What the calibration commands share: options, progress, and how a result is handed over."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from voxgate.calib.calibration_file import CalibrationFile, Step
    from voxgate.calib.steps.report import Section

EXIT_REJECTED = 1

BoardFile = Annotated[
    Path, typer.Option("--board", help="board.json of the board in the pictures.")
]
Out = Annotated[Path, typer.Option(help="The calibration to write.")]
Base = Annotated[
    Path | None, typer.Option("--calibration", help="The calibration that this step completes.")
]
Report = Annotated[
    Path | None, typer.Option(help="HTML report; default: beside --out, named after the step.")
]
LimitChanges = Annotated[
    list[str] | None, typer.Option("--limit", help="NAME=VALUE, a limit other than the usual.")
]
Recipe = Annotated[
    Path | None,
    typer.Option("--recipe", help="The recipe to come: its voxels say what may be lost at a part."),
]
VoxelMm = Annotated[
    float | None,
    typer.Option(
        min=0.01,
        max=100,
        help="Of the recipe, where there is none yet: what is lost at the part may grow with it. "
        "Usual: 2.",
    ),
]
Force = Annotated[
    bool, typer.Option(help="Write it although a limit is missed; the file will say so.")
]


def voxel_of(recipe: Path | None, voxel_mm: float | None) -> float:
    """The voxels that are meant. Raises CalibrationError for two answers, RecipeError."""
    from voxgate.calib.gates import USUAL_VOXEL_MM
    from voxgate.runtime.errors import CalibrationError
    from voxgate.runtime.recipe.folder import manifest_of, manifest_text

    if recipe is None:
        return USUAL_VOXEL_MM if voxel_mm is None else voxel_mm
    if voxel_mm is not None:
        raise CalibrationError("--recipe says the voxels: leave --voxel-mm out")
    return manifest_of(recipe, manifest_text(recipe)).grid.voxel_mm


def hand_over(
    base: CalibrationFile | None,
    step: Step,
    sections: Sequence[Section],
    out: Path,
    report: Path | None,
    force: bool,
    as_json: bool,
) -> None:
    """Write the report in any case and the file if the limits are kept; exit 1 if they are not."""
    from voxgate.calib.calibration_file import write_step
    from voxgate.calib.steps.report import write_report

    page = report or out.with_name(f"{out.stem}-{step.name}.html")
    write_report(page, f"{step.name}: {out.name}", step, sections, force)
    written = force or not step.missed
    data = write_step(base, step, out, force) if written else {}
    if as_json:
        typer.echo(json.dumps(_summary(step, out, page, written, data.get("digest"))))
    else:
        _show(step, out, page, written)
    if not written:
        raise typer.Exit(EXIT_REJECTED)


def _summary(step: Step, out: Path, page: Path, written: bool, digest: str | None) -> object:
    return {
        "step": step.name,
        "accepted": not step.missed,
        "written": str(out) if written else None,
        "report": str(page),
        "digest": digest,
        "figures": {k: v if v == v else None for k, v in step.figures.items()},
        "missed": [str(gate) for gate in step.missed],
        "remarks": list(step.remarks),
    }


def _show(step: Step, out: Path, page: Path, written: bool) -> None:
    from rich.console import Console
    from rich.markup import escape

    console = Console(highlight=False)
    for remark in step.remarks:
        console.print(escape(remark), soft_wrap=True)
    for gate in step.gates:
        mark = "[green]ok  [/]" if gate.ok else "[red]miss[/]"
        console.print(f"{mark} {escape(str(gate))}", soft_wrap=True)
    console.print(f"report: {escape(str(page))}", soft_wrap=True)
    if written:
        console.print(f"written: {escape(str(out))}", soft_wrap=True)
    else:
        console.print(
            f"[red]not written[/]: {escape(str(out))}; mend it, or --force, which the file records",
            soft_wrap=True,
        )
