"""`voxgate export anomaly-dino`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from voxgate.export.commands.common import Common, export_recipe, with_common
from voxgate.export.commands.methods.options import BankMb, CoresetSeed, PreparedPx, Transformer


@with_common
def anomaly_dino(
    checkpoint: Annotated[
        Path | None,
        typer.Option(help="anomalib checkpoint (.ckpt, of 2.5.1 or later) with its memory."),
    ] = None,
    prepared_px: PreparedPx = None,
    backbone: Transformer = "dinov2_vits14",
    weights: Annotated[
        Path | None,
        typer.Option(help="State dict of the backbone; the memory is of the golden scan."),
    ] = None,
    input_px: Annotated[
        int, typer.Option(min=28, max=4096, help="Shorter side of what the network sees.")
    ] = 448,
    rotations: Annotated[
        bool, typer.Option(help="Remember the golden views turned by 45, 90, ... 315 degrees too.")
    ] = False,
    masking: Annotated[
        bool,
        typer.Option(help="Compare the foreground only: what the picture alone says it is."),
    ] = False,
    neighbours: Annotated[
        int, typer.Option(min=1, max=100, help="Nearest tokens whose distances are averaged.")
    ] = 1,
    coreset: Annotated[
        float, typer.Option(min=1e-4, max=1.0, help="Share of the golden tokens that is kept.")
    ] = 1.0,
    bank_mb: BankMb = 512.0,
    seed: CoresetSeed = 0,
    *,
    common: Common,
) -> None:
    """AnomalyDINO, from an anomalib checkpoint, or backbone weights and the golden scan."""
    from voxgate.export.features.bank import BankOptions
    from voxgate.export.methods.tokens.anomaly_dino import AnomalyDinoOptions, load_anomaly_dino

    options = AnomalyDinoOptions(
        checkpoint=checkpoint,
        prepared_px=prepared_px,
        backbone=backbone,
        weights=weights,
        input_px=input_px,
        turned=rotations,
        masking=masking,
        neighbours=neighbours,
        bank=BankOptions(coreset, seed, bank_mb),
    )
    export_recipe(lambda golden, progress: load_anomaly_dino(golden, options, progress), common)
