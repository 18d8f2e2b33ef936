"""The virtual camera is compiled on the spot: what goes wrong then is one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from voxgate.runtime.errors import VoxGateError
from voxgate.sim.gentl.build import build


def test_a_compiler_that_does_not_end_is_a_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a busy machine, or an emulated one."""
    endless = tmp_path / "endless-cc"
    endless.write_text("#!/bin/sh\nexec sleep 600\n")
    endless.chmod(0o755)
    monkeypatch.setenv("CC", str(endless))
    with pytest.raises(VoxGateError, match=r"endless-cc took more than 0\.2 s to compile .* CC"):
        build(tmp_path / "made", most_s=0.2)
