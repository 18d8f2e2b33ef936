"""`voxgate export padim`."""

from __future__ import annotations

from voxgate.export.commands.common import Common, export_recipe, with_common
from voxgate.export.commands.methods.options import Checkpoint, PreparedPx


@with_common
def padim(
    checkpoint: Checkpoint,
    prepared_px: PreparedPx = None,
    *,
    common: Common,
) -> None:
    """PaDiM, from an anomalib checkpoint."""
    from voxgate.export.methods.padim import load_padim

    export_recipe(lambda golden, progress: load_padim(golden, checkpoint, prepared_px), common)
