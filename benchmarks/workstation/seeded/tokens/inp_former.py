"""INP-Former: anomalib checkpoints, with their crop as published."""

from __future__ import annotations

from pathlib import Path

import torch
from anomalib.models import InpFormer

from voxgate.benchmarks.workstation.case import Case, at
from voxgate.benchmarks.workstation.seeded.tokens.small_dino import (
    SMALL,
    SMALL_PX,
    awaken,
)
from voxgate.benchmarks.workstation.seeded.weights import SEED, save_lightning
from voxgate.export.methods.tokens.encoder import as_in_anomalib

PUBLISHED = "vit_base_patch14_reg4_dinov2"


def small_cases(folder: Path, scan: Path) -> list[Case]:
    small = save_checkpoint(folder / "small.ckpt", SMALL, (SMALL_PX, SMALL_PX), SMALL_PX)
    return [Case("inp-former", ("inp-former", "--checkpoint", str(small), *at(0.2)))]


def cases(folder: Path, scan: Path) -> list[Case]:
    full = save_checkpoint(folder / "full.ckpt", PUBLISHED, (448, 448), 392)
    return [
        *small_cases(folder, scan),
        Case(
            "inp-former DINOv2 B/14",
            ("inp-former", "--checkpoint", str(full), *at(0.2)),
            small=False,
            source="anomalib checkpoint",
        ),
    ]


def save_checkpoint(path: Path, encoder: str, resize_px: tuple[int, int], crop_px: int) -> Path:
    torch.manual_seed(SEED)
    prepared = InpFormer.configure_pre_processor(resize_px, crop_px)
    with as_in_anomalib():
        module = InpFormer(encoder_name=encoder, pre_processor=prepared)
    awaken(module.model)
    return save_lightning(module, path)
