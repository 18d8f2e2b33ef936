"""Where a patch is, as DINOv2 without registers tells its network at other sizes than its own.

Its published code enlarges the position embedding by bicubic interpolation whose step is not that
of the two grids: a tenth of a patch is added to the wanted side, and nothing is smoothed before.
With registers, and in DINO, it is the grids' own step; timm does that for all of them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch.nn import functional

from voxgate.export.features.checkpoint import State

POSITIONS = "pos_embed"
OFFSET_PATCHES = 0.1  # added to the wanted side


def with_published_positions(state: Mapping[str, torch.Tensor], grid: tuple[int, int]) -> State:
    """The same layers, positions (1, 1 + n * n, c) brought to `grid` (h, w) as published;
    others, of another model, are left alone."""
    positions = state.get(POSITIONS)
    if positions is None or positions.ndim != 3:
        return dict(state)
    side = math.isqrt(max(positions.shape[1] - 1, 0))
    if grid == (side, side) or side * side != positions.shape[1] - 1:
        return dict(state)
    token, patches = positions[:, :1].float(), positions[:, 1:].float()
    square = patches.transpose(1, 2).reshape(1, -1, side, side)
    factor = [(wanted + OFFSET_PATCHES) / side for wanted in grid]
    found = functional.interpolate(square, scale_factor=factor, mode="bicubic")
    return {**state, POSITIONS: torch.cat([token, found.flatten(2).transpose(1, 2)], dim=1)}
