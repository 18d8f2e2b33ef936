"""`voxgate export variation`."""

from __future__ import annotations

from typing import Annotated

import typer

from voxgate.export.commands.common import (
    Common,
    RepresentationName,
    export_recipe,
    with_common,
)


@with_common
def variation(
    shape: Annotated[
        RepresentationName, typer.Option(help="Depth pictures, or the part's 64^3 voxels.")
    ] = RepresentationName.DEPTH,
    colour: Annotated[bool, typer.Option(help="Colour too; grey counts thrice.")] = False,
    *,
    common: Common,
) -> None:
    """The variation model of MVTec 3D-AD: needs no weights, only the golden scan."""
    from voxgate.export.methods.mvtec.variation import VariationOptions, load_variation

    options = VariationOptions(shape is RepresentationName.VOXEL, colour)
    export_recipe(lambda golden, progress: load_variation(golden, options, progress), common)
