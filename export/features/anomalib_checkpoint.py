"""Checkpoints of anomalib 2.x, as Lightning, torch.compile and hand-written scripts leave them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from voxgate.export.features.anomalib_preprocessing import (
    Preprocess,
    preprocess_of,
    spec_in,
    spec_of,
    transform_of,
    unproven_border,
    with_size,
    without_crop,
)
from voxgate.export.features.checkpoint import State, layers_of, sha256_of, unwrapped
from voxgate.export.features.model_file import check_form
from voxgate.export.features.weights_file import UNREADABLE, read_content
from voxgate.runtime.common.text import one_line
from voxgate.runtime.errors import EngineError

if TYPE_CHECKING:
    from anomalib.pre_processing import PreProcessor

ANOMALIB_MODEL = "model."
TRAINING = "voxgate_training"  # what `voxgate train` puts into a checkpoint of its own
ONE_TILE = re.compile(r"model\d+_\d+")  # the files of a tiled ensemble
CONVERT = (
    'where it was trained, and without a network, type: python -c "import torch; '
    "c = torch.load('{name}', weights_only=False, map_location='cpu'); "
    "c = c if isinstance(c, dict) else {{'model': c}}; m = c.get('model'); "
    "h = c.get('hyper_parameters') or getattr(m, 'hparams', {{}}); "
    "torch.save({{'state_dict': c.get('state_dict') or m.state_dict(), 'hyper_parameters': {{k: v "
    "for k, v in h.items() if isinstance(v, (bool, int, float, str, list, tuple))}}}}, "
    "'plain.ckpt')\", and export plain.ckpt with --prepared-px"
)


@dataclass(frozen=True, slots=True, eq=False)
class AnomalibCheckpoint:
    """An anomalib 2.x checkpoint: how the model was built, its weights, its preprocessing.

    preprocess: for the graph. transform: for parity, anomalib's own, (1, 3, h, w) in 0..1 -> what
    the model takes. training: what `voxgate train` says of it; empty for others.
    """

    path: Path
    hyper_parameters: Mapping[str, Any]
    state: State
    preprocess: Preprocess
    transform: Callable[[torch.Tensor], torch.Tensor]
    training: Mapping[str, Any] = field(default_factory=dict)

    @property
    def sha256(self) -> str:
        """Of the file, for the recipe's provenance."""
        return sha256_of(self.path)

    def resized(self, side_px: int) -> AnomalibCheckpoint:
        """The same model on pictures of another size; only where the network allows it."""
        side = (side_px, side_px)
        spec = with_size(spec_of(self.transform), side)
        return replace(
            self,
            preprocess=replace(self.preprocess, resize_px=side),
            transform=transform_of(spec, self.path),
        )

    def uncropped(self) -> AnomalibCheckpoint:
        """The same model on all of the resized picture; only where the network allows it."""
        return replace(
            self,
            preprocess=replace(self.preprocess, crop_px=None),
            transform=transform_of(without_crop(spec_of(self.transform)), self.path),
        )


def anomalib_checkpoint(
    path: Path,
    method: str,
    default: Callable[[], PreProcessor],
    prepared_px: int | None = None,
    *,
    may_crop: bool = False,
) -> AnomalibCheckpoint:
    """Read a checkpoint of anomalib 2.x. Raises EngineError, one line.

    default: the class's own `configure_pre_processor`, for a checkpoint that says that it had a
    pre-processor and not which. prepared_px: the square that pictures were resized to, for one
    that does not even say that. may_crop: the method knows what to do with the border.
    """
    content = read_content(path, f"an anomalib checkpoint of {method}", CONVERT)
    check_form(path, content)
    if not isinstance(content, Mapping):
        raise EngineError(f"{path}: is no Lightning checkpoint: save it with anomalib's Engine")
    if not isinstance(content.get("state_dict", {}), Mapping):
        raise EngineError(f"{path}: is no Lightning checkpoint: its state_dict holds no names")
    _check_whole(content, path)
    state = _model_of(layers_of(content), path)
    built = content.get("hyper_parameters") or {}
    if not isinstance(built, Mapping):
        raise EngineError(f"{path}: its hyper_parameters are {type(built).__name__}, not names")
    try:
        spec = spec_in(content, path, default, prepared_px)
        preprocess = preprocess_of(spec, path)
    except UNREADABLE as error:
        raise EngineError(
            f"{path}: how its pictures were prepared cannot be read: {one_line(error)}"
        ) from error
    if preprocess.crop_px is not None and not may_crop:
        raise unproven_border(path, list(preprocess.crop_px))
    transform, training = transform_of(spec, path), content.get(TRAINING) or {}
    return AnomalibCheckpoint(path, dict(built), state, preprocess, transform, training)


def _model_of(layers: Mapping[str, Any], path: Path) -> State:
    """The layers of the model within Lightning's module, or of a model saved alone."""
    state = unwrapped(layers)
    inner = {n.removeprefix(ANOMALIB_MODEL): t for n, t in state.items() if _is_inner(n)}
    found = unwrapped(inner) or state
    if not found:
        raise EngineError(f"{path}: has no layers {ANOMALIB_MODEL}*: is it an anomalib checkpoint?")
    return found


def _is_inner(name: str) -> bool:
    return name.startswith(ANOMALIB_MODEL)


def _check_whole(content: Mapping[str, Any], path: Path) -> None:
    """Raises EngineError for a model that saw tiles: a graph sees the whole picture."""
    callbacks = content.get("callbacks")
    tiled = isinstance(callbacks, Mapping) and any("Tiler" in str(name) for name in callbacks)
    if tiled or ONE_TILE.fullmatch(path.stem):
        raise EngineError(
            f"{path}: was trained on tiles of the picture, and the graph sees all of it: train one "
            "model of whole pictures, as large as they need to be (Resize)"
        )
