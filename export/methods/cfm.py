"""Crossmodal feature mapping (Costanzino et al., CVPR 2024) as SiM3D runs it (S.6).

Picture features (DINO tokens) and shape features (FPFH, or DINO on depth) of each patch; two small
networks map one to the other. The score is the product of the two distances between what is seen
and what is mapped, both normalised. A patch without shape scores 0: nothing was measured there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from anomalib.models.image.cfm.anomaly_map import CFMAnomalyMapGenerator
from anomalib.models.image.cfm.components import FeatureProjectionMLP
from torch import nn

from voxgate.export.features.checkpoint import State, load_state, load_weights, sha256_of
from voxgate.export.features.patches import PictureFeatures
from voxgate.export.features.picture_and_shape import Shape, open_picture_and_shape
from voxgate.export.features.preprocessing import Fit, Size, ToCamera
from voxgate.export.features.published_steps import camera_map
from voxgate.export.golden.golden import Golden
from voxgate.export.golden.inputs import size_px
from voxgate.export.methods.from_anomalib import versions
from voxgate.export.source import RawScore, Source
from voxgate.runtime.engines.engine import Tensor
from voxgate.runtime.errors import EngineError
from voxgate.runtime.recipe.manifest import FpfhSection

METHOD = "cfm"
LAYERS = ("input", "projection", "output")  # of a mapping, in every published form
TO_SHAPE, TO_PICTURE = "rgb_to_xyz_mapper.", "xyz_to_rgb_mapper."  # in an anomalib checkpoint
FARTHEST = 2.0  # two vectors of length 1 are no farther apart
LEAST_NORM = 1e-12  # torch.nn.functional.normalize's


@dataclass(frozen=True, slots=True)
class CfmOptions:
    """Two mappings as state dicts, or both in one anomalib checkpoint; weights: of the backbone."""

    weights: Path
    picture_to_shape: Path | None = None
    shape_to_picture: Path | None = None
    checkpoint: Path | None = None
    backbone: str = "dinov2_vitb14"
    shape: Shape = "depth"
    input_px: int = 518
    fit: Fit = "pad"
    fpfh: FpfhSection = field(default_factory=lambda: FpfhSection(step_px=4))


class CfmNetwork(nn.Module):
    """Picture and shape inputs -> product of the mapping errors at the camera's size."""

    def __init__(
        self,
        features: tuple[PictureFeatures, nn.Module],
        mappings: tuple[nn.Module, nn.Module],
        size: Size,
        fit: Fit,
    ) -> None:
        super().__init__()
        self.picture, self.shape = features
        self.to_shape, self.to_picture = (_as_linear(mapping) for mapping in mappings)
        self.distance = MappingDistance()
        self.grid = self.picture.grid
        self.map = ToCamera(self.grid, size, fit)

    def forward(self, image: torch.Tensor, shape_input: torch.Tensor) -> torch.Tensor:
        seen, shape = self.picture(image), self.shape(shape_input)
        score = self.distance(seen, shape, self.to_picture(shape), self.to_shape(seen))
        return self.map(score.reshape(1, 1, *self.grid))


class MappingDistance(nn.Module):
    """(n, d) vectors seen and mapped -> (n, 1) product of their normalised distances."""

    def forward(
        self,
        seen: torch.Tensor,
        shape: torch.Tensor,
        mapped_picture: torch.Tensor,
        mapped_shape: torch.Tensor,
    ) -> torch.Tensor:
        measured = (shape.abs().amax(dim=1, keepdim=True) > 0).float()
        return _apart(seen, mapped_picture) * _apart(shape, mapped_shape) * measured


