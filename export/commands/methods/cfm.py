"""`voxgate export cfm`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from voxgate.export.commands.common import Common, export_recipe, with_common
from voxgate.export.commands.methods.options import (
    Fit,
    FitName,
    FpfhStepPx,
    ShapeName,
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
    shape: TransformerShape = ShapeName.DEPTH,
    input_px: TransformerPx = 518,
    fit: Fit = FitName.PAD,
    fpfh_step_px: FpfhStepPx = 4,
    *,
    common: Common,
) -> None:
    """CFM as SiM3D runs it: DINO features and FPFH, or DINO on pictures and on depth."""
    from voxgate.export.methods.cfm.load import CfmOptions, load_cfm
    from voxgate.runtime.recipe.manifest import FpfhSection

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
    )
    export_recipe(lambda golden, progress: load_cfm(golden, options), common)
