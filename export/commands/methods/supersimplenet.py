"""`voxgate export supersimplenet`."""

from __future__ import annotations

from voxgate.export.commands.common import Common, export_recipe, with_common
from voxgate.export.commands.methods.options import Checkpoint, PreparedPx


@with_common
def supersimplenet(
    checkpoint: Checkpoint,
    prepared_px: PreparedPx = None,
    *,
    common: Common,
) -> None:
    """SuperSimpleNet, from an anomalib checkpoint."""
    from voxgate.export.methods.supersimplenet import load_supersimplenet

    export_recipe(
        lambda golden, progress: load_supersimplenet(golden, checkpoint, prepared_px), common
    )
