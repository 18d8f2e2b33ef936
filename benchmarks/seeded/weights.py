"""State dicts of backbones with seeded weights, in the naming their publishers use."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import timm
import torch

from benchmarks.seeded.checkpoints import SEED, settle


def save_backbone(name: str, path: Path, **options: Any) -> Path:
    """A network of timm as its state dict; batch norms settled, so that features do not fade."""
    torch.manual_seed(SEED)
    network = timm.create_model(name, pretrained=False, **options)
    settle(network)
    torch.save(network.state_dict(), path)
    return path


SMALL_PYRAMID = "resnet18"
SMALL_VIT = "vit_tiny_patch16_224"
