"""What a start loads before the doors open; the rest is loaded beside it, or when it is wanted."""

from __future__ import annotations

import subprocess
import sys

import pytest

WANTED_LATER = {
    "numba": "beside the reading of the recipe",
    "onnxruntime": "beside the reading of the recipe",
    "mcap": "by the first recording",
    "scipy": "by few recipes",
}


@pytest.fixture(scope="module")
def loaded() -> set[str]:
    """Names of all modules that a start has loaded."""
    asked = "import sys, voxgate.runtime.service.run; print(*sys.modules)"
    run = subprocess.run(
        [sys.executable, "-c", asked], check=True, stdout=subprocess.PIPE, text=True
    )
    return set(run.stdout.split())


@pytest.mark.parametrize("module", WANTED_LATER)
def test_a_start_waits_for_what_is_wanted_later(module: str, loaded: set[str]) -> None:
    assert "voxgate.runtime.service.run" in loaded
    assert module not in loaded
