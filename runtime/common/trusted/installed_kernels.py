"""Kernels that were compiled when this version was installed: taken only as root left them.

numba unpickles what it compiled before, which runs code: whoever may write its cache runs in the
next start. So an installed version has its cache beside its code, made by systemd/install.sh, and
each process works on links to it in a folder of its own, which goes with the process. What had to
be compiled anew (another processor) is not kept.
"""

from __future__ import annotations

import atexit
import os
import shutil
import stat
import sys
import tempfile
from collections.abc import MutableMapping
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(sys.prefix) / "kernels"
VARIABLE = "NUMBA_CACHE_DIR"
ROOT = 0
OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


@dataclass(frozen=True, slots=True)
class Found:
    """Files of the cache, by whether only root may have written them."""

    taken: tuple[Path, ...]
    refused: tuple[Path, ...]


def use_installed(
    folder: Path = FOLDER, environ: MutableMapping[str, str] = os.environ
) -> Found | None:
    """Before numba is imported; None in a checkout or workstation, whose cache is its user's.

    Raises OSError where nothing may be written for a while.
    """
    if not folder.is_dir():
        return None
    found = look(folder)
    own = Path(tempfile.mkdtemp(prefix="voxgate-kernels-"))
    atexit.register(shutil.rmtree, own, ignore_errors=True)
    for file in found.taken:
        link = own / file.relative_to(folder)
        link.parent.mkdir(exist_ok=True)
        link.symlink_to(file)
    environ[VARIABLE] = str(own)
    return found


def look(folder: Path = FOLDER) -> Found:
    """What lies there: FOLDER / module / file, as numba has it."""
    taken: list[Path] = []
    refused: list[Path] = []
    for file in sorted(folder.glob("*/*")):
        places = (file, file.parent, folder)
        (taken if all(map(_is_roots, places)) else refused).append(file)
    return Found(tuple(taken), tuple(refused))


def _is_roots(path: Path) -> bool:
    """Neither a link nor another's, and nobody else may write it."""
    said = path.lstat()
    plain = stat.S_ISREG(said.st_mode) or stat.S_ISDIR(said.st_mode)
    return plain and said.st_uid == ROOT and not said.st_mode & OTHERS_WRITE
