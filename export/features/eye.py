"""A backbone opened for the golden scan's camera."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from voxgate.export.features.patches import Eye
from voxgate.export.features.preprocessing import Fit
from voxgate.export.features.timm_backbones import is_transformer, load_pyramid, load_tokens
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
    transformer = is_transformer(backbone)
    if transformer:
        network = load_tokens(backbone, weights, (input_px, input_px))
    else:
        network = load_pyramid(backbone, weights, layers)
    range_mm = golden_range_mm(golden)
    return Eye(network, transformer, size_px(golden), input_px, fit, range_mm, patches)
