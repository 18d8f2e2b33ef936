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
from voxgate.export.features.point_mae.features import (
    FeaturesOnCells,
    PointFeatures,
    PointSense,
    published_on_cells,
    published_points,
)
from voxgate.export.features.preprocessing import Fit, Size
from voxgate.export.golden.golden import Golden
from voxgate.export.golden.inputs import spec
from voxgate.runtime.engines.engine import Tensor
from voxgate.runtime.recipe.manifest import TensorSpec
from voxgate.runtime.recipe.sections.shapes import FpfhSection, ShapeSection

Shape = Literal["fpfh", "depth", "point-mae"]
KIND_OF: dict[Shape, Kind] = {"fpfh": "fpfh", "depth": "depth", "point-mae": "points"}


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
    """kinds, inputs: of the picture, then of the shape. patches, grid: (h, w) of the backbone's
    tokens, and of the vectors that both give. section: how the shape is described, None when it is
    the depth. points: Point-MAE, where it sees the shape."""

    eye: Eye
    kinds: tuple[Kind, Kind]
    inputs: tuple[TensorSpec, TensorSpec]
    picture: nn.Module
    shape: nn.Module
    patches: Size
    grid: Size
    section: ShapeSection | None
    points: PointSense | None = None

    @property
    def picture_is_enlarged(self) -> bool:
        """Whether its vectors are not the patches' own."""
        return isinstance(self.picture, FeaturesOnCells)

    def published(self, given: Mapping[str, Tensor]) -> list[torch.Tensor]:
        """The vectors of both, (n, d) each, by the libraries' own functions."""
        picture = published_patches(self.eye, "image", self.patches, given)
        if self.points is None:
            return [picture, published_patches(self.eye, self.kinds[1], self.grid, given)]
        if self.picture_is_enlarged:
            picture = published_on_cells(picture, self.patches, self.grid, self.points.padded)
        return [picture, published_points(self.points, self.grid, given)]


def open_picture_and_shape(
    golden: Golden,
    asked: SensesOptions,
    patches: int | None = None,
    points: PointSense | None = None,
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
    return picture_and_shape(golden, eye, asked.shape, asked.fpfh, points)


def picture_and_shape(
    golden: Golden, eye: Eye, shape: Shape, fpfh: FpfhSection, points: PointSense | None = None
) -> PictureAndShape:
    """Both senses of an open eye. fpfh, points: how the shape is described, where it is one."""
    of_points = None if points is None else points.section
    sections: dict[Shape, ShapeSection | None] = {
        "fpfh": fpfh, "depth": None, "point-mae": of_points,
    }  # fmt: skip
    section = sections[shape]
    kinds: tuple[Kind, Kind] = ("image", KIND_OF[shape])
    inputs = spec(INPUT_OF["image"], golden, section), spec(INPUT_OF[kinds[1]], golden, section)
    seen = PictureFeatures(eye, "image").eval()
    if points is None:
        shape_px = inputs[1].shape[2], inputs[1].shape[3]
        features = features_from(eye, kinds[1], seen.grid, shape_px)
        return PictureAndShape(eye, kinds, inputs, seen, features, seen.grid, seen.grid, section)
    grid = seen.grid if points.cells is None else (points.cells, points.cells)
    own = grid == seen.grid and not points.padded
    picture = seen if own else FeaturesOnCells(seen, grid, points.padded).eval()
    features = PointFeatures(points, grid).eval()
    return PictureAndShape(eye, kinds, inputs, picture, features, seen.grid, grid, section, points)
