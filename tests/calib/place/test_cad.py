"""A part laid onto another part's CAD, or turned on its own, is placed wrong for every job."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from tests.kits import scene
from tests.kits.scene import BODY, BOLT, PART, PLATE, TOWER, Box
from voxgate.calib import gates as limits
from voxgate.calib.gates import gates
from voxgate.calib.numerics.twist import motion
from voxgate.calib.place.cad import Placed, place_part
from voxgate.calib.place.points import Cloud
from voxgate.calib.place.scan_surface import surface_of, together
from voxgate.calib.place.surface import Surface, mesh_surface
from voxgate.runtime.transforms import Transform

pytestmark = pytest.mark.slow

Boxes = tuple[Box, ...]
FACES = (
    (0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3),
)  # fmt: skip
LONGER: Box = ((-60.0, -30.0, 0.0), (60.0, 30.0, 25.0))
TURNED = motion(np.array([0, 0, np.pi, 0, 0, 0.0]))
NEAR = motion(np.array([0.02, 0.03, 0.08, 4, -5, 3.0]))


@cache
def cad(boxes: Boxes) -> Surface:
    """Twelve triangles a box, normals outwards."""
    corners = []
    for box in boxes:
        points = scene.corners((box,))
        for a, b, c, d in FACES:
            corners += [points[[a, b, c]], points[[a, c, d]]]
    return mesh_surface(Cloud(np.concatenate(corners), None, _numbered(len(corners))))


def _numbered(count: int) -> np.typing.NDArray[np.int64]:
    return np.arange(3 * count).reshape(-1, 3)


@cache
def scanned(boxes: Boxes) -> Surface:
    looks = [scene.camera(72.0 * number, 35.0 + 10 * (number % 2)) for number in range(5)]
    views = [scene.look(pose, boxes, seed=number) for number, pose in enumerate(looks)]
    return together([surface_of(view, scene.rays()) for view in views])


def missed(placed: Placed, said: bool) -> set[str]:
    like, sigma = placed.like, np.sqrt(np.diag(placed.covariance))
    figures = {
        "rms_mm": placed.rms_mm, "largest_mm": like.largest_mm, "tail_mm": like.tail_mm,
        "sigma_mm": sigma[3:].max(), "sigma_deg": np.degrees(sigma[:3].max()),
        "matched": like.matched, "covered": like.covered, "second_best": placed.second_best(said),
    }  # fmt: skip
    return {gate.name for gate in gates(figures, limits.PART | limits.CAD) if not gate.ok}


@pytest.mark.parametrize("start", [None, pytest.param(NEAR, marks=pytest.mark.nightly)])
def test_part_on_its_own_cad_keeps_every_limit(start: Transform | None) -> None:
    placed = place_part(scanned(PART), cad(PART), start)
    assert np.abs(placed.base_from_part - np.eye(4)).max() < 0.05
    assert missed(placed, start is not None) == set()


OTHERS: dict[str, tuple[Boxes, Boxes, Transform | None, str]] = {
    "scan has a tower more": (PART, (BODY, BOLT), None, "matched_min"),
    "scan has no tower": ((BODY, BOLT), PART, None, "covered_min"),
    "turned by half a turn": (PART, PART, TURNED, "second_best_max"),
    "a plate": (PART, PLATE, None, "matched_min"),
    "twenty millimetres longer": (PART, (LONGER, TOWER, BOLT), None, "tail_max_mm"),
}


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[] if n < 1 else pytest.mark.nightly)
     for n, name in enumerate(OTHERS)],
)  # fmt: skip
def test_another_parts_cad_is_not_written(name: str) -> None:
    scan, drawing, start, limit = OTHERS[name]
    assert limit in missed(place_part(scanned(scan), cad(drawing), start), start is not None)


def test_symmetric_part_says_by_what_and_asks_which_place_is_meant() -> None:
    placed = place_part(scanned((BODY,)), cad((BODY,)), NEAR)
    equal = [each for each in placed.rivals if each.symmetric]
    assert any(str(each).startswith("turned by 180 deg about") for each in equal)
    assert missed(placed, said=False) == {"second_best_max"}
    assert missed(placed, said=True) == set()


@pytest.mark.nightly  # by day a symmetric part, above
def test_plate_seen_from_above_is_free_to_slide() -> None:
    """One plane leaves three directions open; it ended with a traceback."""
    flat = scanned(PLATE)
    above = (np.abs(flat.points[:, 2] - 10.0) < 0.5) & (flat.normals[:, 2] > 0.99)
    top = Surface(flat.points[above], flat.normals[above], flat.eyes)
    placed = place_part(top, cad(PLATE), NEAR)
    assert len(placed.open_ways) == 3
    assert {"sigma_max_mm", "sigma_max_deg"} <= missed(placed, said=True)
