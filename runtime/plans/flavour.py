"""Which TensorRT: the one of Jetsons and data centres, or the one for RTX cards in PCs.

They share their API, not their version numbers, and no plan of one loads in the other: so a module
is asked which it is, by its name.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

Name = Literal["tensorrt", "tensorrt-rtx"]
TENSORRT: Final = "tensorrt"
RTX: Final = "tensorrt-rtx"


@dataclass(frozen=True, slots=True)
class Flavour:
    """name: as a backend; modules: its Python module, by the names that it is installed under.

    library: what its name begins with; again: what to do where it is broken.
    speaks: (major, minor) of the TensorRT whose API it has; None: its own version's.
    """

    name: Name
    words: str
    short: str
    modules: tuple[str, ...]
    oldest: tuple[int, int]
    too_old: str
    install: str
    library: str
    again: str
    speaks: tuple[int, int] | None = None


FLAVOURS: dict[Name, Flavour] = {
    TENSORRT: Flavour(
        name=TENSORRT,
        words="TensorRT",
        short="trt",
        modules=("tensorrt",),
        oldest=(8, 6),  # 8.5 of JetPack 5 lacks what the engine is built and checked with
        too_old="8.6 (JetPack 6.0) is the oldest served: update JetPack",
        install="on a Jetson: apt-get install python3-libnvinfer and make the environment with "
        "--system-site-packages; on a PC: pip install tensorrt pycuda",
        library="libnvinfer.so",
        again="reinstall it, or take it from JetPack's packages; voxgate doctor",
    ),
    RTX: Flavour(
        name=RTX,
        words="TensorRT for RTX",
        short="rtx",
        modules=("tensorrt_rtx", "tensorrt_rtx_bindings"),
        oldest=(1, 7),
        too_old="1.7 is the oldest served: pip install --upgrade 'voxgate[rtx]'",
        install="on a PC with an RTX card: pip install 'voxgate[rtx]'; to build plans elsewhere: "
        "pip install 'voxgate[plans]'",
        library="libtensorrt_rtx.so",
        again="on a box: install.sh --with tensorrt-rtx again; elsewhere: pip install "
        "--force-reinstall 'voxgate[rtx]'",
        speaks=(11, 0),
    ),
}


@dataclass(frozen=True, slots=True)
class Edition:
    """One TensorRT, as plans are bound to it."""

    flavour: Name
    version: str

    @classmethod
    def of(cls, tensorrt: Any) -> Edition:
        """Of the module."""
        return cls(flavour_of(tensorrt).name, str(tensorrt.__version__))

    @property
    def backend(self) -> str:
        """As verdicts and metrics name it, e.g. tensorrt-rtx-1.7.1.116."""
        return f"{self.flavour}-{self.version}"

    @property
    def short(self) -> str:
        """As files are named, e.g. rtx1.7.1.116."""
        return f"{FLAVOURS[self.flavour].short}{self.version}"

    def __str__(self) -> str:
        return f"{FLAVOURS[self.flavour].words} {self.version}"


def flavour_of(tensorrt: Any) -> Flavour:
    """Which one this module is."""
    return next(row for row in FLAVOURS.values() if tensorrt.__name__ in row.modules)


def api_of(tensorrt: Any) -> tuple[int, int]:
    """(major, minor) of the TensorRT whose names and rules this module has."""
    return flavour_of(tensorrt).speaks or version_of(tensorrt)


def version_of(tensorrt: Any) -> tuple[int, int]:
    """(major, minor) of its own."""
    major, minor = str(tensorrt.__version__).split(".")[:2]
    return int(major), int(minor)
