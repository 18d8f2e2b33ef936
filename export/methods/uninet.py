"""UniNet (Wei et al., CVPR 2025) from an anomalib checkpoint.

A student makes again what two teachers see, one as it was and one that learnt the part; six cosine
distances are enlarged between the corners and added, as anomalib computes it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
import torchvision
from anomalib.models import UniNet
from anomalib.models.image.uninet.components import UniNetLoss
from anomalib.models.image.uninet.torch_model import UniNetModel
from torch import nn
from torch.nn import functional

from voxgate.export.features.anomalib_checkpoint import anomalib_checkpoint
from voxgate.export.features.anomalib_preprocessing import Preprocess
from voxgate.export.features.preprocessing import Size, ToCamera
from voxgate.export.golden.golden import Golden
from voxgate.export.golden.inputs import size_px
from voxgate.export.methods.from_anomalib import anomalib_source, filled, picture_of
from voxgate.export.source import Source
from voxgate.runtime.errors import EngineError

METHOD = "uninet"
BACKBONE = "wide_resnet50_2"
LARGEST = 12.0  # six cosine distances


def load_uninet(golden: Golden, checkpoint: Path, prepared_px: int | None = None) -> Source:
    """Raises EngineError for a file that is not such a checkpoint."""
    read = anomalib_checkpoint(checkpoint, METHOD, UniNet.configure_pre_processor, prepared_px)
    student, teacher = (
        str(read.hyper_parameters.get(f"{role}_backbone", BACKBONE))
        for role in ("student", "teacher")
    )
    with teacher_without_weights(teacher):
        model = UniNetModel(student, teacher, UniNetLoss(temperature=0.1))
    filled(model, read)
    return anomalib_source(
        METHOD,
        model,
        read,
        golden,
        network=UniNetNetwork(model, read.preprocess, size_px(golden)),
        scored=lambda picture: model(read.transform(picture)).anomaly_map[:, None],
        bound=LARGEST,
    )


class UniNetMap(nn.Module):
    """(1, 3, h, w) -> anomalib's map, without its branches: (1, 1, h, w)."""

    def __init__(self, model: nn.Module, side: Size) -> None:
        super().__init__()
        self.teachers, self.bottleneck, self.student = (
            model.teachers,
            model.bottleneck,
            model.student,
        )
        self.side = side

    def forward(self, picture: torch.Tensor) -> torch.Tensor:
        seen, joined = self.teachers(picture)
        made = self.student(self.bottleneck(joined))
        total = torch.zeros(1, 1, *self.side)
        for number, layer in enumerate(seen):
            row = number // len(made)
            apart = 1 - functional.cosine_similarity(layer, made[number % len(made)][row : row + 1])
            total = total + functional.interpolate(
                apart[:, None], size=self.side, mode="bilinear", align_corners=True
            )
        return total


class UniNetNetwork(nn.Module):
    """uint8 image -> the map at the camera's size."""

    def __init__(self, model: nn.Module, steps: Preprocess, size: Size) -> None:
        super().__init__()
        self.picture = picture_of(steps, size)
        self.score = UniNetMap(model, steps.resize_px)
        self.map = ToCamera(steps.resize_px, size)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return torch.relu(self.map(self.score(self.picture(image))))


@contextmanager
def teacher_without_weights(name: str) -> Iterator[None]:
    """torchvision fetches a teacher's weights while it is built; the checkpoint holds them.

    Raises EngineError for a name that torchvision does not know.
    """
    models = torchvision.models
    if name not in models.list_models(models):
        raise EngineError(
            f"backbone {name!r} is none of torchvision's: its teacher cannot be built"
        )
    created = getattr(models, name)

    def empty(weights: Any = None) -> nn.Module:
        network: nn.Module = created(weights=None)
        return network

    setattr(models, name, empty)
    try:
        yield
    finally:
        setattr(models, name, created)
