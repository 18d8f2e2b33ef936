"""A bumped camera must not pass parts, and a good one must not be accused."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from scipy.spatial.transform import Rotation

from tests.kits.calib_kit import bump
from tests.kits.scene import camera, look, offset, rays
from tests.kits.small_scan import small_bracket
from voxgate.runtime.config.limits import Limits
from voxgate.runtime.geometry.drift import DriftGauge
from voxgate.runtime.inspection.decide import Findings, decide
from voxgate.runtime.nouns import Drift, Outcome, Reason, View
from voxgate.runtime.offline.inspect_scan import inspect_folder
from voxgate.runtime.transforms import Transform, distance_mm, invert

RING = [camera(azimuth, elevation) for azimuth in range(0, 360, 60) for elevation in (35.0, 55.0)]


@cache
def scan(noise_mm: float = 0.03) -> tuple[View, ...]:
    """Twelve views of a part, at exact poses."""
    return tuple(look(pose, noise_mm=noise_mm, seed=n) for n, pose in enumerate(RING))


def measured(views: list[View], partly: bool = False) -> Drift | None:
    gauge = DriftGauge(rays())
    for view in views:
        gauge.add(view)
    return gauge.measure(partly)


def bumped(views: tuple[View, ...], moved: Transform) -> list[View]:
    """The same views, believed to be taken by a camera that sits elsewhere on the flange."""
    return [replace(view, part_from_camera=view.part_from_camera @ moved) for view in views]


def test_honest_scan_shows_no_drift() -> None:
    found = measured(list(scan()))
    assert found is not None
    assert found.drift_mm < 0.05
    assert found.residual_mm < 0.1


def test_views_around_one_axis_say_nothing_or_more_than_they_can() -> None:
    """They tell a shift across it, and neither a turn about it nor a shift along it."""
    ring = tuple(look(camera(azimuth), seed=azimuth) for azimuth in range(0, 360, 60))
    across = bumped(ring, offset((0.5, 0, 0), (0, 0, 0)))
    assert measured(across) is None
    found = measured(across, partly=True)
    assert found is not None
    assert found.drift_mm == pytest.approx(0.5, abs=0.05)
    assert found.told == pytest.approx(np.sqrt(4 / 6))
    honest = measured(list(ring), partly=True)
    assert honest is not None
    assert honest.drift_mm < 0.05


BUMPS = {
    "along x": offset((0.5, 0, 0), (0, 0, 0)),
    "along the view": offset((0, 0, 0.7), (0, 0, 0)),
    "tilted": offset((0, 0, 0), (0.1, 0, 0)),
    "rolled": offset((0, 0, 0), (0, 0, 0.5)),
    "everything": offset((0.3, -0.2, 0.4), (0.05, 0.08, -0.1)),
}


@pytest.mark.parametrize("name", BUMPS)
def test_bumped_camera_is_measured(name: str) -> None:
    moved = BUMPS[name]
    found = measured(bumped(scan(), moved))
    assert found is not None
    assert found.drift_mm > 0.3
    back = found.camera_from_before @ moved
    assert distance_mm(back, np.eye(4)) < 0.15
    assert np.degrees(Rotation.from_matrix(back[:3, :3]).magnitude()) < 0.03
    assert found.drift_px == pytest.approx(found.drift_mm * 480 / 420, rel=0.8)


def test_defect_on_the_part_is_no_drift() -> None:
    """Half of the part is gone, but all views agree on that."""
    body = (((-50.0, -30.0, 0.0), (50.0, 30.0, 25.0)),)
    found = measured([look(pose, body, seed=n) for n, pose in enumerate(RING)])
    assert found is not None
    assert found.drift_mm < 0.06


def test_part_that_stands_off_its_fixture_is_no_drift() -> None:
    standing = offset((1.5, -1.0, 0.0), (0, 0, 1.0))
    views = [look(pose, part_from_instance=standing, seed=n) for n, pose in enumerate(RING)]
    found = measured(views)
    assert found is not None
    assert found.drift_mm < 0.06


def test_views_that_share_no_surface_say_nothing() -> None:
    assert measured(list(scan()[:1])) is None
    nothing = np.full_like(rays().x, np.nan)
    assert measured([replace(view, depth_mm=nothing) for view in scan()]) is None


def test_view_without_depth_is_refused() -> None:
    with pytest.raises(ValueError, match="no depth"):
        DriftGauge(rays()).add(replace(scan()[0], depth_mm=None))


def test_next_part_begins_from_nothing() -> None:
    gauge = DriftGauge(rays())
    for view in bumped(scan(), BUMPS["along x"]):
        gauge.add(view)
    gauge.clear()
    for view in scan():
        gauge.add(view)
    found = gauge.measure()
    assert found is not None
    assert found.drift_mm < 0.05


def evidence(drift: Drift | None) -> Findings:
    return Findings(
        score=0.2,
        defects=(),
        coverage=1.0,
        hole_mm2=0.0,
        hole_max_mm2=20.0,
        outside=0.0,
        alignment=None,
        notes=(),
        drift=drift,
    )


def drift_of(drift_mm: float) -> Drift:
    return Drift(drift_mm, 1.0, 0.05, np.eye(4), 10_000)


def test_drift_over_the_limit_is_indeterminate() -> None:
    outcome, notes = decide(evidence(drift_of(0.31)), Limits(drift_max_mm=0.3))
    assert outcome is Outcome.INDETERMINATE
    assert [note.reason for note in notes] == [Reason.CALIBRATION_DRIFT]
    assert "0.31 mm" in notes[0].detail
    assert "voxgate calib verify" in notes[0].detail


@pytest.mark.parametrize("drift", [None, drift_of(0.3)])
def test_drift_within_the_limit_or_unknown_is_no_reason(drift: Drift | None) -> None:
    assert decide(evidence(drift), Limits(drift_max_mm=0.3)) == (Outcome.PASS, ())


def test_correction_is_a_rigid_transform() -> None:
    found = measured(bumped(scan(), BUMPS["everything"]))
    assert found is not None
    turn: npt.NDArray[np.float64] = found.camera_from_before
    assert invert(turn) @ turn == pytest.approx(np.eye(4), abs=1e-9)


@pytest.mark.slow
def test_bumped_camera_does_not_pass_a_good_part(small_recipe: Path, tmp_path: Path) -> None:
    moved = offset((0.6, 0.0, 0.0), (0.05, 0.0, 0.0))
    folder = bump(small_bracket() / "good", tmp_path / "bumped", moved)
    verdict = inspect_folder(folder, small_recipe).verdict
    assert verdict.outcome is Outcome.INDETERMINATE
    assert Reason.CALIBRATION_DRIFT in verdict.reasons
    assert verdict.drift is not None
    assert verdict.drift.drift_mm > 0.3


@pytest.mark.slow
def test_good_part_is_not_accused(small_recipe: Path) -> None:
    found = inspect_folder(small_bracket() / "good", small_recipe)
    assert found.verdict.outcome is Outcome.PASS
    assert found.message.drift is not None
    assert found.message.drift.drift_mm < 0.2
