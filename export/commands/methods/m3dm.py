"""`voxgate export m3dm`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from voxgate.export.commands.common import Common, FitName, ShapeName, export_recipe, with_common


@with_common
def m3dm(
    weights: Annotated[Path, typer.Option(help="State dict of the vision transformer.")],
    backbone: Annotated[
        str, typer.Option(help="dinov2_vitb14, dinov2_vits14, dino_vitb8 or any ViT of timm.")
    ] = "dinov2_vitb14",
    shape: Annotated[
        ShapeName, typer.Option(help="FPFH of the cloud, or the transformer on depth.")
    ] = ShapeName.DEPTH,
    picture_bank: Annotated[
        Path | None, typer.Option(help="Saved bank of pictures (.npz with `bank`, or .pt).")
    ] = None,
    shape_bank: Annotated[Path | None, typer.Option(help="Saved bank of shapes.")] = None,
    svm: Annotated[
        Path | None,
        typer.Option(
            help=".npz with coef and offset of the map's SGDOneClassSVM; default: fitted."
        ),
    ] = None,
    input_px: Annotated[
        int, typer.Option(min=32, help="Side of the square the network sees (SiM3D: 1540).")
    ] = 518,
    fit: Annotated[
        FitName, typer.Option(help="Pad the picture to a square, or stretch it.")
    ] = FitName.PAD,
    coreset: Annotated[
        float, typer.Option(min=1e-4, max=1.0, help="Share of the golden patches that is kept.")
    ] = 0.1,
    fpfh_step_px: Annotated[
        int, typer.Option(min=1, max=64, help="A descriptor at every so many pixels.")
    ] = 4,
    bank_mb: Annotated[
        float, typer.Option(min=1, help="Most each bank may take in the recipe.")
    ] = 512.0,
    seed: Annotated[int, typer.Option(help="Of the coresets.")] = 0,
    *,
    common: Common,
) -> None:
    """M3DM as SiM3D runs it: two banks and a one-class SVM, without the fusion module."""
    from voxgate.export.features.bank import BankOptions
    from voxgate.export.methods.m3dm import M3dmOptions, load_m3dm
    from voxgate.runtime.recipe.manifest import FpfhSection

    options = M3dmOptions(
        weights=weights,
        backbone=backbone,
        shape=shape.value,
        picture_bank=picture_bank,
        shape_bank=shape_bank,
        svm=svm,
        input_px=input_px,
        fit=fit.value,
        bank=BankOptions(coreset, seed, bank_mb),
        fpfh=FpfhSection(step_px=fpfh_step_px),
    )
    export_recipe(lambda golden, progress: load_m3dm(golden, options, progress), common)
