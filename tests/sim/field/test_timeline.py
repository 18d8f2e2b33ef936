"""A virtual cell that exposes while its arm moves would blame the box for its own mistake."""

from __future__ import annotations

import json

import numpy as np
import numpy.typing as npt
import pytest

from tests.kits.repository import ROOT
from voxgate.runtime.scans.open_scan import open_scan
from voxgate.runtime.scans.scan import Scan
from voxgate.sim.field.timeline import Sample, timeline_from_scan

GOOD = ROOT / "examples" / "bracket" / "good"
MS = 1_000_000
STANDING_MM = 0.15  # encoder noise of a standing arm, both ends of a window


def _positions(samples: tuple[Sample, ...]) -> npt.NDArray[np.float64]:
    return np.array([sample.p_mm for sample in samples])


@pytest.fixture(scope="module")
def scan() -> Scan:
    return open_scan(GOOD)


@pytest.mark.parametrize("speed", [0.5, 1.0, 3.0, 20.0])
def test_the_arm_stands_around_every_exposure(scan: Scan, speed: float) -> None:
    timeline = timeline_from_scan(scan, speed)
    t_ns = np.array([sample.t_ns for sample in timeline.samples])
    p_mm = _positions(timeline.samples)
    for exposure in timeline.exposures:
        near = (t_ns > exposure.t_ns - 30 * MS) & (t_ns < exposure.end_ns + 30 * MS)
        assert near.sum() >= 7
        assert np.ptp(p_mm[near], axis=0).max() < STANDING_MM


@pytest.mark.parametrize("speed", [0.5, 3.0, 20.0])
def test_another_speed_is_the_same_path_at_the_same_rate(scan: Scan, speed: float) -> None:
    recorded, played = timeline_from_scan(scan), timeline_from_scan(scan, speed)
    assert (played.end_ns < recorded.end_ns) == (speed > 1)
    periods = np.diff([sample.t_ns for sample in played.samples])
    assert (periods == 8 * MS).all()
    lengths = np.linalg.norm([sample.q_wxyz for sample in played.samples], axis=1)
    np.testing.assert_allclose(lengths, 1.0, atol=1e-9)
    path, other = _positions(recorded.samples), _positions(played.samples)
    step_mm = np.linalg.norm(np.diff(path, axis=0), axis=1).max()
    off_mm = np.linalg.norm(path[:, None] - other[None, ::7], axis=2).min(axis=0)
    assert off_mm.max() <= step_mm / 2 + STANDING_MM


def test_the_recording_is_played_sample_for_sample_at_its_own_speed(scan: Scan) -> None:
    samples = timeline_from_scan(scan).samples
    assert len(samples) == len(scan.poses)
    np.testing.assert_allclose(
        _positions(samples), [pose.base_from_flange[:3, 3] for pose in scan.poses]
    )


def test_both_streams_meet_where_they_met_when_recorded(scan: Scan) -> None:
    """Exposure starts on the robot's time line, against the truth: within the networks' jitter."""
    truth = json.loads((GOOD / "truth.json").read_text(encoding="utf-8"))
    robot = truth["clocks"]["host_from_robot"]
    first_pose_s = robot["scale"] * scan.poses[0].t_robot_ns / 1e9 + robot["offset"]
    true_ns = (np.array(truth["exposure_start_host_s"]) - first_pose_s) * 1e9
    played_ns = [exposure.t_ns for exposure in timeline_from_scan(scan).exposures]
    np.testing.assert_allclose(played_ns, true_ns, atol=1.5 * MS)
