"""`voxgate export cfm`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from voxgate.export.commands.common import Common, FitName, ShapeName, export_recipe, with_common


@with_common
def cfm(
    weights: Annotated[Path, typer.Option(help="State dict of the vision transformer.")],
    picture_to_shape: Annotated[
        Path | None, typer.Option(help="State dict of the mapping from picture to shape features.")
    ] = None,
    shape_to_picture: Annotated[
        Path | None, typer.Option(help="State dict of the mapping back.")
    ] = None,
    checkpoint: Annotated[
        Path | None, typer.Option(help="anomalib checkpoint that holds both mappings.")
    ] = None,
    backbone: Annotated[
        str, typer.Option(help="dinov2_vitb14, dinov2_vits14, dino_vitb8 or any ViT of timm.")
    ] = "dinov2_vitb14",
    shape: Annotated[
        ShapeName, typer.Option(help="FPFH of the cloud, or the transformer on depth.")
    ] = ShapeName.DEPTH,
    input_px: Annotated[
        int, typer.Option(min=32, help="Side of the square the network sees (SiM3D: 1540).")
    ] = 518,
    fit: Annotated[
        FitName, typer.Option(help="Pad the picture to a square, or stretch it.")
    ] = FitName.PAD,
    fpfh_step_px: Annotated[
        int, typer.Option(min=1, max=64, help="A descriptor at every so many pixels.")
    ] = 4,
    *,
    common: Common,
) -> None:
    """CFM as SiM3D runs it: DINO features and FPFH, or DINO on pictures and on depth."""
    from voxgate.export.methods.cfm import CfmOptions, load_cfm
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
