"""What numba compiled before runs in the next start: only root's is loaded, and it stays."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.kits.repository import ROOT
from voxgate.runtime.common.trusted import installed_kernels
from voxgate.runtime.common.trusted.installed_kernels import VARIABLE, look, use_installed

KERNEL = "from numba import njit\n\n@njit(cache=True)\ndef twice(x):\n    return 2 * x\n"
USE = """
import os, sys
from pathlib import Path
from voxgate.runtime.common.trusted import installed_kernels
installed_kernels.ROOT = os.geteuid()
installed_kernels.use_installed(Path(sys.argv[1]))
import kernel
assert kernel.twice(3) == 6
print(sum(kernel.twice.stats.cache_hits.values()))
"""


def poison(trace: Path) -> bytes:
    """A pickle that makes a folder when it is read."""
    return b"cos\nmkdir\n(V" + str(trace).encode() + b"\ntR."


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """As systemd/install.sh has it; whoever runs this test stands for root."""
    monkeypatch.setattr(installed_kernels, "ROOT", os.geteuid())
    folder = tmp_path / "kernels"
    (folder / "module").mkdir(parents=True, mode=0o755)
    (folder / "module/kernel.nbi").write_bytes(b"")
    (folder / "module/kernel.nbi").chmod(0o644)
    return folder


def spoil(cache: Path, how: str) -> None:
    file = cache / "module/kernel.nbi"
    if how == "another's file":
        os.chown(file, 1234, 1234)
    elif how == "a link":
        file.rename(cache.parent / "elsewhere")
        file.symlink_to(cache.parent / "elsewhere")
    elif how == "the group writes it":
        file.chmod(0o664)
    elif how == "all write the folder":
        cache.chmod(0o777)
    else:
        file.parent.chmod(0o775)


@pytest.mark.parametrize(
    "how",
    [
        pytest.param(
            "another's file", marks=pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
        ),
        *("a link", "the group writes it", "all write the folder", "the group writes a module"),
    ],
)
def test_a_file_that_others_may_have_written_is_loaded(cache: Path, how: str) -> None:
    assert look(cache).refused == ()
    spoil(cache, how)
    environ: dict[str, str] = {}
    found = use_installed(cache, environ)
    assert found is not None
    assert found.taken == ()
    assert [*Path(environ[VARIABLE]).rglob("*")] == []


def test_a_workstations_own_cache_is_taken_from_it(tmp_path: Path) -> None:
    environ: dict[str, str] = {}
    assert use_installed(tmp_path / "kernels", environ) is None
    assert environ == {}


@pytest.mark.nightly  # six starts of numba; `.ci/run` has it on every change
def test_the_service_writes_on_what_it_loads_or_runs_what_another_left_there(
    tmp_path: Path,
) -> None:
    cache, trace = tmp_path / "kernels", tmp_path / "trace"
    cache.mkdir(mode=0o755)
    (tmp_path / "kernel.py").write_text(KERNEL)
    environ = {**os.environ, "PYTHONPATH": f"{tmp_path}:{ROOT / 'packaging'}"}

    def run(code: str, **more: str) -> str:
        command = [sys.executable, "-c", code, str(cache)]
        done = subprocess.run(
            command, env={**environ, **more}, capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    assert run(USE) == "0", "compiled, and not kept"
    assert [*cache.rglob("*")] == []
    run("import kernel; kernel.twice(3)", NUMBA_CACHE_DIR=str(cache))
    for path in cache.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
    before = {path: path.read_bytes() for path in cache.glob("*/*")}
    assert run(USE) == "1", "as it was installed"
    assert {path: path.read_bytes() for path in cache.glob("*/*")} == before

    (index,) = cache.glob("*/*.nbi")
    index.write_bytes(poison(trace))
    index.chmod(0o666)
    assert run(USE) == "0"
    assert not trace.exists()
    index.chmod(0o644)
    subprocess.run([sys.executable, "-c", USE, str(cache)], env=environ, check=False)
    assert trace.exists(), "what is loaded runs: this test would see it"
