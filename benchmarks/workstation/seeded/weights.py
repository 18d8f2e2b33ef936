"""Files as their authors' tools write them, with seeded weights instead of trained ones."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import timm
import torch

SEED = 7
PICTURES = 3  # seeded pictures that statistics are taken from
BANK_ROWS = 64
SMALL_PYRAMID = "resnet18"
SMALL_VIT = "vit_tiny_patch16_224"


def save_lightning(module: Any, path: Path) -> Path:
    """As anomalib's Engine saves a trained model."""
    from lightning.pytorch import Trainer

    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        trainer = Trainer(logger=False, accelerator="cpu", enable_checkpointing=False, max_epochs=0)
        trainer.strategy.connect(module)
        trainer.save_checkpoint(path)
    return path


def pictures(size_px: tuple[int, int]) -> Iterator[torch.Tensor]:
    """Seeded pictures (1, 3, h, w) in 0..1, smooth as photographs are."""
    generator = torch.Generator().manual_seed(SEED)
    for _ in range(PICTURES):
        coarse = torch.rand(1, 3, 9, 9, generator=generator)
        yield torch.nn.functional.interpolate(coarse, size=size_px, mode="bilinear")


def settle(module: torch.nn.Module) -> None:
    """Give fresh batch norms statistics, so that seeded features do not fade out or explode."""
    generator = torch.Generator().manual_seed(SEED)
    for layer in module.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            layer.running_mean = 0.1 * torch.randn(layer.num_features, generator=generator)
            layer.running_var = 0.5 + torch.rand(layer.num_features, generator=generator)


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
