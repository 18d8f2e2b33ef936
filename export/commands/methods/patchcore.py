"""`voxgate export patchcore`."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from voxgate.export.commands.common import Common, export_recipe, with_common
from voxgate.export.commands.methods.options import (
    BackbonePx,
    BankMb,
    Coreset,
    CoresetSeed,
    Fit,
    FitName,
    Patches,
    PreparedPx,
    Reweight,
)


class ModalityName(str, Enum):
    """What the bank is made of."""

    IMAGE = "image"
    DEPTH = "depth"
    BOTH = "both"


@with_common
def patchcore(
    checkpoint: Annotated[
        Path | None, typer.Option(help="anomalib 2.x checkpoint (.ckpt) with its bank.")
    ] = None,
    prepared_px: PreparedPx = None,
    backbone: Annotated[
        str,
        typer.Option(
            help="wide_resnet50_2, a hub name (dinov2_vitb14, dinov3_vits16, ...) or any of timm."
        ),
    ] = "wide_resnet50_2",
    weights: Annotated[
        Path | None,
        typer.Option(help="State dict of the backbone; the bank is built from the golden scan."),
    ] = None,
    modality: Annotated[
        ModalityName, typer.Option(help="Pictures, depth as a picture, or two banks.")
    ] = ModalityName.IMAGE,
    input_px: BackbonePx = 518,
    fit: Fit = FitName.PAD,
    patches: Patches = None,
    coreset: Coreset = 0.1,
    reweight: Reweight = 3,
    bank_mb: BankMb = 512.0,
    seed: CoresetSeed = 0,
    *,
    common: Common,
) -> None:
    """PatchCore, from an anomalib checkpoint, or backbone weights and the golden scan.

    A checkpoint's map is anomalib's own (blurred, not reweighted). A bank built here is used as
    SiM3D does: no blur, the view's map times the weight of equation 7.
    """
    from voxgate.export.features.bank import BankOptions
    from voxgate.export.methods.patchcore import PatchcoreOptions, load_patchcore

    options = PatchcoreOptions(
        checkpoint=checkpoint,
        prepared_px=prepared_px,
        backbone=backbone,
        weights=weights,
        modality=modality.value,
        input_px=input_px,
        fit=fit.value,
        patches=patches,
        reweight=reweight,
        bank=BankOptions(coreset, seed, bank_mb),
    )
    export_recipe(lambda golden, progress: load_patchcore(golden, options, progress), common)
