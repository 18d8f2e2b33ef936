"""ReverseDistillation: anomalib checkpoints."""

from __future__ import annotations

from pathlib import Path

import torch
from anomalib.models import ReverseDistillation

from voxgate.benchmarks.workstation.case import Case, at
from voxgate.benchmarks.workstation.seeded.weights import SEED, save_lightning, settle


def small_cases(folder: Path, scan: Path) -> list[Case]:
    small = _checkpoint(folder / "small.ckpt", "resnet18", 64)
    return [
        Case(
            "reverse-distillation", ("reverse-distillation", "--checkpoint", str(small), *at(1.5))
        ),
    ]


def cases(folder: Path, scan: Path) -> list[Case]:
    full = _checkpoint(folder / "full.ckpt", "wide_resnet50_2", 256)
    return [
        *small_cases(folder, scan),
        Case(
            "reverse-distillation WRN-50",
            ("reverse-distillation", "--checkpoint", str(full), *at(1.5)),
            small=False,
            source="anomalib checkpoint",
        ),
    ]


def _checkpoint(path: Path, backbone: str, side_px: int) -> Path:
    torch.manual_seed(SEED)
    module = ReverseDistillation(
        backbone=backbone,
        pre_trained=False,
        pre_processor=ReverseDistillation.configure_pre_processor((side_px, side_px)),
    )
    settle(module.model)
    return save_lightning(module, path)
