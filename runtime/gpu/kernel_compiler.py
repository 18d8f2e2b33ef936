"""CUDA source to a cubin for one kind of GPU: by NVRTC, or by nvcc where that is missing.

Neither needs a GPU or a driver. NVRTC comes with CUDA and JetPack, and as the wheel
nvidia-cuda-nvrtc.
"""

from __future__ import annotations

import ctypes
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from shutil import which

from voxgate.runtime.errors import EngineError

INSTALL = "pip install nvidia-cuda-nvrtc, or apt-get install cuda-nvrtc-12-6 on JetPack 6"
# products and sums rounded one after the other, as the CPU's kernels do
SAME_NUMBERS = "-fmad=false"
_VERSIONS = (13, 12, 11)  # CUDA majors that have served sm_80 and newer
_TIMEOUT_S = 120


def compile_cubin(source: bytes, name: str, sm: int) -> bytes:
    """Machine code for `sm` (87 is Orin). Raises EngineError with the compiler's words."""
    compiler = find_compiler()
    return compiler(source, name, sm)


def find_compiler() -> Callable[[bytes, str, int], bytes]:
    """NVRTC if it loads, otherwise nvcc. Raises EngineError that says what to install."""
    library = load_nvrtc()
    if library is not None:
        return Nvrtc(library).compile
    nvcc = which("nvcc") or which("nvcc", path="/usr/local/cuda/bin")
    if nvcc is not None:
        return Nvcc(nvcc).compile
    raise EngineError(f"no compiler for GPU kernels is here: {INSTALL}")


def load_nvrtc() -> ctypes.CDLL | None:
    """The newest NVRTC that the wheels, the system or /usr/local/cuda have."""
    loaded = (_loaded(candidate) for candidate in _candidates())
    return next((library for library in loaded if library is not None), None)


def _loaded(name: str) -> ctypes.CDLL | None:
    try:
        return ctypes.CDLL(name)
    except OSError:
        return None


def _candidates() -> Iterator[str]:
    for version in _VERSIONS:
        name = f"libnvrtc.so.{version}" + (".2" if version == 11 else "")
        for folder in sys.path:
            yield from (str(path) for path in Path(folder).glob(f"nvidia/*/lib/{name}"))
        yield name
        yield f"/usr/local/cuda/lib64/{name}"


class Nvrtc:
    """The few calls of NVRTC's C interface that one compilation takes."""

    def __init__(self, library: ctypes.CDLL) -> None:
        self._library = library
        library.nvrtcGetErrorString.restype = ctypes.c_char_p

    def compile(self, source: bytes, name: str, sm: int) -> bytes:
        """A cubin. Raises EngineError with the first lines of the compiler's log."""
        program = ctypes.c_void_p()
        self._check(
            self._library.nvrtcCreateProgram(
                ctypes.byref(program), source, name.encode(), 0, None, None
            )
        )
        try:
            options = [f"--gpu-architecture=sm_{sm}".encode(), b"-" + SAME_NUMBERS.encode()]
            array = (ctypes.c_char_p * len(options))(*options)
            if self._library.nvrtcCompileProgram(program, len(options), array):
                log = self._text(program, "ProgramLog").decode(errors="replace")
                raise EngineError(f"{name} does not compile for sm_{sm}: {_first_lines(log)}")
            return self._text(program, "CUBIN")
        finally:
            self._library.nvrtcDestroyProgram(ctypes.byref(program))

    def _text(self, program: ctypes.c_void_p, what: str) -> bytes:
        size = ctypes.c_size_t()
        self._check(self._library[f"nvrtcGet{what}Size"](program, ctypes.byref(size)))
        buffer = ctypes.create_string_buffer(size.value)
        self._check(self._library[f"nvrtcGet{what}"](program, buffer))
        return buffer.raw

    def _check(self, status: int) -> None:
        if status:
            words = self._library.nvrtcGetErrorString(status).decode()
            raise EngineError(f"NVRTC: {words}")


class Nvcc:
    """The compiler of the CUDA toolkit."""

    def __init__(self, path: str) -> None:
        self._path = path

    def compile(self, source: bytes, name: str, sm: int) -> bytes:
        """A cubin. Raises EngineError with the first lines that nvcc wrote."""
        with tempfile.TemporaryDirectory() as folder:
            given, made = Path(folder) / name, Path(folder) / "out.cubin"
            given.write_bytes(source)
            command: list[str | Path] = [self._path, "-cubin", f"-arch=sm_{sm}", SAME_NUMBERS]
            command += ["-o", made, given]
            try:
                done = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT_S)
            except (OSError, subprocess.TimeoutExpired) as error:
                raise EngineError(f"{self._path}: {error}") from error
            if done.returncode:
                raise EngineError(
                    f"{name} does not compile for sm_{sm}: {_first_lines(done.stderr)}"
                )
            return made.read_bytes()


def _first_lines(log: str) -> str:
    return " ".join(log.strip("\0").split())[:300]
