"""BTF: a backbone's weights, the bank from the golden scan."""

from __future__ import annotations

from pathlib import Path

from voxgate.benchmarks.workstation.case import Case, at
from voxgate.benchmarks.workstation.seeded.weights import SMALL_PYRAMID, save_backbone, save_bank

FEATURES = 128 + 256 + 33  # layers 2 and 3 of the small pyramid, and FPFH


def small_cases(folder: Path, scan: Path) -> list[Case]:
    small = save_backbone(SMALL_PYRAMID, folder / "small.pth")
    own = ("btf", "--backbone", SMALL_PYRAMID, "--weights", str(small), "--input-px", "96")
    return [
        Case("btf FPFH", (*own, "--fpfh-step-px", "1")),
        Case("btf depth", (*own, "--shape", "depth")),
        Case(
            "btf saved bank",
            (
                *own,
                *at(100.0),
                "--fpfh-step-px",
                "1",
                "--bank",
                str(save_bank(folder / "bank.npz", FEATURES)),
            ),
        ),
    ]


def cases(folder: Path, scan: Path) -> list[Case]:
    full = save_backbone("wide_resnet101_2", folder / "full.pth")
    return [
        *small_cases(folder, scan),
        Case(
            "btf WRN-101 + FPFH",
            ("btf", "--weights", str(full), "--input-px", "256", *at(28.0)),
            small=False,
            source="backbone weights + golden scan or saved bank",
        ),
    ]
