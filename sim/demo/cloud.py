"""The surface of a scanned part as points: every depth pixel of every view, in the part's frame."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from voxgate.runtime.geometry.calibration import Calibration
from voxgate.runtime.geometry.rays import Rays
from voxgate.runtime.nouns import DepthMap, GreyImage
from voxgate.runtime.transforms import Transform

Floats = npt.NDArray[np.float32]

TABLE_MM = 1.5  # below this height a point is the table
TABLE_LIGHT = 0.5
EDGE_PX = 2  # depth is noisy along its edges: this much is cut away
OUTLINE_STEP = 200
STEP_MM = 3.0  # a jump of depth between two pixels that is an edge


@dataclass(frozen=True, slots=True)
class Cloud:
    """(n, 3) points part frame mm; grey 0..1; fade 0..1 (opacity); weight: how much each counts."""

    points: Floats
    grey: Floats
    fade: Floats
    weight: Floats
    outline: Floats  # (m, 3) some points of the part itself, table left out, to frame it by
    spacing_mm: float


@dataclass(frozen=True, slots=True)
class Shot:
    """One view of a scan and where it was taken from."""

    image: GreyImage
    depth_mm: DepthMap
    part_from_camera: Transform


def cloud_from_shots(shots: list[Shot], calibration: Calibration) -> Cloud:
    """All shots in one cloud; the table is faded out around the part."""
    rays = _rays(calibration)
    parts = [_points(shot, rays) for shot in shots]
    points = np.concatenate([part[0] for part in parts])
    grey = np.concatenate([part[1] for part in parts])
    weight = np.concatenate([part[2] for part in parts])
    solid = points[points[:, 2] > TABLE_MM]
    low, high = np.quantile(solid, (0.002, 0.998), axis=0)
    table = points[:, 2] <= TABLE_MM
    fade = np.where(table, _table_fade(points, low, high), 1.0).astype(np.float32)
    grey = np.where(table, TABLE_LIGHT * grey, grey)
    keep = fade > 0.02
    return Cloud(
        points=points[keep],
        grey=np.clip(grey[keep] * 1.15, 0, 1).astype(np.float32),
        fade=fade[keep],
        weight=weight[keep],
        outline=solid[((solid >= low) & (solid <= high)).all(axis=1)][::OUTLINE_STEP],
        spacing_mm=_spacing_mm(shots, calibration),
    )


def _rays(calibration: Calibration) -> Floats:
    """(h, w, 2): x/z and y/z of every pixel of the distorted image."""
    rays = Rays.from_calibration(calibration)
    return np.stack([rays.x, rays.y], axis=-1)


def _points(shot: Shot, rays: Floats) -> tuple[Floats, Floats, Floats]:
    z = shot.depth_mm
    jump = np.abs(np.diff(np.nan_to_num(z), axis=0, prepend=0)) > STEP_MM
    jump |= np.abs(np.diff(np.nan_to_num(z), axis=1, prepend=0)) > STEP_MM
    kernel = np.ones((2 * EDGE_PX + 1, 2 * EDGE_PX + 1), np.uint8)
    good = np.isfinite(z) & (cv2.dilate(jump.astype(np.uint8), kernel) == 0)
    camera = np.concatenate([rays * z[..., None], z[..., None]], axis=2)
    slope = np.abs(np.gradient(np.nan_to_num(z), axis=0)) + np.abs(
        np.gradient(np.nan_to_num(z), axis=1)
    )
    rotation = shot.part_from_camera[:3, :3].astype(np.float32)
    points = camera[good] @ rotation.T + shot.part_from_camera[:3, 3].astype(np.float32)
    # a surface seen head on has flat depth: trust that view more than a grazing one
    weight = 1.0 / (0.15 + slope[good]) ** 2
    return points, shot.image[good].astype(np.float32) / 255, weight.astype(np.float32)


def _table_fade(points: Floats, low: Floats, high: Floats) -> Floats:
    outside = np.maximum(np.maximum(low - points, points - high), 0)[:, :2]
    reach_mm = 0.22 * float(np.linalg.norm(high - low))
    distance = np.linalg.norm(outside, axis=1)
    fade: Floats = np.clip(1 - distance / reach_mm, 0, 1).astype(np.float32)
    return fade


def _spacing_mm(shots: list[Shot], calibration: Calibration) -> float:
    distance_mm = float(np.median([np.nanmedian(shot.depth_mm) for shot in shots]))
    return distance_mm / float(calibration.camera_matrix[0, 0])
