"""`voxgate evaluate`: a recipe, or scores made elsewhere, on a data set: the papers' figures."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from voxgate.runtime.commands.console import errors_as_json, progress_bar, stdout_console, task_on
from voxgate.runtime.commands.options import AsJson

if TYPE_CHECKING:
    from voxgate.export.evaluation.run.evaluate import Evaluation

EXIT_INCOMPLETE = 2


def evaluate(
    recipe: Annotated[
        Path, typer.Argument(help="A recipe, a folder of recipes, or of scores (<case>.npz).")
    ],
    scans: Annotated[Path, typer.Argument(help="Folder of the data set.")],
    layout: Annotated[
        str | None, typer.Option(help="scans, sim3d, mvtec3d, mad, odd-one-out; default: look.")
    ] = None,
    part: Annotated[
        list[str] | None,
        typer.Option(
            help="Only this part type; one alone is judged by one recipe, whatever that calls it. "
            "Repeatable."
        ),
    ] = None,
    golden: Annotated[
        Path | None,
        typer.Option(help="The recipe's golden scan: pictures without a robot are located on it."),
    ] = None,
    work: Annotated[
        Path, typer.Option(help="Where results are kept; a second run goes on from there.")
    ] = Path("out/evaluation"),
    jobs: Annotated[
        int | None, typer.Option(min=1, max=256, help="Processes; default: one per core.")
    ] = None,
    cluster: Annotated[
        str | None, typer.Option(help="Address of a Dask scheduler, as tcp://host:8786.")
    ] = None,
    versus: Annotated[
        Path | None, typer.Option(help="Another recipe (or scores) to compare with.")
    ] = None,
    report: Annotated[Path | None, typer.Option(help="Write one self-contained HTML file.")] = None,
    pictures: Annotated[
        Path | None, typer.Option(help="Write the report's pictures as PNG into this folder.")
    ] = None,
    setup: Annotated[
        str | None, typer.Option(help="Name of the training set-up for the report's tables.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Judge a data set: I-AUROC, V-AUPRO, AU-PRO, ... exit 2 if a case could not be judged."""
    from voxgate.export.evaluation.run.evaluate import Plan
    from voxgate.export.evaluation.run.evaluate import evaluate as run

    cores = jobs or len(os.sched_getaffinity(0))
    with errors_as_json(as_json), progress_bar(as_json) as progress:
        found = []
        for source in (recipe, *([versus] if versus else [])):
            plan = Plan(
                source=source,
                folder=scans,
                store=work / _place(source),
                layout=layout,
                parts=tuple(part or ()),
                jobs=cores,
                cluster=cluster,
                golden=golden,
            )
            found.append(run(plan, task_on(progress, source.name)))
        if report is not None:
            from voxgate.export.evaluation.report.report import write_report

            write_report(report, found, setup)
        if pictures is not None:
            from voxgate.export.evaluation.report.case_pictures import write_pictures

            write_pictures(pictures, found)
    if as_json:
        typer.echo(json.dumps(_json(found)))
    else:
        _show(found)
    raise typer.Exit(EXIT_INCOMPLETE if any(each.failed for each in found) else 0)


def _place(source: Path) -> str:
    """A folder name for the results of this source, telling apart equal names elsewhere."""
    import hashlib

    where = hashlib.sha256(str(source.resolve()).encode()).hexdigest()[:8]
    return f"{source.resolve().name}-{where}"


def _json(found: list[Evaluation]) -> dict[str, Any]:
    first, *others = [
        {
            "source": each.source,
            "layout": each.dataset.layout,
            "cases": len(each.records),
            "reused": each.reused,
            "types": [figures.to_json() for figures in each.types],
            "failed": list(each.failed),
            "skipped": list(each.skipped),
        }
        for each in found
    ]
    return first if not others else {**first, "versus": others[0]}


def _show(found: list[Evaluation]) -> None:

    from voxgate.export.evaluation.report.tables import figure_table, notes, rule_table, stage_table

    console = stdout_console()
    for each in found:
        console.print(figure_table(each.types, each.source))
        if any(figures.rules for figures in each.types):
            console.print(rule_table(each.types))
        if any(figures.stage_ms for figures in each.types):
            console.print(stage_table(each.types))
        for line in notes(each):
            console.print(line, soft_wrap=True, highlight=False)
