"""Read what others trained: weights without running code that is hidden in the file."""

from __future__ import annotations

import hashlib
import pickle  # noqa: TID251 - only the class of the error that a refused file raises
import struct
import zlib
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile

import torch
from safetensors import SafetensorError

from voxgate.runtime.common.text import one_line
from voxgate.runtime.errors import EngineError

if TYPE_CHECKING:
    from anomalib.pre_processing import PreProcessor

BLOCK_BYTES = 1 << 20
LISTED = 3  # layers named in a message; the rest is counted
WRAPPERS = ("state_dict", "model_state_dict", "model", "teacher", "student")
NOT_WEIGHTS = (b"version https://git-lfs", b"<!DOCTYPE", b"<html")
ANOMALIB_MODEL = "model."

State = dict[str, torch.Tensor]

# what the readers of numpy, torch and zip raise for a file that is cut, changed or something else
UNREADABLE = (
    RuntimeError, EOFError, BadZipFile, ValueError, LookupError, OSError, TypeError, AttributeError,
    AssertionError, ArithmeticError, struct.error, zlib.error,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Preprocess:
    """What the checkpoint's pre-processor does to a picture in 0..1, read from its own words."""

    resize_px: tuple[int, int]
    antialias: bool
    mean: tuple[float, ...] | None
    std: tuple[float, ...]


@dataclass(frozen=True, slots=True, eq=False)
class AnomalibCheckpoint:
    """An anomalib 2.x checkpoint: how the model was built, its weights, its preprocessing.

    preprocess: for the graph. transform: for parity, anomalib's own, (1, 3, h, w) in 0..1 -> what
    the model takes.
    """

    path: Path
    hyper_parameters: Mapping[str, Any]
    state: State
    preprocess: Preprocess
    transform: Callable[[torch.Tensor], torch.Tensor]

    @property
    def sha256(self) -> str:
        """Of the file, for the recipe's provenance."""
        return sha256_of(self.path)

    def resized(self, side_px: int) -> AnomalibCheckpoint:
        """The same model on pictures of another size; only where the network allows it."""
        side = (side_px, side_px)
        spec = _with_size(_spec_of(self.transform), side)
        return replace(
            self,
            preprocess=replace(self.preprocess, resize_px=side),
            transform=_transform(spec, self.path),
        )


def load_weights(path: Path, what: str) -> State:
    """Name -> tensor from .pth, .pt, .ckpt or .safetensors; a usual wrapper is taken off.

    Raises EngineError: no such file, truncated, not weights, or holding code.
    """
    content = _load(path, what)
    if isinstance(content, torch.nn.Module):
        content = content.state_dict()
    for key in WRAPPERS:
        inner = content.get(key) if isinstance(content, Mapping) else None
        if isinstance(inner, Mapping) and inner:
            content = inner
            break
    if not isinstance(content, Mapping):
        raise EngineError(f"{path}: holds {type(content).__name__}, not the layers of {what}")
    state = {str(k): v for k, v in content.items() if isinstance(v, torch.Tensor)}
    if not state:
        raise EngineError(f"{path}: holds no tensors: is it {what}?")
    return {name.removeprefix("module."): tensor for name, tensor in state.items()}


def load_state(module: torch.nn.Module, state: Mapping[str, torch.Tensor], path: Path) -> None:
    """Fill every layer of `module`. Raises EngineError that names the layers that do not fit."""
    own = module.state_dict()
    missing = [n for n in own if n not in state and not n.endswith("num_batches_tracked")]
    unknown = [name for name in state if name not in own]
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


def anomalib_checkpoint(
    path: Path, method: str, default: Callable[[], PreProcessor]
) -> AnomalibCheckpoint:
    """Read a Lightning checkpoint of anomalib 2.x. Raises EngineError, one line.

    default: the class's own `configure_pre_processor`, for a checkpoint that says that it had a
    pre-processor and not which.
    """
    content = _load(path, f"an anomalib checkpoint of {method}")
    if not (isinstance(content, Mapping) and isinstance(content.get("state_dict"), Mapping)):
        raise EngineError(f"{path}: is no Lightning checkpoint: save it with anomalib's Engine")
    state = {
        name.removeprefix(ANOMALIB_MODEL): tensor
        for name, tensor in content["state_dict"].items()
        if name.startswith(ANOMALIB_MODEL)
    }
    if not state:
        raise EngineError(f"{path}: has no layers {ANOMALIB_MODEL}*: is it an anomalib checkpoint?")
    built = content.get("hyper_parameters") or {}
    if not isinstance(built, Mapping):
        raise EngineError(f"{path}: its hyper_parameters are {type(built).__name__}, not names")
    try:
        spec = _preprocessor_spec(content, path, default)
        preprocess = _preprocess(spec, path)
    except UNREADABLE as error:
        raise EngineError(
            f"{path}: how its pictures were prepared cannot be read: {one_line(error)}"
        ) from error
    return AnomalibCheckpoint(path, dict(built), state, preprocess, _transform(spec, path))


def sha256_of(path: Path) -> str:
    """Hex digest of a file of any size."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()


def _load(path: Path, what: str) -> Any:
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
            "code: save model.state_dict() instead"
        ) from error
    except (*UNREADABLE, SafetensorError) as error:
        raise EngineError(f"{path}: is damaged or not {what}: {one_line(error)}") from error


def _read(path: Path) -> Any:
    if path.suffix == ".safetensors":
        from safetensors.torch import load_file

        return load_file(path)
    with torch.serialization.safe_globals(_harmless()):
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


def _preprocessor_spec(
    content: Mapping[str, Any], path: Path, default: Callable[[], PreProcessor]
) -> Any:
    """anomalib's words for the transform. Raises EngineError where the checkpoint is silent: a
    model that sees its pictures prepared otherwise still gives a map."""
    config = content.get("anomalib_pre_processor_config")
    enabled = (content.get("anomalib_components_enabled") or {}).get("pre_processor")
    if enabled is False:
        raise EngineError(
            f"{path}: was trained without anomalib's pre-processor, so nothing says how its "
            "pictures were resized and normalised: train it with one"
        )
    if config is not None:
        spec = config["transform"]
        if spec is None:
            raise EngineError(
                f"{path}: anomalib could not save its pre-processor's transform: train it with "
                "Resize and Normalize only"
            )
        return spec
    if enabled is None:
        raise EngineError(
            f"{path}: does not say how its pictures were prepared (no "
            "anomalib_pre_processor_config): save it with anomalib 2.7 or later"
        )
    return _spec_of(default().transform)


def _spec_of(transform: Any) -> Any:
    from anomalib.pre_processing.utils.spec import transform_to_spec

    return transform_to_spec(transform)


def _transform(spec: Any, path: Path) -> Callable[[torch.Tensor], torch.Tensor]:
    """anomalib's own transform. Raises EngineError."""
    from anomalib.pre_processing.utils.spec import spec_to_transform

    try:
        found: Callable[[torch.Tensor], torch.Tensor] = spec_to_transform(spec)
    except UNREADABLE as error:
        raise EngineError(f"{path}: its pre-processor: {one_line(error)}") from error
    return found


def _with_size(spec: Any, side: tuple[int, int]) -> Any:
    """The same steps with another Resize."""
    changed = deepcopy(spec)
    for step in _steps(changed):
        if step["class_path"].endswith(".Resize"):
            step["init_args"]["size"] = list(side)
    return changed


def _preprocess(spec: Any, path: Path) -> Preprocess:
    """The same in our words. Raises EngineError for steps that the graph does not have."""
    size: tuple[int, int] | None = None
    antialias, mean, std = True, None, (1.0, 1.0, 1.0)
    for step in _steps(spec):
        kind, arguments = step["class_path"].rpartition(".")[2], step.get("init_args", {})
        if kind == "Resize":
            size, antialias = _size(arguments, path), bool(arguments.get("antialias", True))
        elif kind == "Normalize":
            mean, std = tuple(arguments["mean"]), tuple(arguments["std"])
        elif kind == "CenterCrop":
            raise EngineError(
                f"{path}: its pre-processor crops the picture to {arguments.get('size')}: what "
                "lies outside would be unproven; train it without the crop"
            )
        else:
            raise EngineError(f"{path}: its pre-processor does {kind}: Resize and Normalize only")
    if size is None:
        raise EngineError(f"{path}: its pre-processor does not resize: train it with Resize")
    return Preprocess(size, antialias, mean, std)


def _steps(transform: Any) -> list[dict[str, Any]]:
    if transform["class_path"].endswith(".Compose"):
        steps: list[dict[str, Any]] = transform["init_args"]["transforms"]
        return steps
    return [transform]


def _size(arguments: Mapping[str, Any], path: Path) -> tuple[int, int]:
    size = arguments.get("size")
    if arguments.get("interpolation", "bilinear") != "bilinear" or arguments.get("max_size"):
        raise EngineError(f"{path}: its pre-processor resizes other than bilinear to a fixed size")
    if not (isinstance(size, (list, tuple)) and len(size) == 2):
        raise EngineError(f"{path}: its pre-processor resizes to {size}: height and width needed")
    return int(size[0]), int(size[1])


def _listed(layers: list[str]) -> str:
    more = f" and {len(layers) - LISTED} more" if len(layers) > LISTED else ""
    return ", ".join(layers[:LISTED]) + more


def _unsafe(error: Exception) -> str:
    """The class that torch refused, out of its many words."""
    words = str(error).split("GLOBAL ", 1)
    return words[1].split()[0] if len(words) > 1 else "a pickled object"
