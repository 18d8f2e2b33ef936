"""PaDiM: anomalib checkpoints with fitted statistics."""

from __future__ import annotations

from pathlib import Path

import torch
from anomalib.models import Padim

from voxgate.benchmarks.workstation.case import Case, at
from voxgate.benchmarks.workstation.seeded.weights import SEED, pictures, save_lightning, settle


def small_cases(folder: Path, scan: Path) -> list[Case]:
    small = _checkpoint(folder / "small.ckpt", 20, 64)
    return [Case("padim", ("padim", "--checkpoint", str(small)))]


def cases(folder: Path, scan: Path) -> list[Case]:
    full = _checkpoint(folder / "full.ckpt", 100, 256)
    return [
        *small_cases(folder, scan),
        Case(
            "padim ResNet-18",
            ("padim", "--checkpoint", str(full), *at(25.0)),
            small=False,
            source="anomalib checkpoint",
        ),
    ]


def _checkpoint(path: Path, features: int, side_px: int) -> Path:
    torch.manual_seed(SEED)
    module = Padim(
        backbone="resnet18",
        pre_trained=False,
        n_features=features,
        pre_processor=Padim.configure_pre_processor((side_px, side_px)),
    )
    settle(module.model)
    module.model.train()
    for picture in pictures((side_px, side_px)):
        module.model(picture)
    module.model.fit()
    return save_lightning(module, path)
