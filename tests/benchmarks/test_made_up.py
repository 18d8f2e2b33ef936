"""Made-up parts: what is rendered lies where the drawing says."""

from __future__ import annotations

import numpy as np
import pytest

from voxgate.benchmarks.limits.photo import Lens
from voxgate.benchmarks.made_up.made_up import main
from voxgate.benchmarks.made_up.part_types import TYPES, another
from voxgate.benchmarks.made_up.render import (
    Camera,
    Dent,
    Instance,
    Mark,
    Seen,
    measure,
    picture,
)
from voxgate.benchmarks.made_up.solids import BOX, ELLIPSOID, Solid, off_surface_mm, rod
from voxgate.benchmarks.made_up.write import _wrong
from voxgate.benchmarks.quality.detection import SCANS_VARIABLE

HIGH_MM, DISTANCE_MM = 20.0, 400.0
rendered = pytest.mark.nightly  # the first picture compiles the renderer, on every core
LENS = Lens(np.array([[400.0, 0, 80.0], [0, 400.0, 60.0], [0, 0, 1]]), np.zeros(5))
PLATE = Solid(BOX, (0.0, 0.0, HIGH_MM / 2), (40.0, 30.0, HIGH_MM / 2))


def above() -> Camera:
    """A camera over the middle of the plate that looks down."""
    pose = np.eye(4)
    pose[:3, :3], pose[:3, 3] = np.diag([1.0, -1.0, -1.0]), (0.0, 0.0, HIGH_MM + DISTANCE_MM)
    return Camera(LENS, (120, 160), pose)


@rendered
def test_a_plate_is_measured_elsewhere_than_it_lies() -> None:
    seen = measure(Instance((PLATE,)), above())
    assert seen.depth_mm[60, 80] == pytest.approx(DISTANCE_MM)
    assert seen.points_mm[60, 80] == pytest.approx([0.0, 0.0, HIGH_MM])
    assert seen.on_part.sum() == pytest.approx(80 * 60, rel=0.05)  # a pixel spans 1 mm


@rendered
def test_a_dent_stands_out() -> None:
    dented = Instance((PLATE,), dents=(Dent((0.0, 0.0, HIGH_MM), 12.0, 1.0),))
    deeper = measure(dented, above()).depth_mm - measure(Instance((PLATE,)), above()).depth_mm
    assert np.nanmax(deeper) == pytest.approx(1.0, abs=0.05)
    assert np.nanmin(deeper) == 0.0


@rendered
def test_a_mark_is_bright_or_not_said_to_be_one() -> None:
    mark = Mark((-5.0, 0.0, HIGH_MM), (5.0, 0.0, HIGH_MM), 3.0, 0.7)
    rng = np.random.default_rng(1)
    plain, marked = Instance((PLATE,)), Instance((PLATE,), marks=(mark,))
    darker = picture(plain, above(), rng).astype(int) - picture(marked, above(), rng)
    where = measure(marked, above()).marked
    assert where[60, 80]
    assert np.median(darker[where]) > 30
    assert abs(np.median(darker[~where])) <= 2


@pytest.mark.parametrize("kind", TYPES, ids=lambda kind: kind.name)
def test_a_way_to_be_bad_changes_nothing(kind: object) -> None:
    for part_type in (each for each in TYPES if each is kind):
        good = another(part_type, np.random.default_rng(2))
        for spoil in part_type.bad.values():
            bad = spoil(good)
            assert (bad.solids, bad.marks, bad.dents) != (good.solids, good.marks, good.dents)


@pytest.mark.parametrize(
    "solid",
    [
        PLATE,
        Solid(ELLIPSOID, (0.0, 0.0, 8.0), (30.0, 20.0, 12.0)),
        rod((0, 0, 5), (0, 0, 16), 4.0, PLATE.finish),
    ],
    ids=["box", "ellipsoid", "rod"],
)
def test_a_point_above_a_solid_is_said_to_lie_elsewhere(solid: Solid) -> None:
    points = np.array([[0.0, 0.0, HIGH_MM + up] for up in (0.5, 0.0, -0.5)])
    assert off_surface_mm(points, (solid,)) == pytest.approx([0.5, 0.0, -0.5], abs=0.02)


def _seen(*points: tuple[float, float, float]) -> Seen:
    """A row of pixels that met the part there."""
    every = np.ones((1, len(points)), np.bool_)
    return Seen(np.full(every.shape, 400.0), np.array([points]), every, ~every)


def test_the_far_side_of_what_has_moved_is_called_sound() -> None:
    """As published: a voxel is a defect's where the tested surface lies off the nominal one."""
    good = Instance((PLATE,))
    moved = Instance((PLATE.moved(1.2, 0.0, 0.0),))
    was = _seen((40.0, 0.0, 10.0), (-40.0, 0.0, 10.0), (0.0, 0.0, HIGH_MM))
    now = _seen((41.2, 0.0, 10.0), (-38.8, 0.0, 10.0), (0.0, 0.0, HIGH_MM))
    wrong, gone = _wrong(good, moved, was, now)
    assert wrong.tolist() == [[41.2, 0.0, 10.0], [-38.8, 0.0, 10.0]]
    assert not len(gone)


def test_what_a_missing_piece_uncovers_is_called_a_defect() -> None:
    pin = rod((0, 0, 15), (0, 0, 30), 4.0, PLATE.finish)
    good, without = Instance((PLATE, pin)), Instance((PLATE,))
    was, now = _seen((0.0, 0.0, 34.0), (30.0, 0.0, HIGH_MM)), _seen((30.0, 0.0, HIGH_MM))
    wrong, gone = _wrong(good, without, was, now)
    assert not len(wrong)
    assert gone.tolist() == [[0.0, 0.0, 34.0]]


def test_without_scans_nothing_is_made_up(
    tmp_path: object, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(SCANS_VARIABLE, str(tmp_path))
    main()
    assert "skipped" in capsys.readouterr().out
