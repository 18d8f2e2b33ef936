"""A backbone opened for the golden scan's camera."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from voxgate.export.features.backbones.load import is_transformer, load_pyramid, tokens_of
from voxgate.export.features.checkpoint import State, load_weights
from voxgate.export.features.patches import Eye
from voxgate.export.features.preprocessing import Fit
from voxgate.export.golden.golden import Golden
from voxgate.export.golden.inputs import golden_range_mm, size_px

PYRAMID = ("layer2", "layer3")


def open_eye(
    golden: Golden,
    backbone: str,
    weights: Path,
    layers: Sequence[str] = PYRAMID,
    input_px: int = 518,
    fit: Fit = "pad",
    patches: int | None = None,
) -> Eye:
    """Weights into a backbone for squares of input_px. Raises EngineError."""
    if is_transformer(backbone):
        state = load_weights(weights, f"weights of {backbone}")
        return eye_of(golden, backbone, state, weights, input_px=input_px, fit=fit)
    network = load_pyramid(backbone, weights, layers)
    range_mm = golden_range_mm(golden)
    return Eye(network, False, size_px(golden), input_px, fit, range_mm, patches)


def eye_of(
    golden: Golden,
    backbone: str,
    state: State,
    path: Path,
    *,
    input_px: int,
    fit: Fit,
    range_mm: tuple[float, float] | None = None,
) -> Eye:
    """A transformer whose layers were read from `path`. range_mm: of a depth picture, None: the
    golden scan's. Raises EngineError."""
    network = tokens_of(backbone, state, path, (input_px, input_px))
    range_mm = range_mm or golden_range_mm(golden)
    return Eye(network, True, size_px(golden), input_px, fit, range_mm)
