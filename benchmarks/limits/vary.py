"""Good parts as they vary from one to the next: light, lens, sensor, place, dust."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt

from voxgate.export.golden.disturbance import SHIFT_MM, TURN_DEG, seen_again
from voxgate.runtime.comparison.expected import expect, height_mm
from voxgate.runtime.geometry.rays import Rays
from voxgate.runtime.nouns import View

Grey = npt.NDArray[np.uint8]
Alter = Callable[[Sequence[View], Rays, np.random.Generator], list[View]]

LEAST_HEIGHT_MM = 1.5  # what is lower may be the table
DUST_PX = 3
DUST_LEAVES = 0.3
LEAST_HOLE_PX, MOST_HOLE_PX = 2, 5  # radius
DUSTS = 4  # spots, each in a view of its own


@dataclass(frozen=True, slots=True)
class Variation:
    """mark: it is no variation but a mark: it must not PASS."""

    name: str
    alter: Alter
    mark: bool = False
    quick: bool = False


def lit(factor: float) -> Alter:
    """All light times `factor`; the camera's tone curve is a square root."""
    return _pictures(lambda grey, rng: _toned(grey, np.full(grey.shape, factor)))


def gradient(share: float) -> Alter:
    """Light that falls by `share` from one side of the picture to the other, any direction."""

    def alter(grey: Grey, rng: np.random.Generator) -> Grey:
        angle = rng.uniform(0, 2 * np.pi)
        x, y = _centred(grey)
        return _toned(grey, 1 + share / 2 * (np.cos(angle) * x + np.sin(angle) * y))

    return _pictures(alter)


def vignetting(share: float) -> Alter:
    """Light that falls by `share` towards the corners."""

    def alter(grey: Grey, rng: np.random.Generator) -> Grey:
        x, y = _centred(grey)
        return _toned(grey, 1 - share * (x * x + y * y) / 2)

    return _pictures(alter)


def blurred(sigma_px: float) -> Alter:
    """Out of focus."""
    return _pictures(
        lambda grey, rng: np.asarray(cv2.GaussianBlur(grey, (0, 0), sigma_px), np.uint8)
    )


