"""`voxgate export odd-one-out`: the network that compares the parts of a tray, no golden part."""

from __future__ import annotations

import json
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from voxgate.export.commands.common import workstation
from voxgate.export.commands.recipe_options import (
    CheckTensorRT,
    NewRecipe,
    RecipeName,
    RecipeVersion,
)
from voxgate.runtime.commands.console import errors_as_json
from voxgate.runtime.commands.options import AsJson, CalibrationFile


class SizeName(str, Enum):
    """Of a network whose weights are drawn by chance."""

    PUBLISHED = "published"
    TOY = "toy"


def odd_one_out(
    tray: Annotated[Path, typer.Option(help="Folder of a tray: a recorded scan, or a scene.")],
    out: NewRecipe,
    checkpoint: Annotated[
        Path | None, typer.Option(help="What voxgate train odd-one-out wrote.")
    ] = None,
    seeded: Annotated[
        SizeName | None,
        typer.Option(help="Weights drawn by chance, to try out: such a recipe is never PASS."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of such weights.")] = 0,
    grey: Annotated[
        bool, typer.Option("--grey", help="Pictures come without colour, as in the training.")
    ] = False,
    threshold: Annotated[
        float, typer.Option(min=0.01, max=0.99, help="Likelihood from which a part is odd.")
    ] = 0.5,
    name: RecipeName = None,
    version: RecipeVersion = "1",
    part: Annotated[
        str | None, typer.Option(help="What stands on a scene's tray; default: tray.")
    ] = None,
    calibration: CalibrationFile = None,
    check_tensorrt: CheckTensorRT = False,
    as_json: AsJson = False,
) -> None:
    """Odd-One-Out: views of a tray in, a score of each part out; from trained weights."""
    with errors_as_json(as_json), workstation("export odd-one-out"):
        from voxgate.export.graph.real_tensorrt import graph_check
        from voxgate.export.methods.odd_one_out.checkpoint import by_chance, read_trained
        from voxgate.export.methods.odd_one_out.constants import TOY, Constants
        from voxgate.export.methods.odd_one_out.export import Options, export_odd_one_out
        from voxgate.runtime.errors import EngineError

        if (checkpoint is None) == (seeded is None):
            raise EngineError("odd-one-out takes either --checkpoint or --seeded")
        options = Options(
            tray=tray,
            out=out,
            name=name,
            version=version,
            part=part,
            calibration=calibration,
            grey=grey,
            threshold=threshold,
            check=graph_check(check_tensorrt),
        )
        if checkpoint is not None:
            trained = read_trained(checkpoint)
        else:
            trained = by_chance(TOY if seeded is SizeName.TOY else Constants(), seed)
        said = export_odd_one_out(trained, options)
    typer.echo(json.dumps(said) if as_json else _words(said))


def _words(said: dict[str, object]) -> str:
    return (
        f"recipe written: {said['recipe']}, {said['views']} views, voxels of {said['voxel_mm']} "
        f"mm; its own tray is {said['outcome']}"
    )
