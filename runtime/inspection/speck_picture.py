"""A speck in its own picture, and the same speck put into another view's picture of its place."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from voxgate.runtime.comparison.registered import Registered
from voxgate.runtime.geometry.rays import Rays
from voxgate.runtime.nouns import Defect, Picture, View
from voxgate.runtime.transforms import Transform, apply, invert
from voxgate.runtime.volume.volume import SUPPORT_SCORE

SPECK_PX = 9  # across, where the models' own smoothing has spread it
CLEAN_SCORE = 0.5  # up to here a place of a good part is quiet
WINDOW_PX = 16
SAME_SURFACE_MM = 2.0
RING_PX = 3

Plane = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Mark:
    """pixel: (u, v) where it is loudest; factor: (h, w) grey there over grey expected, 1 around it,
    (h, w, 3) of a picture in colour; place_mm: (3,) part frame."""

    view: View
    pixel: tuple[int, int]
    factor: Plane
    place_mm: npt.NDArray[np.float64]


def mark_of(
    defect: Defect, view: View, registered: Registered, score: Plane, rays: Rays
) -> Mark | None:
    """The speck that is a defect in its picture, by the models' score (h, w) of it; None where it
    is no speck, or the shape says so too."""
    assert view.depth_mm is not None  # the inspector has refused it
    camera = apply(invert(view.part_from_camera), np.array(defect.centroid_part_mm))
    window = _window(rays.project(camera[None])[0], view.image.shape)
    score = score[window]
    if score.size == 0 or score.max() < SUPPORT_SCORE:
        return None
    spot = _spot(score)
    depth = view.depth_mm[window][spot]
    if max(_across(spot)) > SPECK_PX or not (depth > 0).any():
        return None
    if registered.geometry[window][spot].max() > CLEAN_SCORE:
        return None
    row, column = np.unravel_index(int(np.argmax(np.where(spot, score, 0))), score.shape)
    v, u = int(row) + window[0].start, int(column) + window[1].start
    z = float(np.median(depth[depth > 0]))
    ray = np.array([rays.x[v, u] * z, rays.y[v, u] * z, z])
    picture, expected = view.picture, registered.reference_picture
    if picture.shape != expected.shape:  # a recipe in grey
        picture, expected = view.image, registered.reference
    factor = np.ones(picture.shape, np.float32)
    factor[window] = _factor(picture[window], expected[window], spot)
    return Mark(view, (u, v), factor, apply(view.part_from_camera, ray))


def painted(view: View, mark: Mark, rays: Rays) -> tuple[Picture, Mask] | None:
    """A view's picture with the mark where it would be on the part, and the pixels it reaches; None
    where the view did not measure the place."""
    assert view.depth_mm is not None  # the inspector has refused it
    camera = apply(invert(view.part_from_camera), mark.place_mm)
    if camera[2] <= 0:
        return None
    window = _window(rays.project(camera[None])[0], view.image.shape)
    depth = view.depth_mm[window]
    factor = _carried(window, depth, view.part_from_camera, mark, rays)
    own = view.picture if factor.ndim == view.picture.ndim else view.image
    levels = np.clip(np.rint(own[window] * factor), 0, 255).astype(np.uint8)
    changed = (factor != 1).reshape(*depth.shape, -1).any(axis=-1).astype(np.uint8)
    if not changed.any():
        return None
    picture, touched = own.copy(), np.zeros(view.image.shape, np.bool_)
    picture[window] = levels
    touched[window] = cv2.dilate(changed, np.ones((5, 5), np.uint8)) > 0
    return picture, touched


def _spot(score: Plane) -> Mask:
    """The pixels around the loudest one that say at least half as much."""
    loud = np.asarray(score >= score.max() / 2, np.uint8)
    _, labels = cv2.connectedComponents(loud)
    return np.asarray(labels == labels.reshape(-1)[int(np.argmax(score))])


def _across(spot: Mask) -> tuple[int, int]:
    rows, columns = np.nonzero(spot)
    return int(np.ptp(rows)) + 1, int(np.ptp(columns)) + 1


def _factor(picture: Picture, reference: Picture, spot: Mask) -> Plane:
    """Level over what the golden view lets expect, under the light around the spot."""
    share = (picture.astype(np.float32) + 1) / (reference.astype(np.float32) + 1)
    reach = np.ones((2 * RING_PX + 1, 2 * RING_PX + 1), np.uint8)
    ring = (cv2.dilate(spot.astype(np.uint8), reach) > 0) & ~spot
    light = np.median(share[ring], axis=0) if ring.any() else np.float32(1)
    factor = np.ones(picture.shape, np.float32)
    factor[spot] = share[spot] / light
    return factor


def _carried(
    window: tuple[slice, slice], depth: Plane, pose: Transform, mark: Mark, rays: Rays
) -> Plane:
    """The mark's factor at each pixel of another view's window, by the surface that both see."""
    ray = np.stack([rays.x[window], rays.y[window], np.ones_like(depth)], axis=-1)
    points = apply(pose, (ray * depth[..., None]).astype(np.float64))
    near = apply(invert(mark.view.part_from_camera), points)
    with np.errstate(invalid="ignore", divide="ignore"):
        pixel = np.nan_to_num(rays.project(near), nan=-1.0).astype(np.float32)
    factor = cv2.remap(
        mark.factor, pixel[..., 0], pixel[..., 1], cv2.INTER_LINEAR, borderValue=(1.0, 1.0, 1.0)
    )
    there = cv2.remap(
        np.asarray(mark.view.depth_mm, np.float32),
        pixel[..., 0],
        pixel[..., 1],
        cv2.INTER_NEAREST,
        borderValue=0.0,
    )
    same = np.abs(there - near[..., 2]) < SAME_SURFACE_MM
    factor[~same] = 1
    return np.asarray(factor, np.float32)


def _window(centre: npt.NDArray[np.float64], shape: tuple[int, ...]) -> tuple[slice, slice]:
    """Rows and columns around (u, v), cut at the picture's rim; empty beside it."""
    u, v = (int(each) for each in np.rint(centre))
    rows, columns = (
        slice(min(max(at - WINDOW_PX, 0), size), max(min(at + WINDOW_PX + 1, size), 0))
        for at, size in ((v, shape[0]), (u, shape[1]))
    )
    return rows, columns
