"""Dinomaly: anomalib checkpoints, with and without their crop."""

from __future__ import annotations

from pathlib import Path

import torch
from anomalib.models import Dinomaly

from voxgate.benchmarks.workstation.case import Case, at
from voxgate.benchmarks.workstation.seeded.tokens.small_dino import (
    SMALL_PX,
    WITH_REGISTERS,
    awaken,
)
from voxgate.benchmarks.workstation.seeded.weights import SEED, save_lightning
from voxgate.export.methods.tokens.encoder import as_in_anomalib

PUBLISHED = "vit_base_patch14_reg4_dinov2"


def small_cases(folder: Path, scan: Path) -> list[Case]:
    small = save_checkpoint(folder / "small.ckpt", WITH_REGISTERS, SMALL_PX, SMALL_PX)
    cropped = save_checkpoint(folder / "cropped.ckpt", WITH_REGISTERS, 98, 70)
    return [
        Case("dinomaly", ("dinomaly", "--checkpoint", str(small), *at(0.2))),
        Case("dinomaly cropped", ("dinomaly", "--checkpoint", str(cropped), *at(0.2)), slow=True),
    ]


def cases(folder: Path, scan: Path) -> list[Case]:
    full = save_checkpoint(folder / "full.ckpt", PUBLISHED, 448, 392)
    return [
        *small_cases(folder, scan),
        Case(
            "dinomaly DINOv2 B/14",
            ("dinomaly", "--checkpoint", str(full), *at(0.2)),
            small=False,
            source="anomalib checkpoint",
        ),
    ]


def save_checkpoint(
    path: Path, encoder: str, resize_px: int, crop_px: int, **options: object
) -> Path:
    torch.manual_seed(SEED)
    prepared = Dinomaly.configure_pre_processor((resize_px, resize_px), crop_px)
    with as_in_anomalib():
        module = Dinomaly(encoder_name=encoder, pre_processor=prepared, **options)
    awaken(module.model)
    return save_lightning(module, path)
