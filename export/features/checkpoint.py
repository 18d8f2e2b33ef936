"""Read what others trained: weights without running code that is hidden in the file."""

from __future__ import annotations

import hashlib
import pickle  # noqa: TID251 - only the class of the error that a refused file raises
import struct
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import torch
from safetensors import SafetensorError

from voxgate.export.features.stand_ins import stand_ins
from voxgate.runtime.common.text import one_line
from voxgate.runtime.errors import EngineError

BLOCK_BYTES = 1 << 20
LISTED = 3  # layers named in a message; the rest is counted
WRAPPERS = ("state_dict", "model_state_dict", "model", "net", "teacher", "student")
PREFIXES = ("module.", "_orig_mod.")  # of DataParallel and of torch.compile
UNNAMED = ("num_batches_tracked", "total_ops", "total_params", "n_averaged")
"""What training and counting leave among the layers, and no score depends on."""
NOT_WEIGHTS = (b"version https://git-lfs", b"<!DOCTYPE", b"<html")
CONVERT = (
    'where it was made, and without a network, type: python -c "import torch; '
    "m = torch.load('{name}', weights_only=False, map_location='cpu'); "
    "a = m.values() if isinstance(m, dict) else [m]; "
    "m = next(v for v in a if isinstance(v, torch.nn.Module)); "
    "torch.save(m.state_dict(), 'weights.pth')\", and use weights.pth"
)

State = dict[str, torch.Tensor]

# what the readers of numpy, torch and zip raise for a file that is cut, changed or something else
UNREADABLE = (
    RuntimeError, EOFError, BadZipFile, ValueError, LookupError, OSError, TypeError, AttributeError,
    AssertionError, ArithmeticError, struct.error, zlib.error,
)  # fmt: skip


def load_weights(path: Path, what: str) -> State:
    """Name -> tensor from .pth, .pt, .ckpt or .safetensors; usual wrappers are taken off, and what
    was stored as half or bfloat16 is float32.

    Raises EngineError: no such file, truncated, not weights, or holding code.
    """
    content = read_content(path, what)
    if isinstance(content, torch.nn.Module):
        content = content.state_dict()
    for key in WRAPPERS:
        inner = content.get(key) if isinstance(content, Mapping) else None
        if isinstance(inner, Mapping) and inner:
            content = inner
            break
    if not isinstance(content, Mapping):
        raise EngineError(f"{path}: holds {type(content).__name__}, not the layers of {what}")
    state = unwrapped(content)
    if not state:
        raise EngineError(f"{path}: holds no tensors: is it {what}?")
    return state


def unwrapped(content: Mapping[Any, Any]) -> State:
    """The tensors among it, without the names that a wrapper of training put before theirs."""
    tensors = {str(k): v for k, v in content.items() if isinstance(v, torch.Tensor)}
    return {_bare(name): _single(tensor) for name, tensor in tensors.items()}


def _bare(name: str) -> str:
    while name.startswith(PREFIXES):
        name = name.partition(".")[2]
    return name.replace("._orig_mod.", ".")


def _single(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.float() if tensor.is_floating_point() else tensor


def load_state(module: torch.nn.Module, state: Mapping[str, torch.Tensor], path: Path) -> None:
    """Fill every layer of `module`. Raises EngineError that names the layers that do not fit."""
    own = module.state_dict()
    missing = [n for n in own if n not in state and not n.endswith(UNNAMED)]
    unknown = [name for name in state if name not in own and not name.endswith(UNNAMED)]
    shapes = [
        f"{name} {tuple(state[name].shape)} for {tuple(own[name].shape)}"
        for name in own
        if name in state and own[name].shape != state[name].shape
    ]
    for problem, layers in (("lacks", missing), ("has unknown", unknown), ("has", shapes)):
        if layers:
            raise EngineError(
                f"{path}: {problem} {_listed(layers)}: these are weights of another model or size"
            )
    module.load_state_dict(dict(state), strict=False)


def sha256_of(path: Path) -> str:
    """Hex digest of a file of any size."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()


def read_content(path: Path, what: str, convert: str = CONVERT) -> Any:
    """What torch.save or safetensors wrote; classes of no concern are records (`stand_ins`).

    convert: what to type where the file must run code to be read. Raises EngineError.
    """
    try:
        with path.open("rb") as file:
            head = file.read(64)
    except OSError as error:
        raise EngineError(f"{path}: {error.strerror}: name a file with {what}") from error
    if head.lstrip().startswith(NOT_WEIGHTS):
        raise EngineError(f"{path}: is a pointer or a web page, not {what}: fetch the file itself")
    try:
        return _read(path)
    except pickle.UnpicklingError as error:
        raise EngineError(
            f"{path}: holds more than tensors ({_unsafe(error)}), and what it holds could run as "
            f"code: {convert.format(name=path.name)}"
        ) from error
    except (*UNREADABLE, SafetensorError) as error:
        raise EngineError(f"{path}: is damaged or not {what}: {one_line(error)}") from error


def _read(path: Path) -> Any:
    if path.suffix == ".safetensors":
        from safetensors.torch import load_file

        return load_file(path)
    known = _harmless()
    names = {f"{each.__module__}.{each.__qualname__}" for each in known}
    with torch.serialization.safe_globals([*known, *stand_ins(path, names)]):
        return torch.load(path, map_location="cpu", weights_only=True)


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


def _listed(layers: list[str]) -> str:
    more = f" and {len(layers) - LISTED} more" if len(layers) > LISTED else ""
    return ", ".join(layers[:LISTED]) + more


def _unsafe(error: Exception) -> str:
    """The class that torch refused, out of its many words."""
    words = str(error).split("GLOBAL ", 1)
    return words[1].split()[0] if len(words) > 1 else "a pickled object"
