"""`voxgate export METHOD` where a checkpoint of anomalib is all that it takes."""

from __future__ import annotations

from voxgate.export.commands.common import Common, export_recipe, with_common
from voxgate.export.commands.methods.options import Checkpoint, PreparedPx


@with_common
def reverse_distillation(
    checkpoint: Checkpoint, prepared_px: PreparedPx = None, *, common: Common
) -> None:
    """Reverse distillation, from an anomalib checkpoint."""
    from voxgate.export.methods.reverse_distillation import load_reverse_distillation

    export_recipe(
        lambda golden, progress: load_reverse_distillation(golden, checkpoint, prepared_px), common
    )


@with_common
def fastflow(checkpoint: Checkpoint, prepared_px: PreparedPx = None, *, common: Common) -> None:
    """FastFlow, from an anomalib checkpoint."""
    from voxgate.export.methods.fastflow import load_fastflow

    export_recipe(lambda golden, progress: load_fastflow(golden, checkpoint, prepared_px), common)


@with_common
def padim(checkpoint: Checkpoint, prepared_px: PreparedPx = None, *, common: Common) -> None:
    """PaDiM, from an anomalib checkpoint."""
    from voxgate.export.methods.padim import load_padim

    export_recipe(lambda golden, progress: load_padim(golden, checkpoint, prepared_px), common)


@with_common
def supersimplenet(
    checkpoint: Checkpoint, prepared_px: PreparedPx = None, *, common: Common
) -> None:
    """SuperSimpleNet, from an anomalib checkpoint."""
    from voxgate.export.methods.supersimplenet import load_supersimplenet

    export_recipe(
        lambda golden, progress: load_supersimplenet(golden, checkpoint, prepared_px), common
    )


@with_common
def dinomaly(checkpoint: Checkpoint, prepared_px: PreparedPx = None, *, common: Common) -> None:
    """Dinomaly, from an anomalib checkpoint."""
    from voxgate.export.methods.tokens.dinomaly import load_dinomaly

    export_recipe(lambda golden, progress: load_dinomaly(golden, checkpoint, prepared_px), common)


@with_common
def inp_former(checkpoint: Checkpoint, prepared_px: PreparedPx = None, *, common: Common) -> None:
    """INP-Former, from an anomalib checkpoint."""
    from voxgate.export.methods.tokens.inp_former import load_inp_former

    export_recipe(lambda golden, progress: load_inp_former(golden, checkpoint, prepared_px), common)


@with_common
def uninet(checkpoint: Checkpoint, prepared_px: PreparedPx = None, *, common: Common) -> None:
    """UniNet, from an anomalib checkpoint."""
    from voxgate.export.methods.uninet import load_uninet

    export_recipe(lambda golden, progress: load_uninet(golden, checkpoint, prepared_px), common)
