"""What several cameras took of one part must not be mixed up, on disk or on the way into a file."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.kits import cameras
from voxgate.runtime.errors import CalibrationError, ScanError
from voxgate.runtime.nouns import Frame, Pose, View
from voxgate.runtime.scans.cell_scan import CellScan
from voxgate.runtime.scans.convert import convert_scan
from voxgate.runtime.scans.open_scan import open_part_scan, open_scan
from voxgate.runtime.scans.placed import lost_frames, replay
from voxgate.runtime.sync.synchronizer import Synchronizer
from voxgate.runtime.transforms import distance_mm


@pytest.fixture(scope="module", name="taken")
def _taken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    cell = cameras.on_robot_and_above()
    return cameras.write(tmp_path_factory.mktemp("taken") / "scan", cell, cameras.look(cell))


@pytest.fixture(name="scan")
def _scan(taken: Path, tmp_path: Path) -> Path:
    shutil.copytree(taken, tmp_path / "scan")
    return tmp_path / "scan"


def _events(path: Path) -> list[tuple[object, ...]]:
    scan = open_part_scan(path)
    assert isinstance(scan, CellScan)
    return [
        (event.t_arrival_ns, event.t_robot_ns)
        if isinstance(event, Pose)
        else (event.t_arrival_ns, event.camera, event.frame_id, event.image.tobytes())
        for event in scan.events()
    ]


def test_frames_of_several_cameras_come_out_of_a_file_as_another_camera_s(
    scan: Path, tmp_path: Path
) -> None:
    convert_scan(scan, tmp_path / "job.mcap")
    convert_scan(tmp_path / "job.mcap", tmp_path / "again")
    assert _events(tmp_path / "job.mcap") == _events(scan) == _events(tmp_path / "again")


def test_a_view_is_placed_by_another_cameras_calibration(scan: Path) -> None:
    found = open_part_scan(scan)
    placed = list(replay(found, Synchronizer(found.calibrations, 25_000_000)))
    views = [view for view in placed if isinstance(view, View)]
    assert len(views) == len(placed) == found.frame_count == 8
    for name, camera in cameras.on_robot_and_above().cameras.items():
        own = [view for view in views if view.camera == name]
        assert len(own) == len(camera.poses)
        for view, pose in zip(own, camera.poses, strict=True):
            assert distance_mm(view.part_from_camera, pose) < 1e-6


def test_a_frame_of_a_camera_that_the_cell_does_not_have_is_placed(scan: Path) -> None:
    found = open_part_scan(scan)
    frame = next(event for event in found.events() if isinstance(event, Frame))
    sync = Synchronizer(found.calibrations, 25_000_000)
    sync.add_frame(
        Frame("stranger", 0, frame.t_device_ns, frame.t_arrival_ns, 0, np.zeros((2, 2), np.uint8))
    )
    (refused,) = sync.take(frame.t_arrival_ns)
    assert not isinstance(refused, View)
    assert "of stranger, which is none of this cell's cameras" in refused.note.detail


def test_a_lost_frame_is_told_without_its_camera(scan: Path) -> None:
    file = scan / "cameras" / "wrist" / "frames.jsonl"
    lines = file.read_text().splitlines()
    file.write_text("\n".join([*lines[:2], *lines[3:]]) + "\n")
    (note,) = lost_frames(open_part_scan(scan))
    assert "of the camera wrist" in note.detail


def test_a_scan_of_several_cameras_is_read_as_one_of_its_first(scan: Path) -> None:
    with pytest.raises(ScanError, match="of the cameras wrist, left, right; name one"):
        open_scan(scan)
    assert len(open_scan(scan / "cameras" / "wrist").frames) == 6


def test_the_part_s_calibrations_are_asked_for_in_every_scan(scan: Path, tmp_path: Path) -> None:
    """They may lie once, above the scans of the part; another camera's is never taken."""
    for name in ("wrist", "left", "right"):
        own = scan / "cameras" / name / "calibration.json"
        above = tmp_path / "cameras" / name
        above.mkdir(parents=True)
        own.rename(above / "calibration.json")
    (scan / "cameras.json").rename(tmp_path / "cameras.json")
    assert len(_events(scan)) > 8
    (tmp_path / "calibration.json").write_text(
        (tmp_path / "cameras" / "left" / "calibration.json").read_text()
    )
    (tmp_path / "cameras" / "left" / "calibration.json").unlink()
    with pytest.raises(CalibrationError, match=r"cameras/left/calibration.json: no such file"):
        open_part_scan(scan)


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["wrist"], "several cameras are 2 to 8, got 1"),
        (["wrist", "wrist"], "each camera needs a name of its own"),
        (["wrist", "../left"], "a name must match"),
        ("wrist", "cameras must be a list"),
    ],
)
def test_names_that_are_none_are_opened(scan: Path, names: object, said: str) -> None:
    (scan / "cameras.json").write_text(json.dumps({"cameras": names}))
    with pytest.raises(ScanError, match=said):
        open_part_scan(scan)
