"""Fastflow: anomalib checkpoints."""

from __future__ import annotations

from pathlib import Path

import torch
from anomalib.models import Fastflow

from voxgate.benchmarks.workstation.case import Case, at
from voxgate.benchmarks.workstation.seeded.weights import SEED, save_lightning, settle


def small_cases(folder: Path, scan: Path) -> list[Case]:
    small = _checkpoint(folder / "small.ckpt", "resnet18", 64)
    return [Case("fastflow", ("fastflow", "--checkpoint", str(small), *at(0.8)))]


def cases(folder: Path, scan: Path) -> list[Case]:
    full = _checkpoint(folder / "full.ckpt", "resnet18", 256)
    return [
        *small_cases(folder, scan),
        Case(
            "fastflow ResNet-18",
            ("fastflow", "--checkpoint", str(full), *at(0.8)),
            small=False,
            source="anomalib checkpoint",
        ),
    ]


def _checkpoint(path: Path, backbone: str, side_px: int) -> Path:
    torch.manual_seed(SEED)
    module = Fastflow(
        backbone=backbone,
        pre_trained=False,
        pre_processor=Fastflow.configure_pre_processor((side_px, side_px)),
    )
    settle(module.model)
    return save_lightning(module, path)
