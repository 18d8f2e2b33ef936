"""A backbone opened for the golden scan's camera."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from export.backbones import is_transformer, load_pyramid, load_tokens
from export.golden import Golden
from export.golden_inputs import golden_range_mm, size_px
from export.patches import Eye
from export.picture import Fit

PYRAMID = ("layer2", "layer3")


def open_eye(
    golden: Golden,
    backbone: str,
    weights: Path,
    layers: Sequence[str] = PYRAMID,
    input_px: int = 518,
    fit: Fit = "pad",
) -> Eye:
    """Weights into a backbone for squares of input_px. Raises EngineError."""
    transformer = is_transformer(backbone)
    if transformer:
        network = load_tokens(backbone, weights, (input_px, input_px))
    else:
        network = load_pyramid(backbone, weights, layers)
    range_mm = golden_range_mm(golden)
    return Eye(network, transformer, size_px(golden), input_px, fit, range_mm)
