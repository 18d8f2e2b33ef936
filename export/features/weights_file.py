"""Files of weights, read without running what is hidden in them; what is none is named."""

from __future__ import annotations

import pickle  # noqa: TID251 - only the class of the error that a refused file raises
import struct
import zlib
from pathlib import Path
from typing import Any
from warnings import catch_warnings, simplefilter
from zipfile import BadZipFile, ZipFile

import torch
from safetensors import SafetensorError

from voxgate.export.features.stand_ins import stand_ins
from voxgate.runtime.common.text import one_line
from voxgate.runtime.errors import EngineError

HEAD_BYTES = 512
NOT_WEIGHTS = (b"version https://git-lfs", b"<")
ARCHIVE, PICKLE, PACKED = b"PK\3\4", b"\x80", b"\x1f\x8b"  # how a file of torch, old or new, begins
LEGACY_TAR, TAR_AT = b"ustar", 257
MAX_NAMES_BYTES = 100_000_000  # of a safetensors file; its own limit
CONVERT = (
    'where it was made, and without a network, type: python -c "import torch; '
    "c = torch.load('{name}', weights_only=False, map_location='cpu'); "
    "a = c if isinstance(c, dict) else {{'it': c}}; "
    "s = [v.state_dict() for v in a.values() if isinstance(v, torch.nn.Module)]; "
    "s += [v for v in a.values() if isinstance(v, dict)] + [a]; "
    "s = [{{k: t for k, t in v.items() if isinstance(t, torch.Tensor)}} for v in s]; "
    "torch.save(next(v for v in s if v), 'weights.pth')\", and use weights.pth"
)
# what the readers of numpy, torch and zip raise for a file that is cut, changed or something else
UNREADABLE = (
    RuntimeError, EOFError, BadZipFile, ValueError, LookupError, OSError, TypeError, AttributeError,
    AssertionError, ArithmeticError, struct.error, zlib.error,
)  # fmt: skip


def read_content(path: Path, what: str, convert: str = CONVERT) -> Any:
    """What torch.save or safetensors wrote; classes of no concern are records (`stand_ins`).

    convert: what to type where the file must run code to be read. Raises EngineError.
    """
    try:
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
    except OSError as error:
        raise EngineError(f"{path}: {error.strerror}: name a file with {what}") from error
    _check_kind(path, head, what)
    try:
        return _read(path, is_safetensors=_is_safetensors(head))
    except pickle.UnpicklingError as error:
        raise EngineError(
            f"{path}: holds more than tensors ({_unsafe(error)}), and what it holds could run as "
            f"code: {convert.format(name=path.name)}"
        ) from error
    except (*UNREADABLE, SafetensorError) as error:
        raise EngineError(f"{path}: is damaged or not {what}: {one_line(error)}") from error


def _check_kind(path: Path, head: bytes, what: str) -> None:
    """Raises EngineError for what no library of weights wrote, and for what was packed afterwards
    or holds a program."""
    if head.lstrip().startswith(NOT_WEIGHTS):
        raise EngineError(f"{path}: is a pointer or a web page, not {what}: fetch the file itself")
    if head.startswith(PACKED) or head[TAR_AT:].startswith(LEGACY_TAR):
        raise EngineError(f"{path}: is packed: unpack it, and name the file of {what} in it")
    if not head.startswith((ARCHIVE, PICKLE)) and not _is_safetensors(head):
        raise EngineError(f"{path}: is damaged or not {what}: fetch the file again")
    if head.startswith(ARCHIVE):
        _check_archive(path, what)


def _check_archive(path: Path, what: str) -> None:
    """torch itself reads over bytes that have changed."""
    try:
        with ZipFile(path) as archive:
            names = archive.namelist()
            changed = archive.testzip()
    except (*UNREADABLE, NotImplementedError) as error:
        raise EngineError(f"{path}: is damaged or not {what}: {one_line(error)}") from error
    if changed is not None:
        raise EngineError(f"{path}: is damaged: {changed} has changed: fetch the file again")
    if any(name.endswith("/constants.pkl") for name in names):
        raise EngineError(
            f'{path}: is TorchScript, a program: where it was made, type: python -c "import torch; '
            f"torch.save(torch.jit.load('{path.name}').state_dict(), 'weights.pth')\", and use "
            "weights.pth"
        )


def _is_safetensors(head: bytes) -> bool:
    """By its content: people call such a file .bin or .pth too."""
    return head[8:9] == b"{" and int.from_bytes(head[:8], "little") <= MAX_NAMES_BYTES


def _read(path: Path, *, is_safetensors: bool) -> Any:
    if is_safetensors:
        from safetensors.torch import load_file

        return load_file(path)
    known = _harmless()
    names = {f"{each.__module__}.{each.__qualname__}" for each in known}
    with torch.serialization.safe_globals([*known, *stand_ins(path, names)]), catch_warnings():
        simplefilter("ignore")  # of pickles and tensors of older releases
        with path.open("rb") as file:  # of a name torch would believe the ending
            return torch.load(file, map_location="cpu", weights_only=True)


def _harmless() -> list[Any]:
    """Plain containers of layers and words: what published checkpoints hold beside tensors."""
    layers = torch.nn
    found: list[Any] = [
        layers.Sequential, layers.Conv2d, layers.ReLU, layers.AvgPool2d, layers.Upsample,
        layers.Dropout, layers.LeakyReLU, layers.BatchNorm2d,
    ]  # fmt: skip
    try:
        from anomalib import PrecisionType
        from anomalib.models.image.efficient_ad.torch_model import EfficientAdModelSize
        from anomalib.models.image.reverse_distillation.anomaly_map import AnomalyMapGenerationMode
    except ImportError:
        return found
    return [*found, PrecisionType, EfficientAdModelSize, AnomalyMapGenerationMode]


def _unsafe(error: Exception) -> str:
    """The class that torch refused, out of its many words."""
    words = str(error).split("GLOBAL ", 1)
    return words[1].split()[0] if len(words) > 1 else "a pickled object"
