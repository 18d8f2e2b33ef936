"""Models of the papers' sizes: traced on a workstation, built for two cards, within a box's memory.

A plan of them has never run; what is held is that no graph needs what no box has.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

from voxgate.benchmarks.workstation.seeded.weights import SEED, save_backbone
from voxgate.export.golden.golden import Golden
from voxgate.export.graph.memory import memory_of
from voxgate.export.graph.real_tensorrt import check_by_building
from voxgate.export.graph.tracing import trace
from voxgate.export.methods.btf import BtfOptions, load_btf
from voxgate.export.progress import silent

pytestmark = [pytest.mark.nightly, pytest.mark.timeout(1800)]
MB = 1 << 20
SIM3D_PX, PATCHES = 1540, 28  # S.6: of the picture, and of the grid of patches
VIEWS, CORESET = 12, 0.1  # of the example, and kept of a golden scan
FPFH = 33  # numbers of a histogram


def bank(path: Path, patches: int, features: int) -> Path:
    """As many rows as the paper keeps of a golden scan."""
    rows = int(VIEWS * patches * CORESET)
    np.savez(path, bank=np.random.default_rng(SEED).random((rows, features), np.float32))
    return path


def built_within(graph: onnx.ModelProto, most_mb: int) -> None:
    """By the real TensorRT, and in a memory that a box has."""
    needed = memory_of(graph)
    assert needed.total <= most_mb * MB
    assert needed.largest <= 256 * MB
    check_by_building(graph, "published size")


def test_wide_resnet_101_at_1540_px_needs_more_than_a_box_has(
    small_golden: Golden, tmp_path: Path
) -> None:
    options = BtfOptions(
        save_backbone("wide_resnet101_2", tmp_path / "w.pth"),
        input_px=SIM3D_PX,
        patches=PATCHES,
        saved=bank(tmp_path / "bank.npz", PATCHES**2, 512 + 1024 + FPFH),
    )
    built_within(trace(load_btf(small_golden, options, silent)), 1_000)
