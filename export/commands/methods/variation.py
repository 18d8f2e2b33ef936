"""`voxgate export variation`."""

from __future__ import annotations

from typing import Annotated

import typer

from voxgate.export.commands.common import Common, export_recipe, with_common
from voxgate.export.commands.methods.options import Representation, RepresentationName


@with_common
def variation(
    shape: Representation = RepresentationName.DEPTH,
    colour: Annotated[bool, typer.Option(help="Colour too; grey counts thrice.")] = False,
    *,
    common: Common,
) -> None:
    """The variation model of MVTec 3D-AD: needs no weights, only the golden scan."""
    from voxgate.export.methods.mvtec.variation import VariationOptions, load_variation

    options = VariationOptions(shape is RepresentationName.VOXEL, colour)
    export_recipe(lambda golden, progress: load_variation(golden, options, progress), common)
