"""The variation model needs nothing but the golden scan."""

from __future__ import annotations

from pathlib import Path

from voxgate.benchmarks.workstation.case import Case


def cases(folder: Path, scan: Path) -> list[Case]:
    voxel = ("variation", "--shape", "voxel")
    return [
        Case("variation depth", ("variation", "--colour")),
        Case("variation voxel", (*voxel, "--colour")),
        Case("variation depth", ("variation",), small=False, source="golden scan"),
        Case("variation voxel", voxel, small=False, source="golden scan"),
    ]
