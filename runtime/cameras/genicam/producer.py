"""A GenTL producer (.cti) and the environment it is loaded in, looked at before it is trusted."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path
from typing import Any

from voxgate.runtime.cameras.genicam.nodes import GENICAM_ERRORS
from voxgate.runtime.errors import CameraError


def check_producer(cti: str) -> None:
    """Raises CameraError unless `cti` is a GenTL producer that loads in this process.

    harvesters takes a missing file for zero cameras and crashes on another kind of library.
    """
    path = Path(cti)
    if not path.is_absolute() or not path.is_file():
        raise CameraError(f"GenTL producer {cti} is no file with an absolute path: correct cti")
    try:
        library = ctypes.CDLL(str(path))
    except OSError as e:
        raise CameraError(f"GenTL producer {cti} does not load on this machine: {e}") from e
    if not hasattr(library, "GCInitLib"):
        raise CameraError(f"{cti} is a library but no GenTL producer (no GCInitLib): correct cti")


def forget_cache_variables() -> None:
    """With a GenICam cache, a process killed at the wrong time blocks all others for ever."""
    for name in [name for name in os.environ if name.startswith("GENICAM_CACHE")]:
        del os.environ[name]


def gives(module: Any, name: str) -> bool:
    """Whether a producer answers this question; the standard leaves many of them open."""
    try:
        getattr(module, name)
    except GENICAM_ERRORS:
        return False
    return True
