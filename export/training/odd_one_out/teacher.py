"""What the neural feature field is learnt from: a vision transformer's tokens, in fewer channels.

Section 4.2: DINOv2's features, reduced by PCA. They are computed as they are needed; the components
come from views of scenes that are learnt from.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn
from torch.nn.functional import interpolate

from voxgate.export.features.backbones.load import load_tokens
from voxgate.export.features.backbones.names import timm_name
from voxgate.export.methods.odd_one_out.picture_features import DEVIATION, GREY_LEVELS, MEAN
from voxgate.export.training.odd_one_out.scenes import Shown
from voxgate.runtime.errors import EngineError

FITTED_VIEWS = 256  # whose tokens give the components


@dataclass(frozen=True, slots=True, eq=False)
class Teacher:
    """tokens: the transformer; mean (c,) and components (c, field) of its features."""

    tokens: nn.Module
    side_px: int
    mean: torch.Tensor
    components: torch.Tensor

    def features(self, pictures: torch.Tensor) -> torch.Tensor:
        """(m, field, g, g) of pictures (m, 3, s, s) uint8."""
        found = seen_by(self.tokens, self.side_px, pictures) - self.mean.reshape(1, -1, 1, 1)
        return torch.einsum("mchw,cf->mfhw", found, self.components)


def open_teacher(
    backbone: str,
    weights: Path,
    grid: int,
    field: int,
    scenes: Sequence[Shown],
    device: torch.device,
) -> Teacher:
    """grid: features a side. Raises EngineError."""
    patch = re.search(r"patch(\d+)", timm_name(backbone))
    if patch is None:
        raise EngineError(f"backbone {backbone!r}: name a transformer whose patches it says")
    side = grid * int(patch[1])
    tokens = load_tokens(backbone, weights, (side, side)).to(device)
    every = max(1, sum(len(each.pictures) for each in scenes) // FITTED_VIEWS)
    parts = [each.pictures[::every].to(device) for each in scenes]
    rows = torch.cat([_rows(seen_by(tokens, side, part)) for part in parts])
    if rows.shape[1] < field or len(rows) < field:
        raise EngineError(
            f"backbone {backbone}: {rows.shape[1]} channels and {len(rows)} features do not give "
            f"{field} components"
        )
    mean = rows.mean(dim=0)
    _, turned = torch.linalg.eigh((rows - mean).T @ (rows - mean))
    return Teacher(tokens, side, mean, turned[:, -field:].flip(1))


def seen_by(tokens: nn.Module, side: int, pictures: torch.Tensor) -> torch.Tensor:
    """(m, c, g, g), picture by picture."""
    mean, deviation = (
        torch.tensor(each, device=pictures.device).reshape(1, 3, 1, 1) for each in (MEAN, DEVIATION)
    )
    large = interpolate(pictures.float() / GREY_LEVELS, size=(side, side), mode="bilinear")
    with torch.no_grad():
        return torch.cat([tokens(each[None]) for each in (large - mean) / deviation])


def _rows(features: torch.Tensor) -> torch.Tensor:
    return features.permute(0, 2, 3, 1).reshape(-1, features.shape[1])
