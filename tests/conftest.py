"""What several test modules share: a folder for sockets, the example bracket's recipe, and which
of them need a quiet machine."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from sim.recipes import export_once

ROOT = Path(__file__).parents[1]
BRACKET = ROOT / "examples" / "bracket"


LINE = frozenset(
    f"tests.test_{name}"
    for name in (
        *("camera", "camera_commands", "camera_setup", "changeover", "control_room"),
        *("door", "evidence", "evidence_line", "fault_table", "flying", "genicam_source", "line"),
        *("lossy_line", "metrics_server", "network_source", "random_walk", "relay", "reoffer"),
        *("ring", "robot_clients", "service", "sim_cell", "sim_demo", "sockets", "systemd"),
        *("virtual_camera", "virtual_camera_binding", "virtual_camera_faults"),
        *("virtual_cell", "worker"),
    )
)
"""Modules whose tests run processes in real time: a busy neighbour would be a fault of the line."""


KERNELS = frozenset(
    f"tests.test_{name}"
    for name in ("bench_gpu", "cuda_python", "device_fusion", "fusion_kernels", "several_plans")
)
"""Modules that compile the GPU's kernels for the CPU: once, in one of the processes."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what runs alone, and what runs in one process."""
    for item in items:
        if not isinstance(item, pytest.Function):
            continue
        if item.module.__name__ in LINE:
            item.add_marker(pytest.mark.line)
        if item.module.__name__ in KERNELS:
            item.add_marker(pytest.mark.xdist_group("kernels"))


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder with a short name: a socket's path has at most 107 bytes."""
    path = Path(tempfile.mkdtemp(prefix="vg-"))
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="session")
def bracket_recipe() -> Path:
    """Folder of the recipe of examples/bracket/golden; kept in out/ until scan or code change."""
    return export_once(BRACKET / "golden", ROOT / "out" / "recipes")
