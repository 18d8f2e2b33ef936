"""One command makes the producer: the system's C compiler over the sources of `producer/`.

cd sim/gentl/producer
cc -O2 -std=gnu11 -shared -fPIC -fvisibility=hidden *.c -o voxgate.cti -pthread -lm
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from voxgate.runtime.errors import VoxGateError

SOURCES = Path(__file__).parent / "producer"
NAME = "voxgate.cti"
FLAGS = ("-O2", "-std=gnu11", "-shared", "-fPIC", "-fvisibility=hidden")
LIBRARIES = ("-pthread", "-lm")
BUILD_S = 120.0  # some 5 s; an emulated processor wants minutes


def compiler() -> str | None:
    """The system's C compiler, `CC` first; None where there is none."""
    for name in (os.environ.get("CC"), "cc", "gcc", "clang"):
        if name and (found := shutil.which(name)):
            return found
    return None


def build(folder: Path, extra: Sequence[str] = (), most_s: float = BUILD_S) -> Path:
    """The producer in `folder`, compiled unless the same sources were by the same compiler.

    most_s: that the compiler may take. Returns the absolute path of the .cti. Raises VoxGateError
    without a compiler, with its first line of complaint, or when it takes too long.
    """
    found = compiler()
    if found is None:
        raise VoxGateError("no C compiler: apt-get install gcc libc6-dev, or set CC")
    flags = [*FLAGS, *extra]
    made = folder.resolve() / _key(found, flags) / NAME
    if made.is_file():
        return made
    made.parent.mkdir(parents=True, exist_ok=True)
    unfinished = made.with_name(f"{NAME}.{os.getpid()}")
    sources = sorted(file.name for file in SOURCES.glob("*.c"))
    # in the sources' folder: the descriptions are embedded by name
    command = [found, *flags, *sources, "-o", str(unfinished), *LIBRARIES]
    try:
        done = subprocess.run(
            command, cwd=SOURCES, capture_output=True, text=True, timeout=most_s, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise VoxGateError(
            f"{found} took more than {most_s:g} s to compile the producer: is this machine busy? "
            "try again, with `voxgate camera build --most-s`, or set CC to another compiler"
        ) from error
    if done.returncode != 0:
        lines = [line for line in done.stderr.splitlines() if "error" in line] or [done.stderr]
        raise VoxGateError(f"{found} cannot compile the producer: {lines[0][:300]}")
    unfinished.replace(made)  # two builders at once: the last one wins, both are whole
    return made


def _key(compiler_path: str, flags: Sequence[str]) -> str:
    digest = hashlib.sha256(" ".join([compiler_path, *flags]).encode())
    for file in sorted(SOURCES.iterdir()):
        if file.suffix in (".c", ".h", ".xml"):
            digest.update(file.name.encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()[:12]
