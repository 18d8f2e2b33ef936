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


@pytest.mark.parametrize("module", WANTED_LATER)
def test_a_start_waits_for_what_is_wanted_later(module: str) -> None:
    asked = f"import sys, voxgate.runtime.service.run; print({module!r} in sys.modules)"
    run = subprocess.run(
        [sys.executable, "-c", asked], check=True, stdout=subprocess.PIPE, text=True
    )
    assert run.stdout.strip() == "False"
