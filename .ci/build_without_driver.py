"""`voxgate build` by a TensorRT whose libraries are empty, as far as a machine without a GPU gets.

    pip install --no-deps --target .venv/bindings/11.4 -r tests/tensorrt/bindings/11.4.lock
    PYTHONPATH=. python .ci/build_without_driver.py RECIPE

The Python module is the genuine one for this processor: it is imported and taken for TensorRT, and
what is named as missing is the next thing, the NVIDIA driver. 11.4 has a wheel for a Jetson's
processor, which 8.6 and 10.3, JetPack 6's, have not.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from tests.kits import genuine_tensorrt as genuine

VERSION, REFUSED = "11.4", 2


def build(recipe: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """As a person types it, in that installation."""
    stubs = genuine.stub_libraries(folder)
    environment = genuine.broken_installation(VERSION, stubs, folder)
    command = [str(Path(sys.executable).with_name("voxgate")), "build", recipe]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        done = build(sys.argv[1], Path(folder))
    sys.stdout.write(f"voxgate build: {done.returncode}, {done.stderr}")
    as_far_as = "the NVIDIA driver is missing" in done.stderr
    sys.exit(0 if done.returncode == REFUSED and as_far_as else 1)
