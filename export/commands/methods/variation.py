"""`voxgate export variation`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from voxgate.export.commands.common import Common, export_recipe, with_common
from voxgate.export.commands.methods.options import Representation, RepresentationName


@with_common
def variation(
    shape: Representation = RepresentationName.DEPTH,
    colour: Annotated[bool, typer.Option(help="Colour too; grey counts thrice.")] = False,
    train: Annotated[
        Path | None,
        typer.Option(
            help="Class of MVTec 3D-AD: learn from its train folder; default: from the golden scan."
        ),
    ] = None,
    *,
    common: Common,
) -> None:
    """The variation model of MVTec 3D-AD: needs no weights."""
    from voxgate.export.methods.mvtec.variation import VariationOptions, load_variation

    options = VariationOptions(shape is RepresentationName.VOXEL, colour, train)
    export_recipe(lambda golden, progress: load_variation(golden, options, progress), common)
