"""The console command answers at once: a word pays for its own libraries, not for another's."""

from __future__ import annotations

import subprocess
import sys


def test_every_word_waits_for_libraries_that_only_some_use() -> None:
    code = (
        "import sys, voxgate.runtime.cli\n"
        "heavy = {'cv2', 'numba', 'numpy', 'onnxruntime', 'pydantic', 'scipy', 'zmq'}\n"
        "print(*sorted(heavy & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.split() == []
