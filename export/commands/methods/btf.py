"""`voxgate export btf`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from voxgate.export.commands.common import (
    Common,
    FitName,
    ShapeName,
    export_recipe,
    with_common,
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
    input_px: Annotated[
        int, typer.Option(min=32, help="Side of the square the backbone sees (SiM3D: 1540).")
    ] = 512,
    fit: Annotated[
        FitName, typer.Option(help="Pad the picture to a square, or stretch it.")
    ] = FitName.PAD,
    coreset: Annotated[
        float, typer.Option(min=1e-4, max=1.0, help="Share of the golden patches that is kept.")
    ] = 0.1,
    reweight: Annotated[
        int, typer.Option(min=0, max=100, help="Neighbours in PatchCore's equation 7; 0: not.")
    ] = 3,
    fpfh_step_px: Annotated[
        int, typer.Option(min=1, max=64, help="A descriptor at every so many pixels.")
    ] = 4,
    bank_mb: Annotated[
        float, typer.Option(min=1, help="Most the bank may take in the recipe.")
    ] = 512.0,
    seed: Annotated[int, typer.Option(help="Of the coreset.")] = 0,
    *,
    common: Common,
) -> None:
    """BTF as SiM3D runs it: picture and shape features in one bank."""
    from voxgate.export.features.bank import BankOptions
    from voxgate.export.methods.btf import BtfOptions, load_btf
    from voxgate.runtime.recipe.manifest import FpfhSection

    options = BtfOptions(
        weights=weights,
        backbone=backbone,
        shape=shape.value,
        input_px=input_px,
        fit=fit.value,
        reweight=reweight,
        saved=bank,
        bank=BankOptions(coreset, seed, bank_mb),
        fpfh=FpfhSection(step_px=fpfh_step_px),
    )
    export_recipe(lambda golden, progress: load_btf(golden, options, progress), common)
