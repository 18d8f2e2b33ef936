"""genicam loads where the interpreter is no library, and no second interpreter comes with it.

In child processes: what the dynamic loader has once taken in it keeps.
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from tests.kits.needs import needs_mounts
from tests.kits.repository import ROOT
from voxgate.runtime.cameras.genicam.libpython import LIBPYTHON, VERSION
from voxgate.runtime.common.elf import bare_library

ABSENT = "libpython9.99.so.1.0"
SYSTEM_PYTHON = Path(f"/usr/bin/python{VERSION}")

BEFORE_AND_AFTER = """
import ctypes, sys
from voxgate.runtime.cameras.genicam.libpython import provide_libpython
try:
    ctypes.CDLL(sys.argv[1])
except OSError as error:
    print("before:", error)
provide_libpython(sys.argv[2])
provide_libpython(sys.argv[2])
ctypes.CDLL(sys.argv[1])
print("after: loaded")
"""

REFUSED = """
import os, sys
from voxgate.runtime.cameras.genicam import libpython
from voxgate.runtime.errors import CameraError
def refuse(name, flags):
    raise OSError(1, "Operation not permitted")
os.memfd_create = refuse
try:
    libpython.provide_libpython(sys.argv[1])
except CameraError as error:
    print(error)
else:
    print("provided")
"""

GENICAM = """
from voxgate.runtime.cameras.genicam.binding import Harvester, genapi
print(genapi.GenericException.__name__, Harvester.__name__)
print(sum("libpython" in line and "memfd" not in line for line in open("/proc/self/maps")))
"""


def child(*command: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run with this environment's packages for whatever Python is started."""
    path = [str(ROOT / "packaging"), *(entry for entry in sys.path if "site-packages" in entry)]
    return subprocess.run(
        list(map(str, command)),
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": ":".join(path), "PYTHONWARNINGS": "ignore", **environment},
    )


def test_a_library_that_asks_for_an_absent_libpython_stays_out(tmp_path: Path) -> None:
    wants = tmp_path / "libwants.so"
    wants.write_bytes(bare_library("libwants.so", platform.machine(), needed=(ABSENT,)))
    done = child(sys.executable, "-c", BEFORE_AND_AFTER, wants, ABSENT)
    assert f"before: {ABSENT}: cannot open shared object file" in done.stdout, done.stderr
    assert "after: loaded" in done.stdout, done.stderr


def test_where_no_stand_in_is_possible_nobody_says_what_to_type() -> None:
    done = child(sys.executable, "-c", REFUSED, ABSENT)
    assert "Operation not permitted" in done.stdout, done.stderr
    assert f"sudo apt-get install libpython{VERSION}" in done.stdout


def test_an_installed_libpython_is_overlooked_where_no_stand_in_is_possible(tmp_path: Path) -> None:
    (tmp_path / ABSENT).write_bytes(bare_library(ABSENT, platform.machine()))
    done = child(sys.executable, "-c", REFUSED, ABSENT, LD_LIBRARY_PATH=str(tmp_path))
    assert done.stdout == "provided\n", done.stderr


def test_genicam_brings_a_second_interpreter_into_the_process() -> None:
    """Whether the system has libpython's file or not; a shared Python is the library itself."""
    python = static_python()
    done = child(python, "-c", GENICAM)
    assert done.stdout.splitlines() == ["GenericException Harvester", "0"], done.stderr


@needs_mounts
def test_genicam_does_not_load_where_libpython_has_no_file() -> None:
    """The system's library hidden from a child: what a minimal Debian is."""
    python = static_python()
    files = [file for file in libraries() if file.exists()]
    hide = " && ".join(["true", *(f"mount --bind /dev/null {file.resolve()}" for file in files)])
    namespace = ("unshare", "--mount", "--propagation", "private", "sh", "-c")
    failed = child(*namespace, f"{hide} && exec {python} -c 'import genicam.genapi'")
    assert LIBPYTHON in failed.stderr
    done = child(*namespace, f"{hide} && exec {python} -c '{GENICAM}'")
    assert done.stdout.splitlines() == ["GenericException Harvester", "0"], done.stderr


def libraries() -> list[Path]:
    return [folder / LIBPYTHON for folder in Path("/usr/lib").glob("*-linux-gnu")]


def static_python() -> Path:
    """The system's interpreter of this very version; skips where there is none that is static."""
    if not SYSTEM_PYTHON.is_file():
        pytest.skip(f"needs {SYSTEM_PYTHON}: apt-get install python{VERSION}")
    loaded = "print(any('libpython' in line for line in open('/proc/self/maps')))"
    done = subprocess.run(
        [str(SYSTEM_PYTHON), "-c", loaded], capture_output=True, text=True, check=True
    )
    if done.stdout.strip() != "False":
        pytest.skip(f"{SYSTEM_PYTHON} is a shared library itself")
    return SYSTEM_PYTHON
