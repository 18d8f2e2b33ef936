"""The real cuda-python, on a driver that is compiled from a few pages of C++ and has no GPU."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.host_kernels import compiled

TESTS = Path(__file__).parent

pytest.importorskip("cuda.bindings", reason="cuda-bindings is for Linux")


@pytest.fixture(scope="module")
def driver() -> Path:
    return compiled((TESTS / "fake_cuda_driver.cpp",), "cuda", "-Wl,-soname,libcuda.so.1", "-ldl")


def run(driver: Path, case: str, fail: str = "") -> Any:
    environment = os.environ | ({"FAKE_CUDA_FAIL": fail} if fail else {})
    command = [sys.executable, "-m", "tests.cuda_python_script", str(driver), case]
    done = subprocess.run(
        command, capture_output=True, text=True, cwd=TESTS.parent, env=environment, timeout=100
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("kind", ["dense", "sparse"])
def test_fusion_through_cuda_python_is_the_cpus_and_leaves_nothing(driver: Path, kind: str) -> None:
    found = run(driver, kind)
    assert found["library"].startswith("cuda-python ")
    assert found["gpu"] == "Fake RTX (sm_89, 48 multiprocessors)"
    assert found["waits"] == 0
    assert found["left"] == 0  # memory, contexts, streams, events, graphs, modules


def test_a_graph_is_recorded_and_given_back(driver: Path) -> None:
    assert run(driver, "record") == {"launched": True, "left": 0}


def test_a_foreign_context_is_named_and_stays_as_it_was(driver: Path) -> None:
    found = run(driver, "foreign")
    assert "pycuda.autoinit" in found["refused"]
    assert found["left"] == 1  # the foreign one


FAILURES = {
    "cuInit:100": "nvidia-smi",
    "cuDeviceGetCount:100": "nvidia-smi",
    "cuDevicePrimaryCtxRetain:2": "free GPU memory",
    "cuStreamCreate:700": "restart the service",
    "cuMemAlloc_v2:2": "free GPU memory",
    "cuMemHostAlloc:2": "free GPU memory",
    "cuModuleLoadData:700": "restart the service",
    "cuStreamSynchronize:700": "restart the service",
}


@pytest.mark.parametrize("fail", FAILURES)
def test_no_failure_of_the_driver_is_overlooked(driver: Path, fail: str) -> None:
    found = run(driver, "fail", fail)
    assert FAILURES[fail] in found["refused"]
    assert found["left"] == 0
