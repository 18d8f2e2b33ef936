"""A model that was trained on the middle of its pictures, on all of them.

anomalib's Dinomaly and INP-Former see the inner 392 of 448 px. The middle is scored as there. What
lies around it is scored by the same network on the whole resized picture: else it was unproven.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn
from torchvision.transforms.v2 import functional as published

from voxgate.export.features.anomalib_checkpoint import AnomalibCheckpoint
from voxgate.export.features.preprocessing import Size, ToCamera
from voxgate.export.methods.from_anomalib import picture_of
from voxgate.export.methods.tokens.encoder import as_in_anomalib


class WholePicture(nn.Module):
    """uint8 image -> map at the camera's size, of one model for the whole picture and one for its
    middle; None: there is no crop."""

    def __init__(
        self, whole: nn.Module, middle: nn.Module | None, read: AnomalibCheckpoint, size: Size
    ) -> None:
        super().__init__()
        steps = read.preprocess
        self.picture = picture_of(steps, size)
        self.whole, self.middle = whole, middle
        self.edges = edges_of(steps.resize_px, steps.crop_px or steps.resize_px)
        self.map = ToCamera(steps.resize_px, size)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        picture = self.picture(image)
        score: torch.Tensor = self.whole(picture).anomaly_map
        if self.middle is not None:
            top, bottom, left, right = self.edges
            inner = self.middle(picture[:, :, top:bottom, left:right]).anomaly_map
            row = [score[:, :, top:bottom, :left], inner, score[:, :, top:bottom, right:]]
            rows = [score[:, :, :top], torch.cat(row, dim=3), score[:, :, bottom:]]
            score = torch.cat(rows, dim=2)
        return torch.relu(self.map(score))


def published_whole(
    model: nn.Module, read: AnomalibCheckpoint
) -> Callable[[torch.Tensor], torch.Tensor]:
    """The same by anomalib's own transform and torchvision's crop: picture in 0..1 -> map."""
    whole = read.uncropped().transform

    def scored(picture: torch.Tensor) -> torch.Tensor:
        with as_in_anomalib():
            found: torch.Tensor = model(whole(picture)).anomaly_map.clone()
            if read.preprocess.crop_px is not None:
                places = torch.arange(found[0, 0].numel()).reshape(found.shape)
                inside = published.center_crop(places, list(read.preprocess.crop_px)).flatten()
                found.view(-1)[inside] = model(read.transform(picture)).anomaly_map.flatten()
        return found

    return scored


def edges_of(whole: Size, crop: Size) -> tuple[int, int, int, int]:
    """Top, bottom, left, right of a crop as torchvision places it."""
    top, left = (round((w - c) / 2.0) for w, c in zip(whole, crop, strict=True))
    return top, top + crop[0], left, left + crop[1]
