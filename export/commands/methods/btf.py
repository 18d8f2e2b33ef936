"""`voxgate export btf`."""

from __future__ import annotations

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
    FpfhStepPx,
    Patches,
    Reweight,
    ShapeName,
)


@with_common
def btf(
    weights: Annotated[Path, typer.Option(help="State dict of the backbone.")],
    backbone: Annotated[
        str, typer.Option(help="wide_resnet101_2 (SiM3D), wide_resnet50_2 or any pyramid of timm.")
    ] = "wide_resnet101_2",
    shape: Annotated[
        ShapeName, typer.Option(help="FPFH of the cloud, or the backbone on depth.")
    ] = ShapeName.FPFH,
    bank: Annotated[
        Path | None,
        typer.Option(help="Saved bank: .npz with `bank`, or .pt; default: from the golden scan."),
    ] = None,
    input_px: BackbonePx = 512,
    fit: Fit = FitName.PAD,
    patches: Patches = None,
    coreset: Coreset = 0.1,
    reweight: Reweight = 3,
    fpfh_step_px: FpfhStepPx = 4,
    bank_mb: BankMb = 512.0,
    seed: CoresetSeed = 0,
    *,
    common: Common,
) -> None:
    """BTF as SiM3D runs it: picture and shape features in one bank."""
    from voxgate.export.features.bank import BankOptions
    from voxgate.export.methods.btf import BtfOptions, load_btf
    from voxgate.runtime.recipe.sections.shapes import FpfhSection

    options = BtfOptions(
        weights=weights,
        backbone=backbone,
        shape=shape.value,
        input_px=input_px,
        fit=fit.value,
        patches=patches,
        reweight=reweight,
        saved=bank,
        bank=BankOptions(coreset, seed, bank_mb),
        fpfh=FpfhSection(step_px=fpfh_step_px),
    )
    export_recipe(lambda golden, progress: load_btf(golden, options, progress), common)
