"""`voxgate export reference`: the detector that needs no weights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from voxgate.export.commands.common import told_of
from voxgate.export.commands.recipe_options import (
    CheckTensorRT,
    GoldenScan,
    NewRecipe,
    RecipeName,
    RecipeVersion,
    VoxelMm,
)
from voxgate.runtime.commands.console import errors_as_json, progress_bar, task_on
from voxgate.runtime.commands.options import AsJson, CalibrationFile


def reference(
    scan: GoldenScan,
    out: NewRecipe,
    name: RecipeName = None,
    version: RecipeVersion = "1",
    backbone: Annotated[
        Path | None, typer.Option(help="Your own feature extractor (ONNX) for the filter bank.")
    ] = None,
    rendered: Annotated[
        bool,
        typer.Option("--rendered", help="The scan was rendered from CAD: judge the shape alone."),
    ] = False,
    grey: Annotated[
        bool, typer.Option("--grey", help="Of a scan in colour look at the grey alone.")
    ] = False,
    smallest_mm: Annotated[
        float | None,
        typer.Option(min=0.1, max=100, help="Smallest defect to find, across; default: 2 voxels."),
    ] = None,
    voxel_mm: VoxelMm = None,
    good: Annotated[
        list[Path] | None,
        typer.Option(help="Scan of a further good part: what may differ. Repeatable."),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Also by good parts that the golden scan alone FAILs.")
    ] = False,
    check_tensorrt: CheckTensorRT = False,
    calibration: CalibrationFile = None,
    as_json: AsJson = False,
) -> None:
    """From ONE golden scan, without any weights: a recipe that compares every view with it."""
    from voxgate.export.graph.real_tensorrt import graph_check
    from voxgate.export.packing.cameras import of_each_camera, scan_of_camera
    from voxgate.export.reference.reference import export_reference_recipe

    with errors_as_json(as_json), progress_bar(as_json) as progress:

        def export(own: Path, folder: Path) -> dict[str, Any]:
            return export_reference_recipe(
                own,
                folder,
                name=name,
                version=version,
                backbone=backbone,
                rendered=rendered,
                smallest_mm=smallest_mm,
                voxel_mm=voxel_mm,
                good=[scan_of_camera(each, own) for each in good or ()],
                force=force,
                grey=grey,
                calibration=calibration,
                check=graph_check(check_tensorrt),
                on_progress=task_on(progress, "export"),
            )

        made = of_each_camera(scan, out, version, name, export)
    if as_json:
        typer.echo(json.dumps(told_of(made, out)))
    else:
        typer.echo(f"recipe written: {out}")
        for camera, summary in made.items():
            typer.echo(f"camera {camera}:\n{_words(summary)}" if camera else _words(summary))
    if rendered:
        typer.echo("it judges the shape alone: marks, scratches and stains will PASS", err=True)


def _words(summary: dict[str, Any]) -> str:
    from voxgate.export.reference.grain_borne import words_of
    from voxgate.runtime.recipe.manifest import UNINSPECTED_FILE

    said = (
        f"{summary['inspected']['words']}\n"
        f"not inspected: what stands less than {summary['table_z_mm']:g} mm above the table, "
        f"and holes of up to {summary['hides_mm2']:.0f} mm2 that no view measures\n"
        f"judged by its look alone: {summary['unmeasured_mm2']:.0f} mm2 that gave no return in "
        f"any view; see {UNINSPECTED_FILE}"
    )
    return "\n".join([said, *words_of(summary["grain"])])
