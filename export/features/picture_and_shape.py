"""Two senses of one backbone: what it sees on the picture, and the shape at the same patches."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

import torch
from torch import nn

from voxgate.export.features.eye import open_eye
from voxgate.export.features.patches import (
    INPUT_OF,
    Eye,
    Kind,
    PictureFeatures,
    features_from,
    published_patches,
)
from voxgate.export.features.preprocessing import Fit, Size
from voxgate.export.golden.golden import Golden
from voxgate.export.golden.inputs import spec
from voxgate.runtime.engines.engine import Tensor
from voxgate.runtime.recipe.manifest import FpfhSection, TensorSpec

Shape = Literal["fpfh", "depth"]


class SensesOptions(Protocol):
    """What a method's options say of both. fpfh: how descriptors are made, where shape is one."""

    @property
    def backbone(self) -> str: ...
    @property
    def weights(self) -> Path: ...
    @property
    def shape(self) -> Shape: ...
    @property
    def input_px(self) -> int: ...
    @property
    def fit(self) -> Fit: ...
    @property
    def fpfh(self) -> FpfhSection: ...


@dataclass(frozen=True, slots=True, eq=False)
class PictureAndShape:
    """kinds, inputs: of the picture, then of the shape. fpfh: None when shape is the depth."""

    eye: Eye
    kinds: tuple[Kind, Kind]
    inputs: tuple[TensorSpec, TensorSpec]
    picture: PictureFeatures
    shape: nn.Module
    fpfh: FpfhSection | None

    @property
    def grid(self) -> Size:
        """(h, w) patches."""
        return self.picture.grid

    def published(self, given: Mapping[str, Tensor]) -> list[torch.Tensor]:
        """The patches of both, (n, d) each, by the libraries' own functions."""
        return [published_patches(self.eye, kind, self.grid, given) for kind in self.kinds]


def open_picture_and_shape(
    golden: Golden, asked: SensesOptions, patches: int | None = None
) -> PictureAndShape:
    """As `open_eye`. Raises EngineError."""
    eye = open_eye(
        golden,
        asked.backbone,
        asked.weights,
        input_px=asked.input_px,
        fit=asked.fit,
        patches=patches,
    )
    return picture_and_shape(golden, eye, asked.shape, asked.fpfh)


def picture_and_shape(golden: Golden, eye: Eye, shape: Shape, fpfh: FpfhSection) -> PictureAndShape:
    """Both senses of an open eye. fpfh: how descriptors are made, where shape is one."""
    section = fpfh if shape == "fpfh" else None
    inputs = spec(INPUT_OF["image"], golden, section), spec(INPUT_OF[shape], golden, section)
    picture = PictureFeatures(eye, "image").eval()
    shape_px = inputs[1].shape[2], inputs[1].shape[3]
    features = features_from(eye, shape, picture.grid, shape_px)
    return PictureAndShape(eye, ("image", shape), inputs, picture, features, section)
