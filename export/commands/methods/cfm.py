"""`voxgate export cfm`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from voxgate.export.commands.common import Common, export_recipe, with_common
from voxgate.export.commands.methods.options import (
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
)


@with_common
def cfm(
    weights: Annotated[
        Path | None,
        typer.Option(
            help="State dict of the vision transformer; a checkpoint of voxgate train holds it."
        ),
    ] = None,
    picture_to_shape: Annotated[
        Path | None, typer.Option(help="State dict of the mapping from picture to shape features.")
    ] = None,
    shape_to_picture: Annotated[
        Path | None, typer.Option(help="State dict of the mapping back.")
    ] = None,
    checkpoint: Annotated[
        Path | None,
        typer.Option(
            help="Model of voxgate train: it names all that follows. Or an anomalib checkpoint."
        ),
    ] = None,
    backbone: Transformer = "dinov2_vitb14",
    shape: TransformerShape = CrossmodalShape.DEPTH,
    input_px: TransformerPx = 518,
    fit: Fit = FitName.PAD,
    fpfh_step_px: FpfhStepPx = 4,
    points_weights: PointsWeights = None,
    point_groups: PointGroups = 1024,
    point_group_size: PointGroupSize = 128,
    cells: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=1024,
            help="Side of the grid that --shape point-mae is mapped on; default: of its pixels, "
            "224, as published: 64 times the work of 28 x 28.",
        ),
    ] = None,
    *,
    common: Common,
) -> None:
    """CFM: DINO features and Point-MAE as published, FPFH, or DINO on depth as SiM3D runs it."""
    from voxgate.export.features.point_mae.options import PointsOptions
    from voxgate.export.methods.cfm.load import CfmOptions, load_cfm
    from voxgate.runtime.recipe.sections.shapes import FpfhSection

    options = CfmOptions(
        weights=weights,
        picture_to_shape=picture_to_shape,
        shape_to_picture=shape_to_picture,
        checkpoint=checkpoint,
        backbone=backbone,
        shape=shape.value,
        input_px=input_px,
        fit=fit.value,
        fpfh=FpfhSection(step_px=fpfh_step_px),
        points=PointsOptions(points_weights, point_groups, point_group_size, cells=cells),
    )
    export_recipe(lambda golden, progress: load_cfm(golden, options), common)
