"""`voxgate export fastflow`."""

from __future__ import annotations

from voxgate.export.commands.common import Common, export_recipe, with_common
from voxgate.export.commands.methods.options import Checkpoint, PreparedPx


@with_common
def fastflow(
    checkpoint: Checkpoint,
    prepared_px: PreparedPx = None,
    *,
    common: Common,
) -> None:
    """FastFlow, from an anomalib checkpoint."""
    from voxgate.export.methods.fastflow import load_fastflow

    export_recipe(lambda golden, progress: load_fastflow(golden, checkpoint, prepared_px), common)
