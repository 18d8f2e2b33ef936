"""EfficientAD: anomalib checkpoints of S and M, and the public implementation's three networks."""

from __future__ import annotations

from pathlib import Path

import torch
from anomalib.models import EfficientAd
from torch import nn

from voxgate.benchmarks.workstation.case import Case, at
from voxgate.benchmarks.workstation.seeded.weights import SEED, save_lightning

CHANNELS = 32  # of the small ones; 384 in the paper


def small_cases(folder: Path, scan: Path) -> list[Case]:
    small = save_checkpoint(folder / "small.ckpt", "small", CHANNELS)
    medium = save_checkpoint(folder / "medium.ckpt", "medium", CHANNELS)
    return [
        Case("efficientad S", ("efficientad", "--checkpoint", str(small))),
        Case("efficientad M", ("efficientad", "--checkpoint", str(medium), *at(0.025)), slow=True),
        Case("efficientad public", ("efficientad", *public_networks(folder)), slow=True),
    ]


def cases(folder: Path, scan: Path) -> list[Case]:
    full = save_checkpoint(folder / "full.ckpt", "small", 384)
    return [
        *small_cases(folder, scan),
        Case(
            "efficientad S",
            ("efficientad", "--checkpoint", str(full)),
            small=False,
            source="anomalib checkpoint, public networks",
        ),
    ]


def save_checkpoint(path: Path, size: str, channels: int) -> Path:
    torch.manual_seed(SEED)
    module = EfficientAd(model_size=size, teacher_out_channels=channels)
    statistics, quantiles = module.model.mean_std, module.model.quantiles
    statistics["mean"].data = 0.1 * torch.randn(1, channels, 1, 1)
    statistics["std"].data = 0.5 + torch.rand(1, channels, 1, 1)
    for name, value in (("qa_st", 0.01), ("qb_st", 0.2), ("qa_ae", 0.001), ("qb_ae", 0.01)):
        quantiles[name].data = torch.tensor(value)
    return save_lightning(module, path)


def public_networks(folder: Path) -> tuple[str, ...]:
    """As torch.save(network.state_dict()) writes numbered layers."""
    torch.manual_seed(SEED)
    files = {
        "teacher": network_s(CHANNELS),
        "student": network_s(2 * CHANNELS),
        "autoencoder": autoencoder(CHANNELS),
    }
    arguments: list[str] = []
    for role, network in files.items():
        path = folder / f"{role}.pth"
        torch.save(network.state_dict(), path)
        arguments += [f"--{role}", str(path)]
    return tuple(arguments)


def network_s(channels: int) -> nn.Sequential:
    """The small patch description network (paper, table 6)."""
    return nn.Sequential(
        nn.Conv2d(3, 128, 4), nn.ReLU(), nn.AvgPool2d(2, 2),
        nn.Conv2d(128, 256, 4), nn.ReLU(), nn.AvgPool2d(2, 2),
        nn.Conv2d(256, 256, 3), nn.ReLU(), nn.Conv2d(256, channels, 4),
    )  # fmt: skip


def autoencoder(channels: int) -> nn.Sequential:
    """The autoencoder (paper, table 8)."""
    layers: list[nn.Module] = []
    for given, found in ((3, 32), (32, 32), (32, 64), (64, 64), (64, 64)):
        layers += [nn.Conv2d(given, found, 4, 2, 1), nn.ReLU()]
    layers.append(nn.Conv2d(64, 64, 8))
    for side in (3, 8, 15, 32, 63, 127):
        layers += [nn.Upsample(side), nn.Conv2d(64, 64, 4, 1, 2), nn.ReLU(), nn.Dropout(0.2)]
    layers += [nn.Upsample(56), nn.Conv2d(64, 64, 3, 1, 1), nn.ReLU()]
    return nn.Sequential(*layers, nn.Conv2d(64, channels, 3, 1, 1))
