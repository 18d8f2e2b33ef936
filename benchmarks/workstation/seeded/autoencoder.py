"""Encoder and decoder of MVTec 3D-AD's benchmark, seeded."""

from __future__ import annotations

from pathlib import Path

from voxgate.benchmarks.workstation.case import Case
from voxgate.benchmarks.workstation.seeded.mvtec.reconstruction import pair_cases, small_pair_cases


def cases(folder: Path, scan: Path) -> list[Case]:
    return pair_cases("autoencoder", "decoder", folder, scan)


def small_cases(folder: Path, scan: Path) -> list[Case]:
    """Without the half minute that training the full-size networks takes."""
    return small_pair_cases("autoencoder", "decoder", folder, scan)
