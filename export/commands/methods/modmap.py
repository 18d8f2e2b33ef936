"""`voxgate export modmap`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from voxgate.export.commands.common import Common, export_recipe, with_common
from voxgate.export.commands.methods.options import Fit, FitName, Transformer, TransformerPx


@with_common
def modmap(
    checkpoint: Annotated[
        Path,
        typer.Option(
            help="Model of voxgate train: it names all that follows. Or the published file."
        ),
    ],
    weights: Annotated[
        Path | None, typer.Option(help="State dict of the picture's transformer.")
    ] = None,
    depth_weights: Annotated[
        Path | None, typer.Option(help="State dict of the depth's transformer.")
    ] = None,
    backbone: Transformer = "dinov2_vitb14_reg",
    depth_backbone: Transformer = "dinov3_vits16",
    input_px: TransformerPx = 896,
    depth_px: TransformerPx = 1024,
    fit: Fit = FitName.PAD,
    *,
    common: Common,
) -> None:
    """ModMap: each view is foretold from all others, across modalities; it speaks at the end."""
    from voxgate.export.methods.modmap.load import ModMapOptions, load_modmap

    options = ModMapOptions(
        checkpoint, weights, depth_weights, backbone, depth_backbone, input_px, depth_px, fit.value
    )
    export_recipe(lambda golden, progress: load_modmap(golden, options), common)
