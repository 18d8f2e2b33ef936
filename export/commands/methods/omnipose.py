"""`voxgate export omnipose`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from voxgate.export.commands.common import Common, export_recipe, with_common


@with_common
def omnipose(
    weights: Annotated[Path, typer.Option(help="State dict of EfficientNet-B4 (timm's names).")],
    input_px: Annotated[
        int, typer.Option(min=64, help="Side of the square the network sees (the paper's: 224).")
    ] = 224,
    *,
    common: Common,
) -> None:
    """OmniposeAD with the pose known: every view against the golden view at the same pose.

    The reference is the golden scan re-rendered at the view's true pose; a scan rendered from CAD
    serves as golden scan as well.
    """
    from voxgate.export.methods.omnipose import OmniposeOptions, load_omnipose

    options = OmniposeOptions(weights, input_px)
    export_recipe(lambda golden, progress: load_omnipose(golden, options), common)
