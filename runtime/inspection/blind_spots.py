"""Where a 3D sensor cannot see a surface that is known: at grazing angles and in its own shadow.

A rendering has a return everywhere. A sensor that projects light from beside its camera has none
where the surface turns away from both, at the edges, and where the part stands between projector
and surface. Where the projector sits is found from what a part's first views did not see.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import cv2
import numpy as np
import numpy.typing as npt

from voxgate.runtime.comparison.expected import ExpectedView
from voxgate.runtime.geometry.rays import Rays
from voxgate.runtime.inspection.blind_kernels import add_shadow
from voxgate.runtime.nouns import DepthMap

Mask = npt.NDArray[np.bool_]

GRAZING_DEG = 70.0  # between ray and normal: a third of the light that a face straight on returns
EDGE_STEP_MM = 4.0  # a larger step in depth within the window is another surface
EDGE_PX = 3  # a window: what an edge flickers by
ROOM_PX = 5  # a window: a shadow's border moves by the placement of the part
# Sensors of arm's length have their projector 5 to 20 cm from the camera, on any side of it.
DISTANCES_MM = (50.0, 75.0, 100.0, 150.0, 200.0)
DIRECTIONS = 12
COARSE_PX = 4  # every fourth pixel tells where it sits
LEAST_TOLD = 0.2  # of what was not seen, beyond chance: less tells of no projector


@dataclass(frozen=True, slots=True)
class Projector:
    """Where the light comes from, camera frame, mm; as far forward as the camera."""

    x_mm: float
    y_mm: float


def find_projector(seen: Sequence[tuple[DepthMap, ExpectedView]], rays: Rays) -> Projector | None:
    """The place whose shadow tells best where these views (depth, golden view) had no return.

    None where no place tells it much better than chance.
    """
    places = [
        Projector(float(distance * np.cos(angle)), float(distance * np.sin(angle)))
        for distance, angle in product(
            DISTANCES_MM, np.arange(DIRECTIONS) * (2 * np.pi / DIRECTIONS)
        )
    ]
    told = [_told(place, seen, rays) for place in places]
    best = int(np.argmax(told))
    return places[best] if told[best] >= LEAST_TOLD else None


def blind_spots(expected: ExpectedView, rays: Rays, projector: Projector | None) -> Mask:
    """(h, w) golden pixels of the part that a real sensor may have no return from."""
    blind = _steep(expected, rays) | _edges(expected.depth_mm)
    if projector is not None:
        room = np.ones((ROOM_PX, ROOM_PX), np.uint8)
        shadow = shadowed(expected, rays, projector)
        blind |= cv2.dilate(shadow.view(np.uint8), room) > 0
    return blind & expected.measured


def shadowed(expected: ExpectedView, rays: Rays, projector: Projector, step_px: int = 1) -> Mask:
    """(h / step, w / step) pixels that the projector's light does not reach."""
    every = (slice(None, None, step_px),) * 2
    depth = np.ascontiguousarray(expected.depth_mm[every])
    shadow = np.zeros(depth.shape, np.bool_)
    add_shadow(
        np.ascontiguousarray(rays.x[every]),
        np.ascontiguousarray(rays.y[every]),
        depth,
        np.ascontiguousarray(expected.returned[every]),
        (projector.x_mm, projector.y_mm),
        float(rays.lens[0]) / step_px,
        float(np.median(depth)),
        shadow,
    )
    return shadow


def _told(place: Projector, seen: Sequence[tuple[DepthMap, ExpectedView]], rays: Rays) -> float:
    """Share of the unseen that lies in the shadow, less the share of the seen that does."""
    unseen = unseen_told = returned = returned_told = 0
    every = (slice(None, None, COARSE_PX),) * 2
    for depth_mm, expected in seen:
        shadow = shadowed(expected, rays, place, COARSE_PX)
        part, got = expected.measured[every], depth_mm[every] > 0
        unseen += int((part & ~got).sum())
        unseen_told += int((part & ~got & shadow).sum())
        returned += int((part & got).sum())
        returned_told += int((part & got & shadow).sum())
    return unseen_told / max(unseen, 1) - returned_told / max(returned, 1)


def _steep(expected: ExpectedView, rays: Rays) -> Mask:
    """Where the camera looks along the surface."""
    normal = expected.plane[..., :3]
    along = np.abs(normal[..., 0] * rays.x + normal[..., 1] * rays.y + normal[..., 2])
    limit = np.float32(np.cos(np.radians(GRAZING_DEG)))
    return np.asarray(along < limit * np.sqrt(rays.x**2 + rays.y**2 + 1))


def _edges(depth_mm: DepthMap) -> Mask:
    window = np.ones((EDGE_PX, EDGE_PX), np.uint8)
    return np.asarray(cv2.dilate(depth_mm, window) - cv2.erode(depth_mm, window) > EDGE_STEP_MM)


def warm_up() -> None:
    """Compile (or load) the kernel of this file."""
    one = np.ones((4, 4), np.float32)
    add_shadow(one, one, one, one > 0, (1.0, 1.0), 1.0, 1.0, np.zeros((4, 4), np.bool_))
