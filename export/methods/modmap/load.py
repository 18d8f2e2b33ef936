"""ModMap of the files that hold it: published, or of `voxgate train modmap`.

Its published code enlarges what each direction foretold wrongly, the smallest over all sources, and
multiplies: there one direction by itself, here both by each other, as CFM does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from voxgate.export.features.checkpoint import State, sha256_of, unwrapped
from voxgate.export.features.model_file import check_as_learnt
from voxgate.export.features.preprocessing import Fit
from voxgate.export.features.published_steps import camera_map
from voxgate.export.features.weights_file import read_content
from voxgate.export.golden.golden import Golden
from voxgate.export.golden.inputs import size_px, spec
from voxgate.export.methods.from_anomalib import versions
from voxgate.export.methods.modmap.encoders import (
    Encoders,
    open_encoders,
    read_encoder,
    view_source,
)
from voxgate.export.methods.modmap.graphs import PairErrors, SetScore
from voxgate.export.methods.modmap.model_file import (
    METHOD,
    TrainedModMap,
    read_modmap,
    was_trained_here,
)
from voxgate.export.methods.modmap.networks import PARTS, ModMapNetworks, filled
from voxgate.export.source import RawScore, Source
from voxgate.runtime.engines.engine import Tensor
from voxgate.runtime.errors import EngineError
from voxgate.runtime.recipe.manifest import ERRORS, TensorSpec

FARTHEST = 2.0  # one less the cosine of opposite directions
VIEWS = ("source", "target")


@dataclass(frozen=True, slots=True)
class ModMapOptions:
    """checkpoint: published, with the weights of both encoders; or of `voxgate train`, which holds
    them and all that follows. depth_px: of the depth's encoder; 0: as many patches as pictures."""

    checkpoint: Path
    weights: Path | None = None
    depth_weights: Path | None = None
    backbone: str = "dinov2_vitb14_reg"
    depth_backbone: str = "dinov3_vits16"
    input_px: int = 896
    depth_px: int = 1024
    fit: Fit = "pad"


@dataclass(frozen=True, slots=True, eq=False)
class _Opened:
    encoders: Encoders
    networks: ModMapNetworks
    fit: Fit
    origin: Mapping[str, Any]


def load_modmap(golden: Golden, options: ModMapOptions) -> Source:
    """Raises EngineError for files that do not fit together, or another plan of views."""
    opened = _opened(golden, options)
    networks, fit, size = opened.networks, opened.fit, size_px(golden)
    planned = len(golden.views)
    if networks.views != planned:
        raise EngineError(
            f"{options.checkpoint}: knows {networks.views} views, the golden scan has {planned}: "
            "train it on this scan's plan"
        )
    views, grid, width = view_source(golden, opened.encoders)
    patches = grid[0] * grid[1]

    def original(given: Mapping[str, Tensor]) -> RawScore:
        errors = torch.from_numpy(np.asarray(given[ERRORS], np.float32))[0, 0]
        maps = [camera_map(each.reshape(1, 1, *grid), size, fit) for each in errors]
        return np.asarray(maps[0] * maps[1] * (given["depth_mm"][0, 0] > 0), np.float32)

    return Source(
        method=METHOD,
        inputs=(
            TensorSpec(name=ERRORS, dtype="float32", shape=(1, 1, 2, patches)),
            spec("depth_mm", golden),
        ),
        network=SetScore(grid, size, fit),
        original=original,
        provenance={**opened.origin, "patches": list(grid)},
        detector="set",
        tools=versions("timm"),
        bound=FARTHEST**2,
        together=(views, _pairs(networks, width, patches)),
    )


def _pairs(networks: ModMapNetworks, width: int, patches: int) -> Source:
    """What one view foretells wrongly of another, as the published code takes it."""
    shape = (1, 1, patches, width + _shape_width(networks))

    def original(given: Mapping[str, Tensor]) -> RawScore:
        source, target = (torch.from_numpy(np.asarray(given[name]))[0, 0] for name in VIEWS)
        pair = [torch.tensor([int(number)]) for number in given["pair"].reshape(2)]
        with torch.no_grad():
            foretold = [
                networks.to_shape(source[None, :, :width], *pair)[0],
                networks.to_picture(source[None, :, width:], *pair)[0],
            ]
        wanted = target[:, width:], target[:, :width]
        errors = [_error(*both) for both in zip(foretold, wanted, strict=True)]
        return np.asarray(torch.stack(errors).numpy(), np.float32)

    return Source(
        method=f"{METHOD} pairs",
        inputs=(
            *(TensorSpec(name=name, dtype="float32", shape=shape) for name in VIEWS),
            TensorSpec(name="pair", dtype="uint8", shape=(1, 1, 1, 2)),
        ),
        network=PairErrors(networks, width),
        original=original,
        provenance={},
        keep_float32=("to_shape.distance", "to_picture.distance"),
    )


def _error(foretold: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    return (1 - functional.cosine_similarity(foretold, wanted, dim=-1)).clamp(min=0)


def _shape_width(networks: ModMapNetworks) -> int:
    return int(networks.to_picture.mapping.input.in_features)


def _opened(golden: Golden, options: ModMapOptions) -> _Opened:
    path = options.checkpoint
    if was_trained_here(path):
        trained = read_modmap(path)
        both = trained.picture, trained.shape
        check_as_learnt(path, options, _named(trained), held=["weights", "depth_weights"])
        encoders = open_encoders(golden, both, trained.fit, (path, path), trained.range_mm)
        origin = {"training": dict(trained.record)}
        fit, states = trained.fit, trained.networks
    else:
        if options.weights is None or options.depth_weights is None:
            raise EngineError(
                f"{path}: does not hold its encoders: name their files with --weights and "
                "--depth-weights"
            )
        both = (
            read_encoder(options.backbone, options.weights, options.input_px),
            read_encoder(options.depth_backbone, options.depth_weights, options.depth_px),
        )
        files = options.weights, options.depth_weights
        encoders = open_encoders(golden, both, options.fit, files)
        fit, states, origin = options.fit, published_states(path), {}
    found = {
        "checkpoint_sha256": sha256_of(path),
        "backbones": [each.backbone for each in both],
        "weights_sha256": [each.weights_sha256 for each in both],
        "input_px": [each.input_px for each in both],
        "depth_range_mm": list(encoders.shape.range_mm),
        **origin,
    }
    return _Opened(encoders, filled(states, path), fit, found)


def _named(trained: TrainedModMap) -> dict[str, tuple[str, object]]:
    picture, shape = trained.picture, trained.shape
    return {
        "backbone": ("--backbone", picture.backbone),
        "depth_backbone": ("--depth-backbone", shape.backbone),
        "input_px": ("--input-px", picture.input_px),
        "depth_px": ("--depth-px", shape.input_px),
        "fit": ("--fit", trained.fit),
    }


def published_states(path: Path) -> dict[str, State]:
    """The four parts of the published file. Raises EngineError."""
    content = read_content(path, "a checkpoint of ModMap")
    if not isinstance(content, Mapping) or not all(
        isinstance(content.get(name), Mapping) for name in PARTS
    ):
        raise EngineError(f"{path}: has no {', '.join(PARTS)}: is it a checkpoint of ModMap?")
    return {name: unwrapped(content[name]) for name in PARTS}
