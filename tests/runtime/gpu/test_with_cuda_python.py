"""The real cuda-python, on a driver that is compiled from a few pages of C++ and has no GPU."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from tests.kits.host_kernels import compiled
from tests.kits.repository import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.nightly]  # by day on a stand-in of its binding

DRIVER = ROOT / "tests" / "kits" / "fake_cuda_driver.cpp"

pytest.importorskip("cuda.bindings", reason="cuda-bindings is for Linux")


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


@pytest.fixture(scope="module")
def found() -> Any:
    """What every case of the script found, in one process: importing takes the time."""
    driver = compiled(
        (DRIVER,),
        "cuda",
        "-Wl,-soname,libcuda.so.1",
        "-ldl",
    )
    done = subprocess.run(
        [sys.executable, "-m", "tests.kits.cuda_python_script", str(driver), *FAILURES],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("kind", ["dense", "sparse"])
def test_fusion_through_cuda_python_is_the_cpus_and_leaves_nothing(found: Any, kind: str) -> None:
    case = found[kind]
    assert case["library"].startswith("cuda-python ")
    assert case["gpu"] == "Fake RTX (sm_89, 48 multiprocessors)"
    assert case["waits"] == 0
    assert case["left"] == 0  # memory, contexts, streams, events, graphs, modules


def test_a_graph_is_recorded_and_given_back(found: Any) -> None:
    assert found["record"] == {"launched": True, "left": 0}


def test_a_foreign_context_is_named_and_stays_as_it_was(found: Any) -> None:
    assert "pycuda.autoinit" in found["foreign"]["refused"]
    assert found["foreign"]["left"] == 1  # the foreign one


@pytest.mark.parametrize("failure", FAILURES)
def test_no_failure_of_the_driver_is_overlooked(found: Any, failure: str) -> None:
    assert FAILURES[failure] in found[failure]["refused"]
    assert found[failure]["left"] == 0


def test_a_driver_older_than_the_library_is_named(found: Any) -> None:
    assert "pip install 'cuda-bindings<13'" in found["old driver"]["refused"]
    assert found["old driver"]["left"] == 0
