"""`voxgate locate`: where a picture was taken from, by the golden scan alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from voxgate.export.commands.recipe_options import GoldenScan
from voxgate.runtime.commands.console import at_work
from voxgate.runtime.commands.options import AsJson, CalibrationFile


def locate(
    picture: Annotated[Path, typer.Argument(help="Picture of the part by the same camera.")],
    scan: GoldenScan,
    calibration: CalibrationFile = None,
    most_mm: Annotated[
        float,
        typer.Option(
            min=0.0,
            help="Refuse a pose that puts the part less certainly (one standard deviation, mm).",
        ),
    ] = 1.0,
    as_json: AsJson = False,
) -> None:
    """Find the pose of a picture without a robot: the golden view it resembles, then
    render-and-compare on the golden views. For evaluation: a line needs poses that are proven.
    """
    from voxgate.export.evaluation.layouts.files import read_picture
    from voxgate.export.golden.golden import load_golden
    from voxgate.export.golden.locate import Locator
    from voxgate.runtime.pixels.colour import grey_and_colour

    with at_work("looking for the place", as_json):
        grey, _ = grey_and_colour(read_picture(picture))
        found = Locator(load_golden(scan, calibration, whole=True), most_mm).locate(grey)
    pose = found.part_from_camera.tolist()
    said = {
        "part_from_camera": pose,
        "like_frame": found.frame_id,
        "points": found.points,
        "residual_px": round(found.residual_px, 3),
        "uncertain_mm": round(found.uncertain_mm, 3),
    }
    if as_json:
        typer.echo(json.dumps(said))
        return
    typer.echo(
        f"like golden frame {found.frame_id}: {found.points} points agree to "
        f"{found.residual_px:.2f} px (root mean square) and put the part to within "
        f"{found.uncertain_mm:.2f} mm (one standard deviation); part_from_camera, mm:"
    )
    for row in pose:
        typer.echo("  ".join(f"{value:10.4f}" for value in row))
