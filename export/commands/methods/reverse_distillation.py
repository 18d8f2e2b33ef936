"""`voxgate export reverse-distillation`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from voxgate.export.commands.common import Common, export_recipe, with_common


@with_common
def reverse_distillation(
    checkpoint: Annotated[Path, typer.Option(help="anomalib 2.x checkpoint (.ckpt).")],
    *,
    common: Common,
) -> None:
    """Reverse distillation, from an anomalib checkpoint."""
    from voxgate.export.methods.reverse_distillation import load_reverse_distillation

    export_recipe(lambda golden, progress: load_reverse_distillation(golden, checkpoint), common)
