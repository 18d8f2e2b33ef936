"""`voxgate export efficientad`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from voxgate.export.commands.common import Common, export_recipe, with_common
from voxgate.export.commands.methods.options import PreparedPx


@with_common
def efficientad(
    checkpoint: Annotated[
        Path | None,
        typer.Option(
            help="Model of voxgate train: it names all that follows. Or an anomalib 2.x checkpoint."
        ),
    ] = None,
    teacher: Annotated[
        Path | None, typer.Option(help="State dict of the public implementation's teacher.")
    ] = None,
    student: Annotated[Path | None, typer.Option(help="Its student.")] = None,
    autoencoder: Annotated[Path | None, typer.Option(help="Its autoencoder.")] = None,
    normalisation: Annotated[
        Path | None,
        typer.Option(
            help=".npz with mean, std, q_st, q_ae of its training; default: from the golden scan."
        ),
    ] = None,
    teacher_normalisation: Annotated[
        bool, typer.Option(help="Normalise the teacher's channels (SiM3D does not).")
    ] = True,
    input_px: Annotated[
        int | None,
        typer.Option(help="Side of the square the networks see; default: as trained, or 256."),
    ] = None,
    prepared_px: PreparedPx = None,
    *,
    common: Common,
) -> None:
    """EfficientAD S or M, from an anomalib checkpoint or the public implementation's networks."""
    from voxgate.export.methods.efficientad.load import EfficientAdOptions, load_efficientad

    options = EfficientAdOptions(
        checkpoint=checkpoint,
        teacher=teacher,
        student=student,
        autoencoder=autoencoder,
        normalisation=normalisation,
        input_px=input_px,
        prepared_px=prepared_px,
        teacher_normalisation=teacher_normalisation,
    )
    export_recipe(lambda golden, progress: load_efficientad(golden, options), common)
