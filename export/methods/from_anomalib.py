"""What the methods of anomalib share: its own module between our picture and our map."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import timm
import torch
from torch import nn

from voxgate.export.features.anomalib_checkpoint import AnomalibCheckpoint
from voxgate.export.features.anomalib_preprocessing import Preprocess
from voxgate.export.features.checkpoint import load_state
from voxgate.export.features.preprocessing import Picture, Size, ToCamera
from voxgate.export.features.published_steps import Finish, at_least_zero, from_picture
from voxgate.export.golden.golden import Golden
from voxgate.export.golden.inputs import size_px, spec
from voxgate.export.source import Source
from voxgate.runtime.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Iterator


def anomalib_or_golden(
    method: str,
    checkpoint: Path | None,
    weights: Path | None,
    of_anomalib: Callable[[Path], Source],
    of_golden: Callable[[Path], Source],
) -> Source:
    """From whichever of the two files is named. Raises EngineError unless it is one."""
    if checkpoint is not None and weights is None:
        return of_anomalib(checkpoint)
    if weights is not None and checkpoint is None:
        return of_golden(weights)
    raise EngineError(f"{method} takes either --checkpoint, or --backbone with --weights")


class AnomalibNetwork(nn.Module):
    """uint8 image -> anomalib's anomaly map at the camera's size, finished: at least 0."""

    def __init__(
        self, model: nn.Module, steps: Preprocess, size: Size, finish: nn.Module | None = None
    ) -> None:
        super().__init__()
        self.picture = picture_of(steps, size)
        self.model = model
        self.map = ToCamera(steps.resize_px, size)
        self.finish = finish or nn.ReLU()

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        score = self.model(self.picture(image)).anomaly_map
        finished: torch.Tensor = self.finish(self.map(score))
        return finished


def picture_of(steps: Preprocess, size: Size) -> Picture:
    """The checkpoint's preprocessing as part of the graph."""
    return Picture(
        size,
        steps.resize_px,
        mean=steps.mean,
        std=steps.std,
        antialias=steps.antialias,
        interpolation=steps.interpolation,
    )


def anomalib_source(
    method: str,
    model: nn.Module,
    checkpoint: AnomalibCheckpoint,
    golden: Golden,
    *,
    network: nn.Module | None = None,
    scored: Callable[[torch.Tensor], torch.Tensor] | None = None,
    finish: nn.Module | None = None,
    published_finish: Finish = at_least_zero,
    keep_float32: tuple[str, ...] = (),
    provenance: Mapping[str, Any] | None = None,
    bound: float | None = None,
) -> Source:
    """A model of anomalib, its weights filled in; `network` where its own does not trace; `scored`,
    picture in 0..1 -> map, where there is more to the original than its transform."""
    size, steps = size_px(golden), checkpoint.preprocess
    return Source(
        method=method,
        inputs=(spec("image", golden),),
        network=network or AnomalibNetwork(model, steps, size, finish),
        original=from_picture(
            scored or (lambda picture: model(checkpoint.transform(picture)).anomaly_map),
            size,
            published_finish,
        ),
        provenance={
            "checkpoint": checkpoint.path.name,
            "checkpoint_sha256": checkpoint.sha256,
            "input_px": list(steps.resize_px),
            **({"training": dict(checkpoint.training)} if checkpoint.training else {}),
            **(provenance or {}),
        },
        keep_float32=("picture", *keep_float32),
        tools=versions("anomalib", "timm"),
        bound=bound,
    )


def filled(model: nn.Module, checkpoint: AnomalibCheckpoint) -> nn.Module:
    """The model with the checkpoint's weights, ready to score. Raises EngineError."""
    load_state(model, checkpoint.state, checkpoint.path)
    model.eval()
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    return model


@contextmanager
def without_downloads() -> Iterator[None]:
    """Some of anomalib's models fetch their backbone's weights while they are built; the
    checkpoint, which is filled in afterwards, holds them."""
    created = timm.create_model

    def empty(*arguments: Any, **options: Any) -> nn.Module:
        network: nn.Module = created(*arguments, **(options | {"pretrained": False}))
        return network

    timm.create_model = empty
    try:
        yield
    finally:
        timm.create_model = created


def versions(*names: str) -> dict[str, str]:
    """Of installed distributions."""
    from importlib.metadata import version

    return {name: version(name) for name in names}
