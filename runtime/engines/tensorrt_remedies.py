"""What TensorRT writes when something fails, and what to type then."""

from __future__ import annotations

import re
from collections.abc import Sequence

REBUILD = "type: voxgate build RECIPE, on this machine"
_RULES: tuple[tuple[str, str], ...] = (
    (
        r"version tag does not match|stdVersionRead == serializationVersion|kSERIALIZATION_VERSION",
        "the plan was built by another TensorRT; " + REBUILD + " (two TensorRTs on the path? "
        "voxgate doctor names the one that is used)",
    ),
    (
        r"magic tag does not match|kMAGIC_TAG|kPLAN_MAGIC_TAG",
        "this file is no plan, or one of another platform (an ONNX file? cut off while copied?); "
        + REBUILD,
    ),
    (
        r"safeVersionRead == safeSerializationVersion",
        "the plan was built by a very different TensorRT; " + REBUILD,
    ),
    (
        r"generated on an incompatible device",
        "the plan was built for another GPU; " + REBUILD,
    ),
    (
        r"plugin not found|IPluginCreator not found|could not find plugin",
        "the model has an operator that this TensorRT does not build: export the recipe again; "
        "its graph is checked there",
    ),
    (
        r"static dimension mismatch|does not satisfy any optimization profile|engineDims\.d",
        "the picture has another size than the model: export the recipe for this camera",
    ),
    (
        r"only supports symmetric quantization|only activation types allowed",
        "the model is quantised in a way TensorRT does not build: export it with "
        "--precision int8 by voxgate export",
    ),
    (
        r"invalid resource handle|error code 400|invalid argument.*stream",
        "TensorRT and pycuda work in different contexts: remove `import pycuda.autoinit`",
    ),
    (
        r"out of ?memory|OutOfMemory|failed_allocation",
        "the GPU's memory is full: stop other programs, or build with a smaller --workspace-mb",
    ),
    (
        r"could not find any implementation for node",
        "no kernel fits: give more memory by --workspace-mb, and type voxgate build RECIPE again",
    ),
    (
        r"insufficient driver|cuda initialization failure|unable to load.*nvcuda",
        "the NVIDIA driver does not fit this CUDA; type: voxgate doctor",
    ),
    (
        r"libnvdla_compiler",
        "a library of JetPack is missing in this container: mount it, or run on the host",
    ),
)
_REMEDIES = tuple((re.compile(pattern, re.IGNORECASE), remedy) for pattern, remedy in _RULES)
# says nothing of its own: it always follows the real cause
_ECHO = re.compile(r"Engine deserialization failed", re.IGNORECASE)
_LONGEST = 240


def explain(said: Sequence[str], otherwise: str) -> str:
    """The first cause in what TensorRT said, with its remedy; `otherwise` when it said nothing."""
    causes = [line for line in said if not _ECHO.search(line)] or list(said)
    for line in causes:
        found = remedy(line)
        if found is not None:
            return f"{_short(line)}: {found}"
    return f"{_short(causes[0])}: {otherwise}" if causes else otherwise


def remedy(line: str) -> str | None:
    """What to do about one line of TensorRT's log; None for a line that is not known."""
    for pattern, words in _REMEDIES:
        if pattern.search(line):
            return words
    return None


def _short(line: str) -> str:
    return " ".join(line.split())[:_LONGEST]
