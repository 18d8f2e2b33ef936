"""TensorRT's Python module, imported when it is needed, and its log in ours."""

from __future__ import annotations

import importlib
import logging
import sys
import threading
from collections import deque
from functools import cache
from typing import Any

from voxgate.runtime.common.text import one_line
from voxgate.runtime.engines.tensorrt_remedies import explain
from voxgate.runtime.errors import EngineError

INSTALL = (
    "on a Jetson: apt-get install python3-libnvinfer and make the environment with "
    "--system-site-packages; on a PC: pip install tensorrt pycuda"
)
OLDEST = (8, 6)  # 8.5 of JetPack 5 lacks what the engine is built and checked with
KEPT_LINES = 20

log = logging.getLogger("voxgate.tensorrt")


class TensorRTMissing(EngineError):
    """TensorRT is not installed at all, which is different from one that is broken."""


def load_tensorrt() -> Any:
    """The module. Raises TensorRTMissing, or EngineError for one that is there but broken."""
    try:
        module = importlib.import_module("tensorrt")
    except ModuleNotFoundError as error:
        if error.name == "tensorrt":
            raise TensorRTMissing(f"TensorRT is not installed; {INSTALL}") from error
        raise _broken(error) from error
    except (ImportError, OSError) as error:  # its libraries are loaded as it is imported
        raise _broken(error) from error
    if not hasattr(module, "__version__") or not hasattr(module, "Runtime"):
        raise EngineError(f"the module tensorrt in {_place(module)} is not TensorRT; {INSTALL}")
    if version_of(module) < OLDEST:
        raise EngineError(
            f"TensorRT {module.__version__} is too old, 8.6 (JetPack 6.0) is the oldest served: "
            "update JetPack"
        )
    return module


def version_of(tensorrt: Any) -> tuple[int, int]:
    """(major, minor)."""
    major, minor = str(tensorrt.__version__).split(".")[:2]
    return int(major), int(minor)


class Said:
    """What TensorRT said last, from whichever of its threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lines: deque[str] = deque(maxlen=KEPT_LINES)

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
            if level > logging.NOTSET:
                log.log(level, "%s", one_line(str(msg), most=None))

    return Logger(), said


def _broken(error: BaseException) -> EngineError:
    words = one_line(error)
    known = explain([words], "reinstall it, or take it from JetPack's packages; voxgate doctor")
    return EngineError(f"TensorRT is installed but does not load: {known}")


def _place(module: Any) -> str:
    return getattr(module, "__file__", None) or str(sys.path[0])
