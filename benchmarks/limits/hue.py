"""Defects of hue alone on public parts painted in colour: every luma stays as the camera had it.

Golden parts get blue caps where the good ones that are inspected have red ones, or none of them has
a cap, and a good one gets a flat red spot. The paint follows the truth of each scan.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from voxgate.benchmarks.limits.judge import Answer, Judge, recorded
from voxgate.benchmarks.limits.photo import Array, Photo, photos
from voxgate.benchmarks.limits.place import Place, places
from voxgate.runtime.nouns import View
from voxgate.runtime.pixels.colour import with_picture
from voxgate.runtime.transforms import invert
from voxgate.sim.paint import (
    BLUE,
    RED,
    Cap,
    coloured,
    copy_part_files,
    filled,
    hue_of,
    write_painted,
)

CAP_MM = 9.0  # radius
PER_PART, PARTS = 4, 4
SEED = 23
ON_PLANE_MM = 1.0  # further from it is another surface
SAMPLES = 5  # of a pixel, each way


@dataclass(frozen=True, slots=True)
class HueRow:
    """across_mm: of a flat spot; None: of a cap of another hue. wanted: of 32, None: nothing was
    asked."""

    name: str
    wanted: int | None = None
    across_mm: float | None = None


HUE_ROWS = (
    HueRow("red cap, 18 mm, in place of a blue one", 32),
    HueRow("red spot, flat, 2 mm", across_mm=2.0),
    HueRow("red spot, flat, 3 mm", across_mm=3.0),
)


def hue_answers(part: Path, work: Path) -> dict[str, list[Answer]]:
    """Row -> answers of its places, of one part type."""
    golden = photos(part / "golden")
    spots = places(golden, PER_PART, np.random.default_rng(SEED))
    instance = invert(golden[0].part_from_instance)
    there = [_moved(each.centre_mm, instance) for each in spots]
    caps = [_cap(each, BLUE) for each in there]
    with _painted(part, work, caps) as judge:
        scans = [part / scan.relative_to(judge.part) for scan in judge.good_scans()]
        return {row.name: _asked(judge, scans[:PARTS], row, there, caps) for row in HUE_ROWS}


@contextmanager
def _painted(part: Path, work: Path, caps: Sequence[Cap]) -> Iterator[Judge]:
    """Of the part type in colour, its golden part with these caps."""
    folder = work / "painted" / part.name
    if not folder.exists():
        copy_part_files(part / "golden", folder)
        write_painted(part / "golden", folder / "golden", caps)
        (folder / "test").symlink_to(part.resolve() / "test")
    with Judge.of(folder, work / "of-colour") as judge:
        yield judge


def _asked(
    judge: Judge, scans: Sequence[Path], row: HueRow, there: Sequence[Array], caps: Sequence[Cap]
) -> list[Answer]:
    answers = []
    for number, scan in enumerate(scans):
        taken = photos(scan)
        if row.across_mm is None:
            at = [_moved(each, taken[0].part_from_instance) for each in there]
            shown = [_in_colour(photo, [_cap(each, RED) for each in there]) for photo in taken]
            reach_mm = CAP_MM
        else:
            spots = places(taken, PER_PART, np.random.default_rng([SEED, number]))
            at, reach_mm = [each.centre_mm for each in spots], row.across_mm / 2
            shown = [_in_colour(photo, caps, spots, reach_mm) for photo in taken]
        views = recorded(scan)
        altered: list[View] = [
            replace(with_picture(view, picture), depth_mm=view.depth_mm)
            for view, picture in zip(views, shown, strict=True)
        ]
        answers += judge.answers_at(altered, at, reach_mm)
    return answers


def _cap(centre_mm: Array, hue: tuple[float, float, float]) -> Cap:
    x, y, z = centre_mm.tolist()
    return Cap((x, y, z), CAP_MM, hue)


def _moved(point_mm: Array, a_from_b: Array) -> Array:
    moved: Array = a_from_b[:3, :3] @ point_mm + a_from_b[:3, 3]
    return moved


def _in_colour(
    photo: Photo, caps: Sequence[Cap], spots: Sequence[Place] = (), radius_mm: float = 0.0
) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    depth = filled(np.nan_to_num(photo.depth_mm))
    height, width = photo.image.shape
    u, v = np.meshgrid(np.arange(width, dtype=float), np.arange(height, dtype=float))
    rays = photo.directions(np.stack([u, v], axis=-1).reshape(-1, 2)).reshape(height, width, 3)
    points = photo.eye_mm + rays * depth[..., None]
    hue = hue_of(points, photo.part_from_instance, caps)
    for spot in spots:
        share = _share(photo, points, spot, radius_mm)[..., None]
        hue = (1 - share) * hue + share * np.array(RED)
    return coloured(photo.image, hue)


def _share(photo: Photo, points: Array, spot: Place, radius_mm: float) -> Array:
    """(h, w) of each pixel, how much of it a disc in the spot's plane covers."""
    share = np.zeros(photo.image.shape)
    along, across, above = spot.in_plane(points.reshape(-1, 3))
    near = (np.hypot(along, across) < 3 * radius_mm) & (np.abs(above) < ON_PLANE_MM)
    at = np.flatnonzero(near)
    if not len(at) or spot.normal @ (photo.eye_mm - spot.centre_mm) <= 0:
        return share
    rows, columns = np.unravel_index(at, share.shape)
    offsets = (np.arange(SAMPLES) + 0.5) / SAMPLES - 0.5
    for down in offsets:
        for right in offsets:
            rays = photo.directions(np.stack([columns + right, rows + down], axis=-1))
            scale = ((spot.centre_mm - photo.eye_mm) @ spot.normal) / (rays @ spot.normal)
            s, t, _ = spot.in_plane(photo.eye_mm + scale[:, None] * rays)
            share[rows, columns] += (np.hypot(s, t) <= radius_mm) / SAMPLES**2
    return share
