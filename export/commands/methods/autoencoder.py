"""`voxgate export autoencoder`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from voxgate.export.commands.common import (
    Common,
    RepresentationName,
    export_recipe,
    with_common,
)


@with_common
def autoencoder(
    encoder: Annotated[Path, typer.Option(help="State dict of the encoder (conv1.weight ...).")],
    decoder: Annotated[Path, typer.Option(help="State dict of the decoder.")],
    shape: Annotated[
        RepresentationName, typer.Option(help="Depth pictures, or the part's 64^3 voxels.")
    ] = RepresentationName.DEPTH,
    colour: Annotated[
        bool, typer.Option(help="Trained with colour too; grey counts thrice.")
    ] = False,
    far_mm: Annotated[
        float | None,
        typer.Option(
            min=1.0, help="Distance that is 1 to the networks; default: the golden scan's."
        ),
    ] = None,
    *,
    common: Common,
) -> None:
    """The autoencoder of MVTec 3D-AD, on depth pictures or as a volume detector."""
    from voxgate.export.methods.mvtec.reconstruction import (
        ReconstructionOptions,
        load_reconstruction,
    )

    volume = shape is RepresentationName.VOXEL
    options = ReconstructionOptions(encoder, decoder, volume, colour, far_mm)
    export_recipe(
        lambda golden, progress: load_reconstruction("autoencoder", golden, options), common
    )
