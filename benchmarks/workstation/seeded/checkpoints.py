"""Checkpoints as their authors' tools write them, with seeded weights instead of trained ones."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

SEED = 7
PICTURES = 3  # seeded pictures that statistics are taken from


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
