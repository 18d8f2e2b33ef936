"""Encoder and generator of MVTec 3D-AD's benchmark, seeded."""

from __future__ import annotations

from pathlib import Path

from voxgate.benchmarks.seeded.case import Case, at
from voxgate.benchmarks.seeded.reconstruction import save_pair

NARROW = (4, 8, 8, 16)  # of the small voxel network


def cases(folder: Path, scan: Path) -> list[Case]:
    return [*small_cases(folder, scan), *_full(folder, scan)]


def small_cases(folder: Path, scan: Path) -> list[Case]:
    """Without the half minute that training the full-size networks takes."""
    voxel = ("--shape", "voxel")
    return [
        Case(
            "anogan depth",
            (
                "anogan",
                "--colour",
                *at(0.3),
                *save_pair(folder / "sd", scan, 4, 16, False, role="generator"),
            ),
        ),
        Case(
            "anogan voxel",
            (
                "anogan",
                *voxel,
                *save_pair(folder / "sv", scan, 1, 16, True, NARROW, role="generator"),
            ),
        ),
    ]


def _full(folder: Path, scan: Path) -> list[Case]:
    voxel = ("--shape", "voxel")
    return [
        Case(
            "anogan depth",
            ("anogan", *at(0.3), *save_pair(folder / "fd", scan, 1, 512, False, role="generator")),
            small=False,
            source="two state dicts",
        ),
        Case(
            "anogan voxel",
            ("anogan", *voxel, *save_pair(folder / "fv", scan, 1, 512, True, role="generator")),
            small=False,
            source="two state dicts",
        ),
    ]
