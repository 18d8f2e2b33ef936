"""Poses and frames into the synchronizer: what is missing or malformed is counted and named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from voxgate.runtime.geometry.calibration import Calibration
from voxgate.runtime.jobs.intake import Intake, PlacedView
from voxgate.runtime.nouns import Frame, Reason
from voxgate.runtime.scans.recording import NoRecording
from voxgate.runtime.sync.synchronizer import Synchronizer
from voxgate.runtime.telemetry.metrics import Metrics
from voxgate.runtime.wire.poses import PoseMessage

MS = 1_000_000
START_NS = 10**12
ROBOT_NS = 5 * 10**12  # its clock is so much ahead
CAMERA_NS = 7 * 10**11
DELAY_NS = MS // 2
CALIBRATION = Calibration.load(Path("examples/bracket/calibration.json"))


def pose(number: int, **changes: object) -> bytes:
    fields = {
        "seq": number,
        "t_robot_ns": START_NS + number * 8 * MS + ROBOT_NS,
        "p_mm": (500.0, 0.0, 500.0),
        "q_wxyz": (1.0, 0.0, 0.0, 0.0),
    }
    return PoseMessage.model_validate(fields | changes).to_json()


def arrival_ns(number: int) -> int:
    return START_NS + number * 8 * MS + DELAY_NS


def frame(t_host_ns: int, frame_id: int = 1) -> Frame:
    exposure_ns = 2 * MS
    image = np.zeros((CALIBRATION.height_px, CALIBRATION.width_px), np.uint8)
    arrival = t_host_ns + exposure_ns + CALIBRATION.readout_ns + DELAY_NS
    return Frame("cam0", frame_id, t_host_ns + CAMERA_NS, arrival, exposure_ns, image)


@pytest.fixture
def metrics() -> Metrics:
    return Metrics("cell", ("cam0",))


@pytest.fixture
def intake(metrics: Metrics) -> Intake:
    return Intake(Synchronizer(CALIBRATION, 20 * MS, 1.0), metrics)


def feed(intake: Intake, first: int, last: int) -> None:
    for number in range(first, last):
        intake.stash_pose(pose(number), arrival_ns(number))
    assert intake.settle() == []


def counted(metrics: Metrics, name: str) -> float:
    found = metrics.registry.get_sample_value(f"voxgate_{name}_total")
    assert found is not None
    return found


def test_frame_between_poses_becomes_a_view_with_its_exposure_on_the_host_clock(
    intake: Intake,
) -> None:
    exposed_ns = START_NS + 400 * MS
    feed(intake, 0, 54)
    intake.begin(NoRecording())
    intake.add_frame(frame(exposed_ns))
    feed(intake, 54, 75)
    (placed,) = intake.take(arrival_ns(75))
    assert isinstance(placed, PlacedView)
    assert abs(placed.exposure_end_ns - (exposed_ns + 2 * MS)) <= placed.residual_ns


def test_lost_poses_are_counted_and_named(intake: Intake, metrics: Metrics) -> None:
    feed(intake, 0, 3)
    intake.stash_pose(pose(7), arrival_ns(7))
    (note,) = intake.settle()
    assert note.reason is Reason.POSE_GAP
    assert note.detail.startswith("4 robot poses lost")
    assert counted(metrics, "poses_lost") == 4


def test_robot_program_that_starts_again_is_no_loss(intake: Intake, metrics: Metrics) -> None:
    feed(intake, 100, 103)
    intake.stash_pose(pose(104, seq=0), arrival_ns(104))
    assert intake.settle() == []
    assert counted(metrics, "poses_lost") == 0


@pytest.mark.parametrize("payload", [b"", b"{}", b"\xff", b"x" * 5000, pose(0)[:-1]])
def test_malformed_pose_is_a_note_and_nothing_else(
    intake: Intake, metrics: Metrics, payload: bytes
) -> None:
    intake.stash_pose(payload, START_NS)
    (note,) = intake.settle()
    assert note.reason is Reason.POSE_INVALID
    assert counted(metrics, "poses_malformed") == 1


def test_flush_names_what_still_waited_for_poses(intake: Intake) -> None:
    feed(intake, 0, 20)
    intake.begin(NoRecording())
    intake.add_frame(frame(arrival_ns(20)))
    assert intake.flush().reason is Reason.POSE_MISSING
    assert intake.take(arrival_ns(21)) == []


def test_clock_that_is_set_is_noticed_once(intake: Intake) -> None:
    feed(intake, 0, 200)
    assert intake.stepped() is None
    for number in range(200, 400):
        ahead = {"t_robot_ns": START_NS + number * 8 * MS + 2 * ROBOT_NS}
        intake.stash_pose(pose(number, **ahead), arrival_ns(number))
    intake.settle()
    note = intake.stepped()
    assert note is not None
    assert note.reason is Reason.CLOCK_UNSYNCED
    assert intake.stepped() is None


def test_gauges_show_offset_residual_and_gap(intake: Intake, metrics: Metrics) -> None:
    feed(intake, 0, 200)
    intake.show_clocks()
    value = metrics.registry.get_sample_value
    offset_s = value("voxgate_clock_offset_seconds", {"clock": "robot"})
    assert offset_s == pytest.approx(-ROBOT_NS / 1e9, abs=0.01)
    assert np.isnan(value("voxgate_clock_offset_seconds", {"clock": "camera"}) or 0.0)
    assert value("voxgate_pose_gap_seconds") == pytest.approx(0.008)
