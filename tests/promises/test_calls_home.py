"""A box on a production line reports to its own cell and to nobody else."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SERVE = """
import sys
from voxgate.runtime.engines.onnxruntime_engine import OnnxRuntimeEngine
from tests.kits import tiny
sys.stdout.write(OnnxRuntimeEngine(tiny.difference_model(), "CPUExecutionProvider", 1).backend)
"""


@pytest.mark.slow
def test_an_engine_keeps_a_store_of_reports_to_its_maker(tmp_path: Path) -> None:
    environment = {**os.environ, "HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    environment.pop("ORT_DISABLE_TELEMETRY", None)
    done = subprocess.run(
        [sys.executable, "-c", SERVE],
        env=environment,
        capture_output=True,
        text=True,
        timeout=100,
        check=True,
    )
    assert done.stdout == "onnxruntime-cpu"
    assert not list(tmp_path.rglob("*onnxruntime*"))
