"""`voxgate export autoencoder` and `voxgate export anogan`: what MVTec 3D-AD reconstructs with."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

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
def autoencoder(
    checkpoint: TrainedHere = None,
    encoder: Encoder = None,
    decoder: Annotated[Path | None, typer.Option(help="State dict of the decoder.")] = None,
    shape: Representation = RepresentationName.DEPTH,
    colour: TrainedWithColour = False,
    far_mm: FarMm = None,
    *,
    common: Common,
) -> None:
    """The autoencoder of MVTec 3D-AD, on depth pictures or as a volume detector."""
    networks = (encoder, decoder)
    _export("autoencoder", checkpoint, networks, shape, colour, far_mm, common)


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
    networks = (encoder, generator)
    _export("anogan", checkpoint, networks, shape, colour, far_mm, common)


def _export(
    method: Literal["autoencoder", "anogan"],
    checkpoint: Path | None,
    networks: tuple[Path | None, Path | None],
    shape: RepresentationName,
    colour: bool,
    far_mm: float | None,
    common: Common,
) -> None:
    from voxgate.export.methods.mvtec.reconstruction import (
        ReconstructionOptions,
        load_reconstruction,
    )

    volume = shape is RepresentationName.VOXEL
    options = ReconstructionOptions(*networks, volume, colour, far_mm, checkpoint)
    export_recipe(lambda golden, progress: load_reconstruction(method, golden, options), common)
