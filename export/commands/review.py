"""`voxgate review`: what would the new recipe have said of an archive, and what would it cost?"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from voxgate.runtime.commands.console import errors_as_json, progress_bar, stdout_console, task_on
from voxgate.runtime.commands.options import AsJson
from voxgate.runtime.errors import RecipeError

if TYPE_CHECKING:
    from voxgate.export.quality.review import Review, Said


def review(
    scans: Annotated[
        list[Path], typer.Argument(help="A recorded scan, or a folder of scans (an archive).")
    ],
    recipe: Annotated[
        list[Path], typer.Option(help="First the recipe that decided, then the candidates.")
    ],
    good: Annotated[
        Path | None,
        typer.Option(help="Text file: one scan name a line that was a good part (for the cost)."),
    ] = None,
    marks: Annotated[
        Path | None,
        typer.Option(help="What people said of verdicts on the page (journal.sqlite.marks)."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Inspect stored scans by several recipes: what changes, at what cost in false rejects."""
    from voxgate.export.quality.review import review_archive

    with errors_as_json(as_json), progress_bar(as_json) as progress:
        if len(recipe) < 2:
            raise RecipeError("name --recipe twice: the one that decided, then a candidate")
        found = review_archive(
            scans,
            recipe,
            good,
            task_on(progress, "review"),
            marks=marks,
        )
    if as_json:
        typer.echo(json.dumps(found.to_json()))
    else:
        _show(found)


def _said(said: Said) -> str:
    return f"{said.outcome} {'(nothing scored)' if said.score is None else f'{said.score:.2f}'}"


def _show(found: Review) -> None:
    from rich.table import Table

    console = stdout_console()
    table = Table("scan", *found.labels, "changed")
    for row in found.rows:
        cells = [_said(said) for said in row.said]
        table.add_row(Path(row.scan).name, *cells, "" if row.same else "yes")
    console.print(table)
    for cost in found.costs:
        console.print(
            f"{cost.label}: {cost.newly_failed} newly FAIL, {cost.newly_passed} newly PASS, "
            f"{cost.other} otherwise changed; false rejects {cost.false_rejects} of {cost.good}, "
            f"before {cost.false_rejects_before}; escapes {cost.escapes} of {cost.bad}, "
            f"before {cost.escapes_before}",
            highlight=False,
        )
    if not found.labelled:
        console.print(
            "nobody says which parts were good (--good, --marks): PASS by the first recipe counts"
        )
