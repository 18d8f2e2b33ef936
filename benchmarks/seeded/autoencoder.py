"""Encoder and decoder of MVTec 3D-AD's benchmark, seeded."""

from __future__ import annotations

from pathlib import Path

import torch

from benchmarks.seeded import Case, at
from benchmarks.seeded.checkpoints import SEED
from export.methods.mvtec_networks import decoder, encoder

NARROW = (4, 8, 8, 16)  # of the small voxel network


def cases(folder: Path, scan: Path) -> list[Case]:
    voxel = ("--shape", "voxel")
    return [
        Case(
            "autoencoder depth",
            ("autoencoder", "--colour", *at(2.0), *_pair(folder / "sd", 4, 16, False)),
        ),
        Case(
            "autoencoder voxel",
            ("autoencoder", *voxel, *at(3.0), *_pair(folder / "sv", 1, 16, True, NARROW)),
        ),
        Case(
            "autoencoder depth",
            ("autoencoder", *at(1.0), *_pair(folder / "fd", 1, 512, False)),
            small=False,
            source="two state dicts",
        ),
        Case(
            "autoencoder voxel",
            ("autoencoder", *voxel, *at(3.0), *_pair(folder / "fv", 1, 512, True)),
            small=False,
            source="two state dicts",
        ),
    ]


def _pair(
    stem: Path, channels: int, latent: int, volume: bool, widths: tuple[int, ...] = ()
) -> tuple[str, ...]:
    torch.manual_seed(SEED)
    down, up = stem.with_suffix(".encoder.pth"), stem.with_suffix(".decoder.pth")
    torch.save(encoder(channels, latent, volume, widths).state_dict(), down)
    torch.save(decoder(channels, latent, volume, widths).state_dict(), up)
    return "--encoder", str(down), "--decoder", str(up)
