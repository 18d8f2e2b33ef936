"""`voxgate export fastflow`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from voxgate.export.commands.common import Common, export_recipe, with_common


@with_common
def fastflow(
    checkpoint: Annotated[Path, typer.Option(help="anomalib 2.x checkpoint (.ckpt).")],
    *,
    common: Common,
) -> None:
    """FastFlow, from an anomalib checkpoint."""
    from voxgate.export.methods.fastflow import load_fastflow

    export_recipe(lambda golden, progress: load_fastflow(golden, checkpoint), common)
