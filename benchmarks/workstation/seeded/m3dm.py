"""M3DM: a transformer's weights; banks and SVMs from the golden scan."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from voxgate.benchmarks.workstation.case import Case, at
from voxgate.benchmarks.workstation.seeded.cfm import few_points
from voxgate.benchmarks.workstation.seeded.weights import SMALL_VIT, save_backbone, save_bank

FEATURES = 192  # of the small transformer


def small_cases(folder: Path, scan: Path) -> list[Case]:
    small = save_backbone(SMALL_VIT, folder / "small.pth")
    tiny = ("m3dm", "--backbone", SMALL_VIT, "--weights", str(small), "--input-px", "96")
    return [
        Case("m3dm FPFH", (*tiny, "--shape", "fpfh", "--fpfh-step-px", "1")),
        Case("m3dm depth", tiny),
        Case("m3dm Point-MAE", (*tiny, *few_points(folder)), slow=True),
        Case("m3dm saved banks and SVM", (*tiny, *_saved(folder), *at(8.5))),
    ]


def cases(folder: Path, scan: Path) -> list[Case]:
    full = save_backbone("vit_small_patch14_dinov2", folder / "full.pth", img_size=518)
    return [
        *small_cases(folder, scan),
        Case(
            "m3dm DINOv2 S/14 + depth",
            ("m3dm", "--backbone", "dinov2_vits14", "--weights", str(full), "--input-px", "224"),
            small=False,
            source="saved banks and SVM, or backbone weights + golden scan",
        ),
    ]


def _saved(folder: Path) -> tuple[str, ...]:
    """What an earlier training left: both banks, and the SVM of the maps."""
    svm = folder / "svm.npz"
    np.savez(svm, coef=[[0.6, 0.3]], offset=[0.2])
    picture = save_bank(folder / "pictures.npz", FEATURES)
    shape = save_bank(folder / "shapes.pt", FEATURES)
    return ("--picture-bank", str(picture), "--shape-bank", str(shape), "--svm", str(svm))
