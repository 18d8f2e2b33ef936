"""TensorRT's Python module, of either flavour, imported when it is needed; its log in ours."""

from __future__ import annotations

import ctypes
import importlib
import logging
import re
import sys
import threading
from collections import deque
from functools import cache
from pathlib import Path
from typing import Any

from voxgate.runtime.common.text import one_line
from voxgate.runtime.engines.tensorrt_remedies import explain
from voxgate.runtime.errors import EngineError
from voxgate.runtime.plans.flavour import (
    FLAVOURS,
    TENSORRT,
    Edition,
    Flavour,
    Name,
    flavour_of,
    version_of,
)

KEPT_LINES = 20
PIECES = ("Major", "Minor", "Patch")
SCRATCH = re.compile(r"Total Activation Memory: (\d+)")

log = logging.getLogger("voxgate.tensorrt")


class TensorRTMissing(EngineError):
    """TensorRT is not installed at all, which is different from one that is broken."""


def load_tensorrt(name: Name = TENSORRT) -> Any:
    """The module of this flavour.

    Raises TensorRTMissing, or EngineError for one that is there but broken.
    """
    flavour = FLAVOURS[name]
    module = _imported(flavour)
    if not hasattr(module, "__version__") or not hasattr(module, "Runtime"):
        raise EngineError(
            f"the module {module.__name__} in {_place(module)} is not {flavour.words}; "
            f"{flavour.install}"
        )
    if version_of(module) < flavour.oldest:
        raise EngineError(f"{Edition.of(module)} is too old, {flavour.too_old}")
    _check_library(flavour, module)
    return module


def installed(name: Name) -> bool:
    """Whether this flavour is here and whole. Raises EngineError for one that is broken."""
    try:
        load_tensorrt(name)
    except TensorRTMissing:
        return False
    return True


def the_installed() -> Name:
    """Name of the one flavour that is here. Raises EngineError for none or both."""
    here = [name for name in FLAVOURS if installed(name)]
    if len(here) > 1:
        raise EngineError(f"{' and '.join(here)} are installed: say which, by --flavour")
    if not here:
        ways = "; ".join(row.install for row in FLAVOURS.values())
        raise TensorRTMissing(f"TensorRT is not installed; {ways}")
    return here[0]


def _imported(flavour: Flavour) -> Any:
    tried = (_module(flavour, name) for name in flavour.modules)
    found = next((module for module in tried if module is not None), None)
    if found is None:
        raise TensorRTMissing(f"{flavour.words} is not installed; {flavour.install}")
    return found


def _module(flavour: Flavour, name: str) -> Any:
    """None where there is none of this name."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name:
            raise _broken(flavour, error) from error
        return None
    except (ImportError, OSError) as error:  # its libraries are loaded as it is imported
        raise _broken(flavour, error) from error


def _check_library(flavour: Flavour, module: Any) -> None:
    """Raises EngineError where module and library are of two versions: all starts, and plans are
    labelled by the one and bound to the other."""
    found = _library(flavour.library)
    pieces = [getattr(found, f"getInferLib{each}Version", None) for each in PIECES]
    if None in pieces:  # not loaded, or an old one, which does not tell
        return
    library = ".".join(str(piece()) for piece in pieces if piece is not None)
    if not f"{module.__version__}.".startswith(f"{library}."):
        raise EngineError(
            f"{Edition.of(module)} is a Python module beside a library of {library} "
            f"({found._name}): {flavour.again}"
        )


def _library(name: str) -> Any:
    """The one that this process has loaded; None where it has not."""
    lines = Path("/proc/self/maps").read_text(encoding="utf-8", errors="replace").splitlines()
    paths = (line.split(maxsplit=5)[-1] for line in lines if name in line)
    path = next((each for each in paths if Path(each).name.startswith(name)), None)
    return None if path is None else ctypes.CDLL(path)


class Said:
    """What TensorRT said last, from whichever of its threads.

    scratch_bytes: that a run of the plan built last takes beside its weights; told in its log, and
    else by a loaded plan alone, which takes a GPU.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lines: deque[str] = deque(maxlen=KEPT_LINES)
        self.scratch_bytes: int | None = None

    def hear(self, line: str) -> None:
        """What is no error."""
        if found := SCRATCH.match(line):
            self.scratch_bytes = int(found[1])

    def add(self, line: str) -> None:
        with self._lock:
            self._lines.append(line)

    def take(self) -> list[str]:
        """Its errors since the last call, oldest first."""
        with self._lock:
            lines = list(self._lines)
            self._lines.clear()
        return lines

    def error(self, what: str, otherwise: str) -> EngineError:
        """That `what` failed, with TensorRT's own reason and what to do."""
        return EngineError(f"{what}: {explain(self.take(), otherwise)}")


def made(what: str, said: Said, otherwise: str, factory: Any, *arguments: Any) -> Any:
    """What `factory` makes. TensorRT's factories give None, and its constructors raise TypeError
    where the library gave a null pointer; both become one EngineError with TensorRT's words.
    """
    try:
        thing = factory(*arguments)
    except (TypeError, RuntimeError) as error:
        said.add(str(error))
        raise said.error(what, otherwise) from error
    if thing is None:
        raise said.error(what, otherwise)
    return thing


def check_start(tensorrt: Any) -> None:
    """Raises EngineError for a module that imports and of which nothing starts."""
    logger, said = logger_of(tensorrt)
    said.take()
    again = flavour_of(tensorrt).again
    made(f"{Edition.of(tensorrt)} does not start", said, again, tensorrt.Runtime, logger)


@cache
def logger_of(tensorrt: Any) -> tuple[Any, Said]:
    """The one logger of this process: TensorRT ignores a second one."""
    severity = tensorrt.ILogger.Severity
    levels = {
        severity.INTERNAL_ERROR: logging.ERROR,
        severity.ERROR: logging.ERROR,
        severity.WARNING: logging.WARNING,
        severity.INFO: logging.DEBUG,  # some hundred lines per build
        severity.VERBOSE: logging.NOTSET,
    }
    said = Said()

    class Logger(tensorrt.ILogger):  # type: ignore[misc, name-defined, unused-ignore]
        def __init__(self) -> None:
            tensorrt.ILogger.__init__(self)

        def log(self, severity: Any, msg: str) -> None:
            level = levels.get(severity, logging.ERROR)
            if level >= logging.ERROR:
                said.add(msg)
            else:
                said.hear(msg)
            if level > logging.NOTSET:
                log.log(level, "%s", one_line(str(msg), most=None))

    return Logger(), said


def _broken(flavour: Flavour, error: BaseException) -> EngineError:
    words = one_line(error)
    known = explain([words], flavour.again)
    return EngineError(f"{flavour.words} is installed but does not load: {known}")


def _place(module: Any) -> str:
    return getattr(module, "__file__", None) or str(sys.path[0])
