"""`voxgate export reverse-distillation`."""

from __future__ import annotations

from voxgate.export.commands.common import Common, export_recipe, with_common
from voxgate.export.commands.methods.options import Checkpoint, PreparedPx


@with_common
def reverse_distillation(
    checkpoint: Checkpoint,
    prepared_px: PreparedPx = None,
    *,
    common: Common,
) -> None:
    """Reverse distillation, from an anomalib checkpoint."""
    from voxgate.export.methods.reverse_distillation import load_reverse_distillation

    export_recipe(
        lambda golden, progress: load_reverse_distillation(golden, checkpoint, prepared_px), common
    )
