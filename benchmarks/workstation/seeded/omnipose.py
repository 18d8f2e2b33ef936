"""OmniposeAD: EfficientNet-B4's weights."""

from __future__ import annotations

from pathlib import Path

from voxgate.benchmarks.workstation.case import Case
from voxgate.benchmarks.workstation.seeded.weights import save_backbone


def cases(folder: Path, scan: Path) -> list[Case]:
    weights = save_backbone("efficientnet_b4", folder / "b4.pth")
    own = ("omnipose", "--weights", str(weights))
    return [
        Case("omnipose", (*own, "--input-px", "64")),
        Case("omnipose EfficientNet-B4", own, small=False, source="EfficientNet-B4 weights"),
    ]
