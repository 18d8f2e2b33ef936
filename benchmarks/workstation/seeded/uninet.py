"""UniNet: anomalib checkpoints."""

from __future__ import annotations

from pathlib import Path

import torch
from anomalib.models import UniNet

from voxgate.benchmarks.workstation.case import Case, at
from voxgate.benchmarks.workstation.seeded.weights import SEED, save_lightning, settle
from voxgate.export.methods.uninet import BACKBONE, teacher_without_weights

SMALL = "resnet50"  # its bottleneck takes none of fewer channels


def small_cases(folder: Path, scan: Path) -> list[Case]:
    small = save_checkpoint(folder / "small.ckpt", SMALL, 64)
    return [Case("uninet", ("uninet", "--checkpoint", str(small), *at(2.0)), slow=True)]


def cases(folder: Path, scan: Path) -> list[Case]:
    full = save_checkpoint(folder / "full.ckpt", BACKBONE, 256)
    return [
        *small_cases(folder, scan),
        Case(
            "uninet WRN-50",
            ("uninet", "--checkpoint", str(full), *at(2.0)),
            small=False,
            source="anomalib checkpoint",
        ),
    ]


def save_checkpoint(path: Path, backbone: str, side_px: int) -> Path:
    torch.manual_seed(SEED)
    with teacher_without_weights(backbone):
        module = UniNet(
            student_backbone=backbone,
            teacher_backbone=backbone,
            pre_processor=UniNet.configure_pre_processor((side_px, side_px)),
        )
    settle(module.model)
    return save_lightning(module, path)
