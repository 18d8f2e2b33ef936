"""Crossmodal feature mapping (Costanzino et al., CVPR 2024) as SiM3D runs it (S.6).

Picture features (DINO tokens) and shape features of each patch (FPFH, or DINO on depth), or of each
pixel of 224 (Point-MAE, as first published); two small networks map one to the other. The score is
the product of the two distances between what is seen and what is mapped, both normalised. A patch
without shape scores 0: nothing was measured there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from anomalib.models.image.cfm.anomaly_map import CFMAnomalyMapGenerator
from torch import nn

from voxgate.export.features.checkpoint import State, sha256_of
from voxgate.export.features.eye import eye_of, open_eye
from voxgate.export.features.model_file import check_as_learnt
from voxgate.export.features.patches import Eye
from voxgate.export.features.picture_and_shape import (
    PictureAndShape,
    Shape,
    picture_and_shape,
)
from voxgate.export.features.point_mae.features import PointSense
from voxgate.export.features.point_mae.options import PointsOptions, as_kept
from voxgate.export.features.preprocessing import Fit, Size
from voxgate.export.features.published_steps import camera_map
from voxgate.export.golden.golden import Golden
from voxgate.export.golden.inputs import size_px
from voxgate.export.methods.cfm.mappings import Files, filled_mappings, given_files, saved_states
from voxgate.export.methods.cfm.model_file import METHOD, read_mappings, was_trained_here
from voxgate.export.methods.cfm.network import CfmNetwork
from voxgate.export.methods.from_anomalib import versions
from voxgate.export.source import RawScore, Source
from voxgate.runtime.engines.engine import Tensor
from voxgate.runtime.errors import EngineError
from voxgate.runtime.recipe.sections.shapes import FpfhSection

NAMED = ("backbone", "shape", "input_px", "fit")
"""What the model names itself."""
FARTHEST = 2.0  # two vectors of length 1 are no farther apart


@dataclass(frozen=True, slots=True)
class CfmOptions:
    """Two mappings as state dicts, or both in one checkpoint; weights: of the backbone, which a
    checkpoint of `voxgate train` holds, with all that follows. points: of shape "point-mae"."""

    weights: Path | None = None
    points: PointsOptions = field(default_factory=PointsOptions)
    picture_to_shape: Path | None = None
    shape_to_picture: Path | None = None
    checkpoint: Path | None = None
    backbone: str = "dinov2_vitb14"
    shape: Shape = "depth"
    input_px: int = 518
    fit: Fit = "pad"
    fpfh: FpfhSection = field(default_factory=lambda: FpfhSection(step_px=4))


@dataclass(frozen=True, slots=True, eq=False)
class _Opened:
    """Everything that was read. origin: of backbone and mappings, for the provenance."""

    options: CfmOptions
    eye: Eye
    points: PointSense | None
    files: Files
    states: tuple[State, State]
    origin: Mapping[str, Any]


def load_cfm(golden: Golden, options: CfmOptions) -> Source:
    """Raises EngineError for files that do not fit together."""
    opened = _opened(golden, options)
    options = opened.options
    senses = picture_and_shape(golden, opened.eye, options.shape, options.fpfh, opened.points)
    widths = _width(senses.picture, senses, 0), _width(senses.shape, senses, 1)
    to_shape, to_picture = filled_mappings(opened.states, opened.files, widths)

    def original(given: Mapping[str, Tensor]) -> RawScore:
        maps = [_as_map(vectors, senses.grid) for vectors in senses.published(given)]
        with torch.no_grad():
            mapped = to_picture(maps[1]), to_shape(maps[0])
            apart = CFMAnomalyMapGenerator.compute_distance
            score = apart(maps[0], mapped[0]) * apart(maps[1], mapped[1])
        score = score * (maps[1].abs().sum(dim=1) > 0)
        return np.asarray(camera_map(score[:, None], senses.eye.size, options.fit))

    features = (senses.picture, senses.shape)
    return Source(
        method=METHOD,
        inputs=senses.inputs,
        network=CfmNetwork(
            features, (to_shape, to_picture), senses.grid, size_px(golden), options.fit
        ),
        original=original,
        provenance={
            "backbone": options.backbone,
            "shape": options.shape,
            "input_px": list(senses.eye.side),
            "cells": list(senses.grid),
            "depth_range_mm": list(senses.eye.range_mm),
            **opened.origin,
        },
        keep_float32=(
            "distance", "picture.picture", "picture.features.picture", "shape.picture",
            "shape.pool",
        ),
        section=senses.section,
        input_px=None if "training" in opened.origin else options.input_px,
        tools=versions("timm", "anomalib"),
        bound=FARTHEST**2,
    )  # fmt: skip


def _opened(golden: Golden, options: CfmOptions) -> _Opened:
    files = given_files(options.picture_to_shape, options.shape_to_picture, options.checkpoint)
    if options.checkpoint is not None and was_trained_here(options.checkpoint):
        return _as_trained(golden, options, options.checkpoint)
    if options.weights is None:
        raise EngineError(
            f"{files[0]}: does not hold its backbone: name the file of it with --weights"
        )
    eye = open_eye(
        golden, options.backbone, options.weights, input_px=options.input_px, fit=options.fit
    )
    hashes = [sha256_of(file) for file in dict.fromkeys(files)]
    origin: dict[str, Any] = {
        "weights_sha256": sha256_of(options.weights),
        "mappings_sha256": hashes,
    }
    points = None
    if options.shape == "point-mae":
        # each of the two published trainings took its means in its own way
        padded = files[0] == files[1]
        points = options.points.open(options.fit, per_pixel=True, padded=padded)
        origin |= options.points.origin()
    return _Opened(options, eye, points, files, saved_states(files), origin)


def _as_trained(golden: Golden, options: CfmOptions, path: Path) -> _Opened:
    trained = read_mappings(path)
    words = {n: ("--" + n.replace("_", "-"), getattr(trained, n)) for n in NAMED}
    check_as_learnt(path, options, words, held=["weights"])
    options = replace(
        options,
        backbone=trained.backbone,
        shape=trained.shape,
        input_px=trained.input_px,
        fit=trained.fit,
        fpfh=trained.fpfh,
    )
    eye = eye_of(
        golden, trained.backbone, trained.weights, path,
        input_px=trained.input_px, fit=trained.fit, range_mm=trained.range_mm,
    )  # fmt: skip
    origin = {
        "weights_sha256": trained.weights_sha256,
        "mappings_sha256": [sha256_of(path)],
        "training": dict(trained.record),
    }
    states = trained.to_shape, trained.to_picture
    points = None if trained.points is None else as_kept(trained.points, path)
    return _Opened(options, eye, points, (path, path), states, origin)


def _width(features: nn.Module, senses: PictureAndShape, number: int) -> int:
    with torch.no_grad():
        return int(features(torch.zeros(senses.inputs[number].shape)).shape[1])


def _as_map(vectors: torch.Tensor, grid: Size) -> torch.Tensor:
    return vectors.float().T.reshape(1, -1, *grid)
