"""genicam's libraries ask for libpython by name; most interpreters are it, but not by that name.

The Pythons of Debian, Ubuntu, JetPack, uv and conda hold libpython inside the executable and export
its symbols; the file of that name is another package. Loading that file would bring a second,
unused interpreter into the process. A library that has the name and nothing else is enough: the
loader takes whatever is loaded under a name for it, and finds the symbols in the executable.
"""

from __future__ import annotations

import ctypes
import os
import platform
import sys

from voxgate.runtime.common.elf import bare_library
from voxgate.runtime.errors import CameraError

VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"
LIBPYTHON = f"libpython{VERSION}.so.1.0"
INSTALL = f"sudo apt-get install libpython{VERSION}"


def provide_libpython(name: str = LIBPYTHON) -> None:
    """Let libraries that ask for `name` load. Does nothing where it is loaded already.

    Raises CameraError with the line to type where neither a stand-in nor the library itself loads.
    """
    if is_loaded(name):
        return  # a Python built with a shared library: it is this very interpreter
    if not hasattr(ctypes.pythonapi, "PyModule_Create2"):
        raise CameraError(
            f"{sys.executable} hides its symbols from libraries, so no camera library loads: make "
            "the virtual environment with another Python, e.g. /usr/bin/python3 -m venv"
        )
    try:
        _stand_in(name)
    except (OSError, ValueError) as error:
        _load_itself(name, error)


def is_loaded(name: str) -> bool:
    """Whether the dynamic loader of this process would take a loaded library for `name`."""
    try:
        ctypes.CDLL(name, mode=os.RTLD_NOLOAD)
    except OSError:
        return False
    return True


def _stand_in(name: str) -> None:
    """Raises OSError where the system gives no memory file, or its loader goes by file names."""
    fd = os.memfd_create(name, os.MFD_CLOEXEC)
    try:
        os.write(fd, bare_library(name, platform.machine()))
        ctypes.CDLL(f"/proc/self/fd/{fd}")  # never unloaded: ctypes keeps what it opened
    finally:
        os.close(fd)
    if not is_loaded(name):
        raise OSError("the loader does not know it by its name")


def _load_itself(name: str, why: Exception) -> None:
    """The file, where it is installed: its symbols stay unused, as the executable's come first."""
    try:
        ctypes.CDLL(name)
    except OSError as error:
        raise CameraError(
            f"GenICam cameras need {name}, which is missing, and cannot be stood in for ({why}): "
            f"{INSTALL}"
        ) from error