def stored_as_jpeg(quality: int) -> Alter:
    """Stored smaller."""

    def alter(grey: Grey, rng: np.random.Generator) -> Grey:
        stored = cv2.imencode(".jpg", grey, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        return np.asarray(cv2.imdecode(stored, cv2.IMREAD_GRAYSCALE), np.uint8)

    return _pictures(alter)


def noisy_depth(sigma_mm: float) -> Alter:
    """More noise, pixel by pixel."""

    def alter(views: Sequence[View], rays: Rays, rng: np.random.Generator) -> list[View]:
        return [_deeper(view, rng.normal(0, sigma_mm, view.image.shape)) for view in views]

    return alter


def holes(share: float) -> Alter:
    """Discs without a return over `share` of every depth map."""

    def alter(views: Sequence[View], rays: Rays, rng: np.random.Generator) -> list[View]:
        return [_deeper(view, np.where(_discs(view, share, rng), np.nan, 0.0)) for view in views]

    return alter


def put_down_again(views: Sequence[View], rays: Rays, rng: np.random.Generator) -> list[View]:
    """Shifted and turned by the most that a fixture allows, pictures and depth rendered anew."""
    turn, heading = np.deg2rad(TURN_DEG) * rng.choice([-1, 1]), rng.uniform(0, 2 * np.pi)
    moved = np.eye(4)
    moved[:2, :2] = [[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]
    moved[:2, 3] = SHIFT_MM * np.array([np.cos(heading), np.sin(heading)])
    found = []
    for view in views:
        assert view.depth_mm is not None
        known = expect(view.image, view.depth_mm, rays, view.part_from_camera, LEAST_HEIGHT_MM)
        found.append(seen_again(view, known, rays, moved, rng))
    return found


def dust_in_one_view(views: Sequence[View], rays: Rays, rng: np.random.Generator) -> list[View]:
    """A dark speck at DUSTS places of the part, each in one view."""
    found = list(views)
    for number in rng.choice(len(found), DUSTS, replace=False):
        points = _part_pixels(found[number], rays)
        row, column = points[rng.integers(len(points))]
        found[number] = _speck(found[number], (int(column), int(row)))
    return found


def dust_that_stays(views: Sequence[View], rays: Rays, rng: np.random.Generator) -> list[View]:
    """A dark speck at one place of the surface, in three of the views that see it."""
    first = int(rng.integers(len(views)))
    for _ in range(200):
        points = _part_pixels(views[first], rays)
        row, column = points[rng.integers(len(points))]
        seen = _seen_at(views, rays, first, int(row), int(column))
        if len(seen) >= 3:
            found = list(views)
            for number in list(seen)[:3]:
                found[number] = _speck(found[number], seen[number])
            return found
    raise ValueError("no place of the part is seen by three views")


def dirt_on_the_lens(views: Sequence[View], rays: Rays, rng: np.random.Generator) -> list[View]:
    """A dark speck at one pixel of every picture, where most of them show the part."""
    shown = np.zeros(views[0].image.shape, np.intp)
    for view in views:
        rows, columns = _part_pixels(view, rays).T
        shown[rows, columns] += 1
    often = np.argwhere(shown >= shown.max() - 1)
    row, column = often[rng.integers(len(often))]
    return [_speck(view, (int(column), int(row))) for view in views]


def _pictures(change: Callable[[Grey, np.random.Generator], Grey]) -> Alter:
    def alter(views: Sequence[View], rays: Rays, rng: np.random.Generator) -> list[View]:
        return [replace(view, image=change(view.image, rng)) for view in views]

    return alter


def _toned(grey: Grey, light: npt.NDArray[np.float64]) -> Grey:
    return np.clip(np.rint(grey * np.sqrt(light)), 0, 255).astype(np.uint8)


def _centred(grey: Grey) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """(h, w) x and y from -1 to 1."""
    height, width = grey.shape
    x, y = np.meshgrid(np.linspace(-1, 1, width), np.linspace(-1, 1, height))
    return x, y


def _deeper(view: View, by_mm: npt.NDArray[np.float64]) -> View:
    assert view.depth_mm is not None
    return replace(view, depth_mm=(view.depth_mm + by_mm).astype(np.float32))


def _discs(view: View, share: float, rng: np.random.Generator) -> npt.NDArray[np.bool_]:
    mask = np.zeros(view.image.shape, np.uint8)
    height, width = view.image.shape
    while mask.mean() < share:
        at = int(rng.integers(width)), int(rng.integers(height))
        cv2.circle(mask, at, int(rng.integers(LEAST_HOLE_PX, MOST_HOLE_PX + 1)), 1, thickness=-1)
    return mask > 0


def _part_pixels(view: View, rays: Rays) -> npt.NDArray[np.intp]:
    """(n, 2) row and column of the pixels well on the part."""
    assert view.depth_mm is not None
    part = height_mm(view.depth_mm, rays, view.part_from_camera) > 2 * LEAST_HEIGHT_MM
    inside = cv2.erode(part.astype(np.uint8), np.ones((7, 7), np.uint8))
    return np.argwhere(inside > 0)


def _seen_at(
    views: Sequence[View], rays: Rays, first: int, row: int, column: int
) -> dict[int, tuple[int, int]]:
    """View -> (column, row) of one surface point, in each view that measured it."""
    depth_mm = views[first].depth_mm
    assert depth_mm is not None
    z = float(depth_mm[row, column])
    camera = np.array([rays.x[row, column] * z, rays.y[row, column] * z, z, 1.0])
    point = views[first].part_from_camera @ camera
    found = {}
    for number, view in enumerate(views):
        there = (np.linalg.inv(view.part_from_camera) @ point)[:3]
        u, v = (int(each) for each in np.rint(rays.project(there[None])[0]))
        height, width = view.image.shape
        assert view.depth_mm is not None
        if 0 <= u < width and 0 <= v < height and abs(view.depth_mm[v, u] - there[2]) < 0.5:
            found[number] = (u, v)
    return found


def _speck(view: View, at: tuple[int, int]) -> View:
    """DUST_PX across, it leaves DUST_LEAVES of the light's grey."""
    half = DUST_PX // 2
    image = view.image.copy()
    u, v = at
    spot = image[v - half : v + half + 1, u - half : u + half + 1]
    spot[:] = np.clip(spot * DUST_LEAVES, 0, 255).astype(np.uint8)
    return replace(view, image=image)


VARIATIONS = (
    Variation("unchanged", lambda views, rays, rng: list(views), quick=True),
    Variation("light x 0.8", lit(0.8)),
    Variation("light x 1.25", lit(1.25), quick=True),
    Variation("light x 1.56: grey levels x 1.25", lit(1.25**2)),
    Variation("gradient, 20 % over the picture", gradient(0.2)),
    Variation("gradient, 20 % to either side", gradient(0.4)),
    Variation("vignetting 30 %", vignetting(0.3)),
    Variation("blur 1 px", blurred(1.0)),
    Variation("JPEG quality 70", stored_as_jpeg(70)),
    Variation("depth noise 0.1 mm more", noisy_depth(0.1)),
    Variation("holes in the depth, 3 %", holes(0.03)),
    Variation("put down again, 0.6 mm and 0.4 deg", put_down_again),
    Variation("dust of 3 px in one view, 4 times", dust_in_one_view, quick=True),
    Variation("dust in its place in 3 views: a mark", dust_that_stays, mark=True),
    Variation("dirt at one pixel of every picture: named", dirt_on_the_lens, mark=True, quick=True),
)
