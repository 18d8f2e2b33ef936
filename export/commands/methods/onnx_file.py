"""`voxgate export onnx`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from voxgate.export.commands.common import Common, export_recipe, with_common


@with_common
def onnx(
    file: Annotated[
        Path,
        typer.Argument(help="ONNX: image, depth_mm, ... in; one score map out.", metavar="FILE"),
    ],
    *,
    common: Common,
) -> None:
    """Any ONNX file that takes what the runtime has and gives one score map: validated."""
    from voxgate.export.methods.onnx_file import load_onnx_file

    export_recipe(lambda golden, progress: load_onnx_file(golden, file), common)
