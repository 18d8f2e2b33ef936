"""SuperSimpleNet: anomalib checkpoints."""

from __future__ import annotations

from pathlib import Path

import torch
from anomalib.models import Supersimplenet

from voxgate.benchmarks.workstation.case import Case, at
from voxgate.benchmarks.workstation.seeded.weights import SEED, save_lightning, settle
from voxgate.export.methods.from_anomalib import without_downloads


def small_cases(folder: Path, scan: Path) -> list[Case]:
    small = save_checkpoint(folder / "small.ckpt", "resnet18", 64)
    return [Case("supersimplenet", ("supersimplenet", "--checkpoint", str(small), *at(0.5)))]


def cases(folder: Path, scan: Path) -> list[Case]:
    full = save_checkpoint(folder / "full.ckpt", "wide_resnet50_2", 256)
    return [
        *small_cases(folder, scan),
        Case(
            "supersimplenet WRN-50",
            ("supersimplenet", "--checkpoint", str(full), *at(0.4)),
            small=False,
            source="anomalib checkpoint",
        ),
    ]


def save_checkpoint(path: Path, backbone: str, side_px: int) -> Path:
    torch.manual_seed(SEED)
    with without_downloads():
        module = Supersimplenet(
            backbone=backbone,
            pre_processor=Supersimplenet.configure_pre_processor((side_px, side_px)),
        )
    settle(module.model)
    return save_lightning(module, path)
