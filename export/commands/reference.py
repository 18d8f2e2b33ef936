"""`voxgate export reference`: the detector that needs no weights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from voxgate.runtime.commands.console import errors_as_json, progress_bar


def reference(
    scan: Annotated[Path, typer.Option(help="Folder of the golden scan.")],
    out: Annotated[Path, typer.Option(help="Folder of the new recipe; it must not exist.")],
    name: Annotated[str | None, typer.Option(help="Recipe name; default: the part's.")] = None,
    version: Annotated[str, typer.Option(help="Recipe version.")] = "1",
    backbone: Annotated[
        Path | None, typer.Option(help="Your own feature extractor (ONNX) for the filter bank.")
    ] = None,
    rendered: Annotated[
        bool,
        typer.Option("--rendered", help="The scan was rendered from CAD: judge the shape alone."),
    ] = False,
    calibration: Annotated[
        Path | None,
        typer.Option(help="calibration.json, if it is not in the scan's folder or above it."),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print exactly one JSON object on stdout.")
    ] = False,
) -> None:
    """From ONE golden scan, without any weights: a recipe that compares every view with it."""
    from voxgate.export.reference.reference import export_reference_recipe

    with errors_as_json(as_json), progress_bar(as_json) as progress:
        task = progress.add_task("export", total=None)
        summary = export_reference_recipe(
            scan,
            out,
            name=name,
            version=version,
            backbone=backbone,
            rendered=rendered,
            calibration=calibration,
            on_progress=lambda done, of, what: progress.update(
                task, completed=done, total=of, description=what
            ),
        )
    typer.echo(json.dumps(summary) if as_json else f"recipe written: {out}")
    if rendered:
        typer.echo("it judges the shape alone: marks, scratches and stains will PASS", err=True)
