"""`voxgate export m3dm`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from voxgate.export.commands.common import Common, export_recipe, with_common
from voxgate.export.commands.methods.options import (
    Coreset,
    CrossmodalShape,
    Fit,
    FitName,
    FpfhStepPx,
    PointGroups,
    PointGroupSize,
    PointsWeights,
    Transformer,
    TransformerPx,
    TransformerShape,
    TransformerWeights,
)


@with_common
def m3dm(
    weights: TransformerWeights,
    backbone: Transformer = "dinov2_vitb14",
    shape: TransformerShape = CrossmodalShape.DEPTH,
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
    input_px: TransformerPx = 518,
    fit: Fit = FitName.PAD,
    coreset: Coreset = 0.1,
    fpfh_step_px: FpfhStepPx = 4,
    points_weights: PointsWeights = None,
    point_groups: PointGroups = 1024,
    point_group_size: PointGroupSize = 128,
    bank_mb: Annotated[
        float, typer.Option(min=1, help="Most each bank may take in the recipe.")
    ] = 512.0,
    seed: Annotated[int, typer.Option(help="Of the coresets.")] = 0,
    *,
    common: Common,
) -> None:
    """M3DM as SiM3D runs it: two banks and a one-class SVM, without the fusion module."""
    from voxgate.export.features.bank import BankOptions
    from voxgate.export.features.point_mae.options import PointsOptions
    from voxgate.export.methods.m3dm import M3dmOptions, load_m3dm
    from voxgate.runtime.recipe.sections.shapes import FpfhSection

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
        points=PointsOptions(points_weights, point_groups, point_group_size),
    )
    export_recipe(lambda golden, progress: load_m3dm(golden, options, progress), common)
