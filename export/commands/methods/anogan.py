"""`voxgate export anogan`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from voxgate.export.commands.common import Common, export_recipe, with_common
from voxgate.export.commands.methods.options import (
    Encoder,
    FarMm,
    Representation,
    RepresentationName,
    TrainedHere,
    TrainedWithColour,
)


@with_common
def anogan(
    checkpoint: TrainedHere = None,
    encoder: Encoder = None,
    generator: Annotated[Path | None, typer.Option(help="State dict of the generator.")] = None,
    shape: Representation = RepresentationName.DEPTH,
    colour: TrainedWithColour = False,
    far_mm: FarMm = None,
    *,
    common: Common,
) -> None:
    """f-AnoGAN of MVTec 3D-AD, on depth pictures or as a volume detector."""
    from voxgate.export.methods.mvtec.reconstruction import (
        ReconstructionOptions,
        load_reconstruction,
    )

    volume = shape is RepresentationName.VOXEL
    options = ReconstructionOptions(encoder, generator, volume, colour, far_mm, checkpoint)
    export_recipe(lambda golden, progress: load_reconstruction("anogan", golden, options), common)
