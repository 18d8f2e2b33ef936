"""`voxgate export padim`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from voxgate.export.commands.common import Common, export_recipe, with_common


@with_common
def padim(
    checkpoint: Annotated[Path, typer.Option(help="anomalib 2.x checkpoint (.ckpt).")],
    *,
    common: Common,
) -> None:
    """PaDiM, from an anomalib checkpoint."""
    from voxgate.export.methods.padim import load_padim

    export_recipe(lambda golden, progress: load_padim(golden, checkpoint), common)
