"""The GPU kernels' own source, compiled for this machine's processor, behind ctypes."""

from __future__ import annotations

import ctypes
import hashlib
import os
import subprocess
from functools import cache
from pathlib import Path
from shutil import which

import numpy as np
import numpy.typing as npt
import pytest

from tests.kits.repository import ROOT
from voxgate.runtime.gpu.launch import SOURCE

SOURCE_FILE = ROOT / "runtime" / "gpu" / SOURCE
# the same rounding as -fmad=false on the GPU; warnings of a second compiler are free advice
FLAGS = ("-std=c++17", "-O2", "-ffp-contract=off", "-Wall", "-Wextra", "-Werror", "-fPIC")


class HostKernels:
    """Runs a kernel's threads one after the other, in the order that is asked for."""

    def __init__(self, library: ctypes.CDLL) -> None:
        self._library = library

    @property
    def launch_bytes(self) -> int:
        """sizeof(Launch) as the compiler sees it."""
        return int(self._library.launch_bytes())

    def run(self, kernel: str, launch: npt.NDArray[np.uint8], order: npt.NDArray[np.int32]) -> None:
        """Run the threads `order` of `kernel`; ctypes releases the GIL meanwhile."""
        function = self._library[f"host_{kernel}"]
        function(
            ctypes.c_void_p(launch.ctypes.data), ctypes.c_void_p(order.ctypes.data), order.size
        )


def compiler() -> str | None:
    """A C++ compiler of this machine."""
    return which("g++") or which("c++") or which("clang++")


@cache
def host_kernels() -> HostKernels:
    """Compiled when they changed; skips the test where no C++ compiler is."""
    return HostKernels(ctypes.CDLL(str(compiled((SOURCE_FILE,), "kernels"))))


def compiled(sources: tuple[Path, ...], name: str, *flags: str) -> Path:
    """A shared library of C++ sources, kept in out/; skips the test where no C++ compiler is."""
    found = compiler()
    if found is None:
        pytest.skip("no C++ compiler is here; type: apt-get install g++")
    command = [found, "-x", "c++", *FLAGS, "-shared", *map(str, sources), *flags]
    made = ROOT / "out" / "kernels" / _key(command, sources) / f"lib{name}.so"
    if not made.is_file():
        made.parent.mkdir(parents=True, exist_ok=True)
        unfinished = made.with_name(f"{made.name}.{os.getpid()}")
        subprocess.run([*command, "-o", str(unfinished)], check=True)
        unfinished.replace(made)  # two processes at once: the last one wins, both are whole
    return made


def _key(command: list[str], sources: tuple[Path, ...]) -> str:
    digest = hashlib.sha256(" ".join(command).encode())
    digest.update(str(Path(command[0]).resolve().stat().st_mtime_ns).encode())
    for source in (SOURCE_FILE, *sources):  # the others may include it
        digest.update(source.read_bytes())
    return digest.hexdigest()[:12]
