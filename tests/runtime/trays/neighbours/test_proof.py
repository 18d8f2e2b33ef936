"""A verdict says that fainter faults would have been found than the pictures can show."""

from __future__ import annotations

import numpy as np
import pytest

from voxgate.runtime.instances import Proven, Wanted
from voxgate.runtime.trays.doubts import BLACK, blind, too_coarse
from voxgate.runtime.trays.neighbours.look import Look, LookDifference, _without_light
from voxgate.runtime.trays.neighbours.proof import proven
from voxgate.runtime.trays.neighbours.shape import Difference
from voxgate.runtime.trays.surface import Grid

GRID = Grid(np.zeros(3), (8, 8, 8), 1.5)
NOTHING = np.zeros(GRID.shape, np.float32)


def found(grain: float = 0.1, rough_mm: float = 0.05, seen: float = 0.9, views: int = 20) -> Proven:
    """Of a tray whose parts scatter so, and of each of which this share is seen."""
    believed = (np.arange(100) < 100 * seen).astype(np.float64)
    shape = Difference(NOTHING, rough_mm, 0.1, 1.0, 0, believed.astype(np.float32))
    look = LookDifference(NOTHING, grain, 4, 0.1, 1.0, believed)
    return proven(GRID, views, [shape] * 3, [Look(look, (), (0.0,))] * 3)


def test_a_mark_on_a_grainy_face_is_promised_as_on_a_plain_one() -> None:
    plain, grainy = found(grain=0.1), found(grain=0.3)
    assert 0.1 < plain.contrast < 0.4
    assert plain.contrast + 0.2 < grainy.contrast < 1


def test_a_hollow_in_a_rough_face_is_promised_as_in_a_plain_one() -> None:
    plain, rough = found(rough_mm=0.02).depth_mm, found(rough_mm=0.06).depth_mm
    assert plain is not None
    assert rough == pytest.approx(3 * plain)


def test_faults_are_promised_where_less_than_half_of_a_part_is_seen() -> None:
    unseen = found(seen=0.4)
    assert unseen.depth_mm is None
    assert unseen.contrast > BLACK
    assert [*blind(unseen)]
    assert not [*blind(found())]


def test_fewer_views_prove_as_small_a_fault() -> None:
    assert found(views=8).smallest_mm > 1.5 * found(views=20).smallest_mm


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        (Wanted(3.0), "nothing smaller than 4.0 mm"),
        (Wanted(contrast=0.3), "no mark fainter than 40%"),
        (Wanted(depth_mm=0.5), "no hollow flatter than 0.80 mm"),
    ],
)
def test_what_must_be_found_and_was_not_proven_is_let_pass(wanted: Wanted, words: str) -> None:
    (note,) = too_coarse(Proven(4.0, 0.4, 0.8), wanted)
    assert words in note.detail
    assert not [*too_coarse(Proven(2.0, 0.2, 0.4), wanted)]
    assert not [*too_coarse(None, wanted)]


def test_a_hollow_is_let_pass_where_nothing_is_proven_of_hollows() -> None:
    (note,) = too_coarse(Proven(4.0, 0.4, None), Wanted(depth_mm=9.0))
    assert "prove no hollow, and 9.00 mm must be found" in note.detail


def test_light_from_above_is_made_up_where_parts_are_turned_about_the_vertical_alone() -> None:
    """They differ by nothing that tells of it: it was a print all over then, and no mark told."""
    rng = np.random.default_rng(4)
    normals = rng.normal(size=(2000, 3))
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    turned = [normals @ _leaning(degrees).T for degrees in (0.0, 95.0, 210.0)]
    looks = 4.5 + rng.normal(scale=0.05, size=(3, len(normals)))
    looks[0] += 0.1 * (normals[:, 2] > 0.9)  # what one part has more on its top
    lit = _without_light(looks, turned)
    assert np.std(np.median(lit, axis=0)) < 0.1


def _leaning(degrees: float) -> np.typing.NDArray[np.float64]:
    """About the vertical, and hardly at all about anything else."""
    c, s = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    lean = 1e-3 * degrees / 100
    about_z = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
    return np.asarray(about_z @ np.array([[1, 0, lean], [0, 1, 0], [-lean, 0, 1]]))
