"""ModMap's two encoders, one of pictures and one of depth, seeing as many patches each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from voxgate.export.features.backbones.load import is_transformer
from voxgate.export.features.backbones.names import known_names
from voxgate.export.features.checkpoint import load_weights, sha256_of
from voxgate.export.features.eye import eye_of
from voxgate.export.features.patches import Eye, PictureFeatures, published_patches
from voxgate.export.features.preprocessing import Fit, Size
from voxgate.export.golden.golden import Golden
from voxgate.export.golden.inputs import size_px, spec
from voxgate.export.methods.from_anomalib import versions
from voxgate.export.methods.modmap.graphs import ViewFeatures
from voxgate.export.methods.modmap.model_file import METHOD, Encoder
from voxgate.export.source import RawScore, Source
from voxgate.runtime.engines.engine import Tensor
from voxgate.runtime.errors import EngineError


@dataclass(frozen=True, slots=True, eq=False)
class Encoders:
    """picture, shape: opened for the golden scan's camera."""

    picture: Eye
    shape: Eye

    def of_camera(self, golden: Golden) -> Encoders:
        """The same for another scan's camera."""
        size = size_px(golden)
        return Encoders(replace(self.picture, size=size), replace(self.shape, size=size))

    def features(self) -> ViewFeatures:
        """Both as part of a graph. Raises EngineError unless they see as many patches."""
        seen = PictureFeatures(self.picture, "image"), PictureFeatures(self.shape, "depth")
        if seen[0].grid != seen[1].grid:
            raise EngineError(
                f"the picture's encoder sees {seen[0].grid} patches, the depth's {seen[1].grid}: "
                "choose --input-px and --depth-px so that they are as many"
            )
        features = ViewFeatures(*seen)
        features.eval()
        return features


def read_encoder(backbone: str, weights: Path, input_px: int) -> Encoder:
    """Raises EngineError for weights that are none, or of no transformer."""
    if not is_transformer(backbone):
        raise EngineError(
            f"backbone {backbone}: {METHOD} takes vision transformers: {known_names(backbone)}"
        )
    state = load_weights(weights, f"weights of {backbone}")
    return Encoder(backbone, state, sha256_of(weights), input_px)


def open_encoders(
    golden: Golden,
    encoders: tuple[Encoder, Encoder],
    fit: Fit,
    files: tuple[Path, Path],
    range_mm: tuple[float, float] | None = None,
) -> Encoders:
    """files: that each encoder's layers come from, for what is said of them. range_mm: None: the
    golden scan's. Raises EngineError."""
    picture, shape = (
        eye_of(
            golden, each.backbone, each.weights, path,
            input_px=each.input_px, fit=fit, range_mm=range_mm,
        )
        for each, path in zip(encoders, files, strict=True)
    )  # fmt: skip
    return Encoders(picture, shape)


def view_source(golden: Golden, encoders: Encoders) -> tuple[Source, Size, int]:
    """What one view shows, its grid of patches, and how many of its features are the picture's."""
    network = encoders.features()
    grid = network.picture.grid

    def original(given: Mapping[str, Tensor]) -> RawScore:
        seen = [
            published_patches(encoders.picture, "image", grid, given),
            published_patches(encoders.shape, "depth", grid, given),
        ]
        return np.asarray(torch.cat(seen, dim=1).float().numpy())

    source = Source(
        method=f"{METHOD} features",
        inputs=(spec("image", golden), spec("depth_mm", golden)),
        network=network,
        original=original,
        provenance={},
        keep_float32=("picture.picture", "shape.picture"),
        tools=versions("timm"),
        input_px=encoders.picture.input_px,
    )
    with torch.no_grad():
        width = int(network.picture(torch.zeros(source.inputs[0].shape)).shape[1])
    return source, grid, width
