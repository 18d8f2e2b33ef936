"""What of a picture is no table: a place of the table looks alike from everywhere, unless something
stands before it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from voxgate.runtime.geometry.rays import Rays
from voxgate.runtime.nouns import ColourImage, GreyImage
from voxgate.runtime.scenes.hull_kernels import TABLE, UNKNOWN
from voxgate.runtime.transforms import Transform, apply, invert

Mask = npt.NDArray[np.bool_]
Outline = npt.NDArray[np.uint8]
Looks = npt.NDArray[np.float32]

PART = 1

CELL_PX = 1.5  # of the map of the table
REACH = 0.75  # of the cameras' distance, to every side of what they look at
LEAST_SHARE = 0.4  # of the views, that see a place of the table whose look is believed
CONTRADICTED_SIGMAS = 4.0  # spread of its looks: something stands there or before it
QUARTILES = 1.349  # sigmas between them
FLAT_SIGMAS = 5.0
SMOOTH_PX = 1.0
AROUND_CELLS = 25.0  # the look of the table where it is not believed
PART_SIGMAS = 5.0  # off the table's look
LEAST_OFF = 10.0  # grey levels
LEAST_NOISE = 2.0  # grey levels
SPECK_PX = 20


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """One posed picture (h, w), in colour (h, w, 3) where the camera sees any; mask (h, w): what of
    it is of parts, None: nobody told."""

    number: int
    image: GreyImage
    colour: ColourImage | None
    world_from_camera: Transform
    mask: Mask | None = None

    @property
    def shown(self) -> npt.NDArray[np.uint8]:
        """(h, w, c) whatever tells parts from the table best."""
        return self.image[..., None] if self.colour is None else self.colour

    def on_plane(self, rays: Rays, z_mm: float) -> npt.NDArray[np.float64]:
        """(h, w) depth at which each pixel meets the height z_mm; NaN: it does not."""
        turn, eye = self.world_from_camera[:3, :3], self.world_from_camera[:3, 3]
        down = turn[2, 0] * rays.x + turn[2, 1] * rays.y + turn[2, 2]
        with np.errstate(divide="ignore"):
            depth = (z_mm - eye[2]) / down.astype(np.float64)
        return np.where((depth > 0) & np.isfinite(depth), depth, np.nan)


@dataclass(frozen=True, slots=True, eq=False)
class Area:
    """Of the table, that the views look at: square cells of cell_mm from corner_mm."""

    corner_mm: npt.NDArray[np.float64]
    cells: int
    cell_mm: float

    @classmethod
    def of(cls, pictures: Sequence[Picture], rays: Rays, table_z_mm: float) -> Area:
        """By where their middles meet the table."""
        middles, away = [], []
        middle = rays.x.shape[0] // 2, rays.x.shape[1] // 2
        for each in pictures:
            depth = each.on_plane(rays, table_z_mm)[middle]
            if np.isfinite(depth):
                ray = np.array([[rays.x[middle], rays.y[middle], 1.0]])
                middles.append(apply(each.world_from_camera, depth * ray)[0, :2])
                away.append(depth)
        if not middles:
            return cls(np.zeros(2), 1, 1.0)
        distance_mm = float(np.median(away))
        cell_mm = CELL_PX * distance_mm / float(rays.lens[0])
        half_mm = REACH * distance_mm
        return cls(np.median(middles, axis=0) - half_mm, int(2 * half_mm / cell_mm), cell_mm)

    @property
    def pixel_mm(self) -> float:
        """What a pixel spans there."""
        return self.cell_mm / CELL_PX

    def centres_mm(self, z_mm: float) -> npt.NDArray[np.float64]:
        """(n, n, 3)"""
        along = self.cell_mm * (np.arange(self.cells) + 0.5)
        x, y = np.meshgrid(self.corner_mm[0] + along, self.corner_mm[1] + along, indexing="ij")
        return np.stack([x, y, np.full(x.shape, z_mm)], axis=-1)


def silhouettes(pictures: Sequence[Picture], rays: Rays, table_z_mm: float) -> list[Outline]:
    """(h, w) of each, TABLE, PART or UNKNOWN: as it was told, or by the look of the table."""
    if all(each.mask is not None for each in pictures):
        return [each.mask.astype(np.uint8) for each in pictures if each.mask is not None]
    area = Area.of(pictures, rays, table_z_mm)
    table, noise = _table(pictures, rays, area, table_z_mm)
    return [_off_table(each, rays, area, table, noise, table_z_mm) for each in pictures]


def _table(
    pictures: Sequence[Picture], rays: Rays, area: Area, table_z_mm: float
) -> tuple[Looks, float]:
    """(n, n, c) its look, and how much that scatters from view to view."""
    centres = area.centres_mm(table_z_mm)
    seen = np.sort([_seen(each, rays, centres) for each in pictures], axis=0)  # NaN is last
    count = np.isfinite(seen[..., :1]).sum(axis=0)
    low, look, high = (_at(seen, count, share) for share in (0.25, 0.5, 0.75))
    spread = (high - low).max(axis=-1) / QUARTILES
    known = count[..., 0] >= LEAST_SHARE * len(pictures)
    if not known.any():
        return np.full(look.shape, np.nan, np.float32), LEAST_NOISE
    noise = max(LEAST_NOISE, float(np.median(spread[known])))
    believed = known & (spread < CONTRADICTED_SIGMAS * noise)
    believed &= ~_flat_part(look, believed)
    usual = _around(look, believed)
    table = np.where(believed[..., None], look, usual)
    return np.where(known[..., None], table, np.nan).astype(np.float32), noise


def _at(ordered: Looks, count: npt.NDArray[np.int64], share: float) -> Looks:
    """(n, n, c) the value that this share of what is known lies below."""
    index = np.maximum((count - 1) * share, 0).astype(np.intp)
    return np.asarray(np.take_along_axis(ordered, index[None], axis=0)[0])


def _flat_part(look: Looks, believed: Mask) -> Mask:
    """What lies so low that it looks alike from everywhere, but unlike the table."""
    if not believed.any():
        return ~believed
    smooth = np.stack([cv2.medianBlur(each, 5) for each in np.moveaxis(look, -1, 0)], axis=-1)
    off = np.abs(smooth - np.median(smooth[believed], axis=0))
    scatter = np.maximum(1.4826 * np.median(off[believed], axis=0), LEAST_NOISE)
    return np.asarray((off > FLAT_SIGMAS * scatter).any(axis=-1))


def _around(look: Looks, believed: Mask) -> Looks:
    """(n, n, c) the mean of what is believed around."""
    shown = np.where(believed[..., None], look, 0).astype(np.float32)
    blurred = cv2.GaussianBlur(shown, (0, 0), AROUND_CELLS).reshape(look.shape)
    weight = cv2.GaussianBlur(believed.astype(np.float32), (0, 0), AROUND_CELLS)
    return np.asarray(blurred / np.maximum(weight, 1e-3)[..., None], np.float32)


def _seen(
    picture: Picture, rays: Rays, centres: npt.NDArray[np.float64]
) -> npt.NDArray[np.float32]:
    """(n, n, c) the picture on the table; NaN: not in it."""
    camera = apply(invert(picture.world_from_camera), centres.reshape(-1, 3)).reshape(centres.shape)
    ahead = camera[..., 2] > 0
    with np.errstate(divide="ignore", invalid="ignore"):
        pixels = np.where(ahead[..., None], rays.project(camera), -1).astype(np.float32)
    height, width = rays.x.shape
    inside = ahead & (pixels >= 0).all(axis=-1)
    inside &= (pixels[..., 0] <= width - 1) & (pixels[..., 1] <= height - 1)
    shown = _sampled(picture.shown, pixels[..., 0], pixels[..., 1])
    return np.where(inside[..., None], shown, np.nan).astype(np.float32)


def _off_table(
    picture: Picture,
    rays: Rays,
    area: Area,
    table: Looks,
    noise: float,
    table_z_mm: float,
) -> Outline:
    """(h, w) what looks otherwise than the table behind it; UNKNOWN where none is known there."""
    depth = picture.on_plane(rays, table_z_mm)
    points = np.stack([rays.x * depth, rays.y * depth, depth], axis=-1).reshape(-1, 3)
    on_table = apply(picture.world_from_camera, points)[:, :2].reshape(*depth.shape, 2)
    cells = ((on_table - area.corner_mm) / area.cell_mm - 0.5).astype(np.float32)
    cells = np.where(np.isfinite(cells), cells, -1e6).astype(np.float32)
    behind = _sampled(table, cells[..., 1], cells[..., 0])
    smooth = cv2.GaussianBlur(picture.shown, (0, 0), SMOOTH_PX).astype(np.float32)
    off = np.abs(smooth.reshape(behind.shape) - behind).max(axis=-1)
    known = np.isfinite(off)
    usual = 1.4826 * float(np.median(off[known])) if known.any() else noise
    with np.errstate(invalid="ignore"):
        part = _without_specks(off > max(LEAST_OFF, PART_SIGMAS * usual))
    return np.where(known, np.where(part, PART, TABLE), UNKNOWN).astype(np.uint8)


def _sampled(
    field: npt.NDArray[Any], columns: npt.NDArray[np.float32], rows: npt.NDArray[np.float32]
) -> Looks:
    """(h, w, c) of a picture at places between its pixels; NaN beyond it."""
    found = cv2.remap(
        field.astype(np.float32),
        columns,
        rows,
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=(np.nan,) * 4,
    )
    return np.asarray(found, np.float32).reshape(*columns.shape, -1)


def _without_specks(mask: Mask) -> Mask:
    """Nor small holes."""
    three = np.ones((3, 3), np.uint8)
    closed = cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_CLOSE, three)
    for value in (1, 0):
        _, labels, stats, _ = cv2.connectedComponentsWithStats((closed == value).astype(np.uint8))
        small = np.flatnonzero(stats[:, cv2.CC_STAT_AREA] < SPECK_PX)
        closed[np.isin(labels, small[small > 0])] = 1 - value
    return np.asarray(closed.astype(np.bool_))
