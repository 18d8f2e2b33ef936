"""A camera and the 3D sensor beside it fire apart: each half has its own place, none is missed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from tests.kits import moving_robot, rig
from tests.kits.moving_robot import MS, Cell, S, in_order
from voxgate.runtime.geometry.calibration import Calibration
from voxgate.runtime.geometry.sensor import Sensor
from voxgate.runtime.nouns import Device, Frame, Pose, Reason, View
from voxgate.runtime.sync.rejection import Rejection
from voxgate.runtime.sync.synchronizer import Synchronizer

SENSOR_PX = (3, 4)
BESIDE = replace(
    moving_robot.CALIBRATION,
    sensor=Sensor(SENSOR_PX[1], SENSOR_PX[0], np.eye(3), np.zeros(5), rig.camera_from_sensor()),
)
LATER_NS = 40 * MS  # the sensor fires so long after the camera
SENSOR_OFFSET_NS = 77 * S


def _sensed(cell: Cell, frame: Frame, exposure_ns: int = 8 * MS) -> Frame:
    """Of the sensor, by its own clock and count, some ms after the camera's frame."""
    start_ns = cell.exposures_ns()[frame.frame_id] + LATER_NS
    return Frame(
        camera="sensor",
        frame_id=500 + frame.frame_id,
        t_device_ns=start_ns + SENSOR_OFFSET_NS,
        t_arrival_ns=start_ns + exposure_ns + BESIDE.readout_ns + MS,
        exposure_ns=exposure_ns,
        image=np.zeros(SENSOR_PX, np.uint8),
        depth_mm=np.full(SENSOR_PX, 400.0, np.float32),
        device=Device.SENSOR,
    )


def _halves(cell: Cell, exposure_ns: int = 8 * MS) -> tuple[list[Frame], list[Frame]]:
    frames = cell.frames()
    return frames, [_sensed(cell, frame, exposure_ns) for frame in frames]


def _run(cell: Cell, *frames: Frame) -> list[View | Rejection]:
    sync = Synchronizer(BESIDE, 20 * MS)
    results: list[View | Rejection] = []
    for event in _arriving(cell, frames):
        if isinstance(event, Pose):
            sync.add_pose(event)
        else:
            sync.add_frame(event)
        results += sync.take(event.t_arrival_ns)
    return results + sync.close()


def _arriving(cell: Cell, frames: tuple[Frame, ...]) -> Iterator[Pose | Frame]:
    arrived = sorted(frames, key=lambda frame: frame.t_arrival_ns)
    yield from in_order(cell.poses(), arrived)


def _alone(results: list[View | Rejection]) -> list[str]:
    return [each.note.detail for each in results if isinstance(each, Rejection)]


def test_the_sensor_is_placed_where_the_camera_was_and_not_where_it_was_itself() -> None:
    cell = Cell(3, speed_mm_s=60)
    frames, sensed = _halves(cell)
    views = _run(cell, *frames, *sensed)
    assert len(views) == len(frames)
    moved = []
    for view in views:
        assert isinstance(view, View)
        assert view.sensed is not None
        assert view.sensed.frame_id == 500 + view.frame_id
        start_ns = cell.exposures_ns()[view.frame_id]
        true = [
            known.part_from_camera(cell.base_from_flange(start_ns + late_ns + 4 * MS))
            for known, late_ns in ((BESIDE, 0), (BESIDE.of_depth, LATER_NS))
        ]
        for half, where in zip((view, view.sensed), true, strict=True):
            off_mm = float(np.linalg.norm(half.part_from_camera[:3, 3] - where[:3, 3]))
            assert off_mm <= half.uncertainty_mm
        moved.append(float(np.linalg.norm(true[0][:3, 3] - (true[1] @ _back())[:3, 3])))
    assert max(moved) > 1.0  # else the camera's place would have done


def _back() -> np.ndarray:
    return np.linalg.inv(rig.camera_from_sensor())


@pytest.mark.parametrize("missing", [Device.CAMERA, Device.SENSOR])
def test_a_half_that_never_came_is_not_named(missing: Device) -> None:
    cell = Cell(4, period_ms=500, speed_mm_s=300)
    frames, sensed = _halves(cell)
    lost = frames if missing is Device.CAMERA else sensed
    del lost[2]
    results = _run(cell, *frames, *sensed)
    views = [each.frame_id for each in results if isinstance(each, View)]
    assert 2 not in views
    assert len(views) == 4
    reasons = {each.note.reason for each in results if isinstance(each, Rejection)}
    assert reasons == {Reason.MISSING_VIEW}
    name = "sensor frame 502" if missing is Device.CAMERA else "frame 2"
    assert _alone(results) == [f"{name}: no frame of the {missing.value} was taken where it was"]


@pytest.mark.parametrize(("speed_mm_s", "stands"), [(0, True), (30, False)])
def test_a_sensor_exposes_for_long_while_the_robot_moves(speed_mm_s: float, stands: bool) -> None:
    cell = Cell(5, speed_mm_s=speed_mm_s, period_ms=600, duration_ms=4000)
    frames, sensed = _halves(cell, exposure_ns=300 * MS)
    results = _run(cell, *frames, *sensed)
    views = [each for each in results if isinstance(each, View)]
    if stands:
        assert len(views) == len(frames)
        return
    assert not views
    told = [each.note for each in results if isinstance(each, Rejection)]
    standing = [note for note in told if note.reason is Reason.POSE_UNCERTAIN]
    assert len(standing) == len(sensed)
    assert "the sensor may have moved" in standing[0].detail
    assert "must stand" in standing[0].detail


def test_the_long_readout_of_a_sensor_shifts_its_clock() -> None:
    own = rig.document()
    own["sensor"]["frame_readout_s"] = 0.25
    known = Calibration.from_text(json.dumps(own))
    assert (known.readout_ns, known.of_depth.readout_ns) == (rig.calibration().readout_ns, 250 * MS)


def test_a_sensor_that_no_calibration_describes_is_read_as_the_camera() -> None:
    cell = Cell(6)
    sync = Synchronizer(moving_robot.CALIBRATION, 20 * MS)
    sync.add_frame(_sensed(cell, cell.frames()[0]))
    (rejected,) = sync.take(10 * S)
    assert isinstance(rejected, Rejection)
    assert rejected.note.reason is Reason.FRAME_INVALID
    assert "of no sensor" in rejected.note.detail


def test_a_job_before_leaves_a_half_to_the_next_one() -> None:
    cell = Cell(7)
    sync = Synchronizer(BESIDE, 20 * MS)
    for event in _arriving(cell, tuple(cell.frames())):
        if isinstance(event, Pose):
            sync.add_pose(event)
        else:
            sync.add_frame(event)
    sync.take(10 * S)
    sync.clear()
    assert sync.take_alone() == []
