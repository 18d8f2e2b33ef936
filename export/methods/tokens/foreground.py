"""Which patches show the part, by the picture alone: AnomalyDINO's zero-shot mask (section 3.3).

Tokens along their first principal component, those beyond 10; the other end of it where too little
of the middle was kept; grown and closed by 3 x 3. Patches that it leaves out are not compared.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from torch.nn import functional

from voxgate.export.features.preprocessing import Size

BEYOND = 10.0  # along the component
BORDER = 0.2  # of the picture, on each side: what lies within is the middle
LEAST_KEPT = 0.35  # of the middle
KERNEL = 3  # patches
SQUARINGS = 12  # the power 4096 of the covariance: what is left is its first component


class Foreground(nn.Module):
    """(n, d) tokens of a grid -> (n, 1), 1 where they are compared, 0 elsewhere."""

    start: torch.Tensor

    def __init__(self, grid: Size, width: int) -> None:
        super().__init__()
        self.grid = grid
        (top, bottom), (left, right) = (middle_of(side) for side in grid)
        self.edges = top, bottom, left, right
        self.too_few = float(np.floor((bottom - top) * (right - left) * LEAST_KEPT))
        start = torch.randn(width, 1, generator=torch.Generator().manual_seed(0))
        self.register_buffer("start", start)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        centred = tokens - tokens.mean(dim=0, keepdim=True)
        along = torch.matmul(centred, self._component(centred)).reshape(1, 1, *self.grid)
        beyond, opposite = (along > BEYOND).float(), (along < -BEYOND).float()
        top, bottom, left, right = self.edges
        kept = beyond[:, :, top:bottom, left:right].sum()
        chosen = torch.where(kept <= self.too_few, opposite, beyond)
        return _shrunk(_grown(_grown(chosen))).reshape(-1, 1)

    def _component(self, centred: torch.Tensor) -> torch.Tensor:
        """(d, 1) first principal component; its largest number is positive, as scikit-learn's."""
        power = torch.matmul(centred.transpose(0, 1), centred)
        for _ in range(SQUARINGS):
            power = power / power.square().sum().sqrt()
            power = torch.matmul(power, power)
        component = torch.matmul(power, self.start)
        component = component / component.square().sum().sqrt()
        positive = component.max() >= -component.min()
        return torch.where(positive, component, -component)


def middle_of(side: int) -> tuple[int, int]:
    """First and last patch but one of the middle of so many, as published."""
    return int(side * BORDER), int(side * (1 - BORDER))


def _grown(mask: torch.Tensor) -> torch.Tensor:
    return functional.max_pool2d(mask, KERNEL, 1, KERNEL // 2)


def _shrunk(mask: torch.Tensor) -> torch.Tensor:
    return -_grown(-mask)


def published_foreground(tokens: torch.Tensor, grid: Size) -> npt.NDArray[np.bool_]:
    """(n,) by scikit-learn and OpenCV: what `Foreground` is held to.

    The published code's solver is the randomised one, another mask from run to run where a second
    component is nearly as long as the first; this is what it is near to.
    """
    import cv2
    from sklearn.decomposition import PCA

    component = PCA(n_components=1, svd_solver="full")
    along = component.fit_transform(tokens.numpy().astype(np.float32)).reshape(grid)
    mask = along > BEYOND
    (top, bottom), (left, right) = (middle_of(side) for side in grid)
    middle = mask[top:bottom, left:right]
    if middle.sum() <= middle.size * LEAST_KEPT:
        mask = -along > BEYOND
    kernel = np.ones((KERNEL, KERNEL), np.uint8)
    grown = cv2.dilate(mask.astype(np.uint8), kernel)
    return cv2.morphologyEx(grown, cv2.MORPH_CLOSE, kernel).astype(bool).reshape(-1)