def _apart(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    return (_normalised(a) - _normalised(b)).square().sum(dim=1, keepdim=True).sqrt()


def _normalised(a: torch.Tensor) -> torch.Tensor:
    return a / a.square().sum(dim=1, keepdim=True).sqrt().clamp(min=LEAST_NORM)


def _as_linear(mapping: nn.Module) -> nn.Sequential:
    """Convolutions of one pixel on vectors: linear layers with the same weights."""
    layers: list[nn.Module] = []
    for name in LAYERS:
        convolution = getattr(mapping, name)
        linear = nn.Linear(convolution.in_channels, convolution.out_channels)
        linear.weight.data = convolution.weight.data[:, :, 0, 0]
        linear.bias.data = convolution.bias.data
        layers += [linear, nn.GELU()]
    return nn.Sequential(*layers[:-1]).eval().requires_grad_(False)


def load_cfm(golden: Golden, options: CfmOptions) -> Source:
    """Raises EngineError for files that do not fit together."""
    senses = open_picture_and_shape(golden, options)
    features, grid = (senses.picture, senses.shape), senses.grid
    of_picture, of_shape = senses.inputs
    widths = _width(senses.picture, of_picture.shape), _width(senses.shape, of_shape.shape)
    to_shape, to_picture = _mappings(options, widths)

    def original(given: Mapping[str, Tensor]) -> RawScore:
        maps = [_as_map(vectors, grid) for vectors in senses.published(given)]
        with torch.no_grad():
            mapped = to_picture(maps[1]), to_shape(maps[0])
            apart = CFMAnomalyMapGenerator.compute_distance
            score = apart(maps[0], mapped[0]) * apart(maps[1], mapped[1])
        score = score * (maps[1].abs().sum(dim=1) > 0)
        return np.asarray(camera_map(score[:, None], senses.eye.size, options.fit))

    return Source(
        method=METHOD,
        inputs=senses.inputs,
        network=CfmNetwork(features, (to_shape, to_picture), size_px(golden), options.fit),
        original=original,
        provenance={
            "backbone": options.backbone,
            "weights_sha256": sha256_of(options.weights),
            "shape": options.shape,
            "input_px": list(senses.eye.side),
            "mappings_sha256": [sha256_of(file) for file in _files(options)],
            "depth_range_mm": list(senses.eye.range_mm),
        },
        keep_float32=("distance", "picture.picture", "shape.picture", "shape.pool"),
        fpfh=senses.fpfh,
        tools=versions("timm", "anomalib"),
        bound=FARTHEST**2,
    )


def _mappings(options: CfmOptions, widths: tuple[int, int]) -> tuple[nn.Module, nn.Module]:
    picture, shape = widths
    states = _states(options)
    return (
        _mapping(states[0], _files(options)[0], picture, shape),
        _mapping(states[1], _files(options)[-1], shape, picture),
    )


def _files(options: CfmOptions) -> list[Path]:
    given = (options.picture_to_shape, options.shape_to_picture, options.checkpoint)
    return [file for file in given if file is not None]


def _states(options: CfmOptions) -> tuple[State, State]:
    """The two mappings' layers. Raises EngineError unless exactly one form is given."""
    pair = (options.picture_to_shape, options.shape_to_picture)
    if (options.checkpoint is None) == (None in pair):
        raise EngineError(
            "cfm takes either --checkpoint, or --picture-to-shape and --shape-to-picture"
        )
    if options.checkpoint is None:
        first, second = (load_weights(file, "a mapping of CFM") for file in _files(options))
        return first, second
    state = load_weights(options.checkpoint, "an anomalib checkpoint of CFM")
    state = {name.removeprefix("model."): tensor for name, tensor in state.items()}
    return _below(state, TO_SHAPE), _below(state, TO_PICTURE)


def _below(state: State, prefix: str) -> State:
    return {n.removeprefix(prefix): tensor for n, tensor in state.items() if n.startswith(prefix)}


def _mapping(state: State, path: Path, given: int, found: int) -> nn.Module:
    """anomalib's module, filled from linear layers or convolutions of one pixel."""
    weight = state.get("input.weight")
    if weight is None:
        raise EngineError(f"{path}: has no layer input.weight: is it a mapping of CFM?")
    last = state.get("output.weight", weight)
    if (weight.shape[1], last.shape[0]) != (given, found):
        raise EngineError(
            f"{path}: maps {weight.shape[1]} features to {last.shape[0]}, but {given} and {found} "
            "are seen: choose the backbone and --shape it was trained with (Point-MAE is no graph: "
            "train on FPFH or on depth instead)"
        )
    mapping = FeatureProjectionMLP(given, found)
    shaped = {n: t[:, :, None, None] if t.ndim == 2 else t for n, t in state.items()}
    load_state(mapping, shaped, path)
    return mapping.eval().requires_grad_(False)


def _width(features: nn.Module, shape: tuple[int, ...]) -> int:
    with torch.no_grad():
        return int(features(torch.zeros(shape)).shape[1])


def _as_map(vectors: torch.Tensor, grid: Size) -> torch.Tensor:
    return vectors.float().T.reshape(1, -1, *grid)
