"""Poses and frames into the synchronizer: what is missing or malformed is counted and named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from voxgate.runtime.geometry.calibration import Calibration
from voxgate.runtime.jobs.intake import Intake, PlacedView
from voxgate.runtime.nouns import Frame, Note, Reason
from voxgate.runtime.scans.recording import NoRecording
from voxgate.runtime.sync.rejection import Rejection
from voxgate.runtime.sync.synchronizer import Synchronizer
from voxgate.runtime.telemetry.metrics import Metrics
from voxgate.runtime.wire.poses import PoseMessage

MS = 1_000_000
START_NS = 10**12
ROBOT_NS = 5 * 10**12  # its clock is so much ahead
CAMERA_NS = 7 * 10**11
DELAY_NS = MS // 2
JITTER_NS = 20_000
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
    """Now sooner, now later: of delays that are all alike every one is a bound to compute with."""
    return START_NS + number * 8 * MS + DELAY_NS + number * 7 % 11 * JITTER_NS


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


def feed_two(intake: Intake, first: int, count: int, **changes: int) -> list[Note]:
    """The robot goes on from `first`; a second sender says `count` poses between, then goes.

    changes: by how much its seq and its stamp differ from the robot's.
    """
    notes = []
    for number in range(first, first + 60):
        intake.stash_pose(pose(number), arrival_ns(number))
        if 10 <= number - first < 10 + count:
            seq = max(0, number + changes.get("seq", 0))
            stamp = START_NS + number * 8 * MS + 4 * MS + ROBOT_NS + changes.get("stamp", 0)
            strange = pose(number, seq=seq, t_robot_ns=stamp, p_mm=(0.0, 0.0, 900.0))
            intake.stash_pose(strange, arrival_ns(number) + 4 * MS)
        notes += intake.settle()
    return notes


@pytest.mark.parametrize("count", [1, 5, 24])
@pytest.mark.parametrize("stamp", [0, -(10**9), 3600 * 10**9])
@pytest.mark.parametrize("seq", [96_410, 0, 1, 3, -1, -7, -310, -300, 2**62])
def test_second_sender_is_named_and_shifts_no_counter(
    intake: Intake, metrics: Metrics, seq: int, stamp: int, count: int
) -> None:
    feed(intake, 0, 300)
    notes = feed_two(intake, 300, count, seq=seq, stamp=stamp)
    assert Reason.POSE_ORDER in {note.reason for note in notes}
    assert counted(metrics, "poses_lost") <= 10
    assert counted(metrics, "poses_out_of_order") >= 1
    feed(intake, 360, 400)


@pytest.mark.parametrize(
    "changes",
    [
        {"seq": 19},
        {"seq": 12},
        {"seq": 2**60},
        {"t_robot_ns": START_NS + 19 * 8 * MS + ROBOT_NS},
        {"t_robot_ns": START_NS + 18 * 8 * MS + ROBOT_NS},
    ],
    ids=["seq repeats", "seq falls", "seq jumps", "stamp repeats", "stamp falls"],
)
def test_pose_out_of_its_order_is_a_fault_with_a_name(
    intake: Intake, changes: dict[str, int]
) -> None:
    feed(intake, 0, 20)
    intake.stash_pose(pose(20, **changes), arrival_ns(20))
    (note,) = intake.settle()
    assert note.reason is Reason.POSE_ORDER


def test_restart_of_the_robots_program_is_told_once(intake: Intake) -> None:
    feed(intake, 100, 103)
    intake.stash_pose(pose(104, seq=0), arrival_ns(104))
    intake.settle()
    note = intake.stepped()
    assert note is not None
    assert note.reason is Reason.POSE_ORDER
    assert intake.stepped() is None


def test_restart_of_the_robots_program_before_the_job_is_held_against_it(intake: Intake) -> None:
    feed(intake, 100, 103)
    intake.stash_pose(pose(104, seq=0), arrival_ns(104))
    intake.settle()
    intake.begin(NoRecording())
    assert intake.stepped() is None


def test_poses_lost_in_a_stall_of_the_network_are_counted(intake: Intake, metrics: Metrics) -> None:
    feed(intake, 0, 100)
    for number in (*range(100, 120), 400, 401):  # the first ones waited, those after were dropped
        intake.stash_pose(pose(number), arrival_ns(400) + number * 1000)
    (note,) = intake.settle()
    assert note.reason is Reason.POSE_GAP
    assert counted(metrics, "poses_lost") == 280


@pytest.mark.parametrize(
    ("ids", "refused"),
    [((1, 2, 2), [2]), ((5, 6, 3), [3]), ((65535, 1), []), ((255, 0, 1), []), ((7, 9), [])],
)
def test_frame_whose_id_repeats_or_falls_is_rejected(
    intake: Intake, metrics: Metrics, ids: tuple[int, ...], refused: list[int]
) -> None:
    feed(intake, 0, 54)
    intake.begin(NoRecording())
    for turn, frame_id in enumerate(ids):
        intake.add_frame(frame(START_NS + (400 + 20 * turn) * MS, frame_id))
    feed(intake, 54, 75)
    results = intake.take(arrival_ns(75))
    rejections = [result for result in results if isinstance(result, Rejection)]
    assert [rejection.frame_id for rejection in rejections] == refused
    assert all(rejection.note.reason is Reason.FRAME_INVALID for rejection in rejections)
    assert len(results) == len(ids)


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
    assert [note.reason for note in intake.flush()] == [Reason.POSE_MISSING]
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
