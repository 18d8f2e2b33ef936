"""State dicts of backbones with seeded weights, in the naming their publishers use."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import timm
import torch

from voxgate.benchmarks.workstation.seeded.checkpoints import SEED, settle


def save_backbone(name: str, path: Path, **options: Any) -> Path:
    """A network of timm as its state dict; batch norms settled, so that features do not fade."""
    torch.manual_seed(SEED)
    network = timm.create_model(name, pretrained=False, **options)
    settle(network)
    torch.save(network.state_dict(), path)
    return path


def save_bank(path: Path, features: int) -> Path:
    """A memory bank that was built elsewhere: seeded rows, as .npz or as one tensor."""
    rows = np.random.default_rng(SEED).random((BANK_ROWS, features), np.float32)
    if path.suffix == ".npz":
        np.savez(path, bank=rows)
    else:
        torch.save({"bank": torch.from_numpy(rows)}, path)
    return path


BANK_ROWS = 64
SMALL_PYRAMID = "resnet18"
SMALL_VIT = "vit_tiny_patch16_224"
