"""A scan's folder, validated completely; of its pictures only where they are.

calibration.json, grid.json, frames.jsonl, sensor_frames.jsonl, robot_poses.jsonl, notes.jsonl and
the files that the frames name, and no other: a folder is never listed. Seconds become whole ns
once.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path, PurePosixPath

from voxgate.runtime.common.strict_json import Fields, parse_object, quoted
from voxgate.runtime.errors import ScanError
from voxgate.runtime.geometry.calibration import Calibration
from voxgate.runtime.nouns import Note, Pose, Reason
from voxgate.runtime.scans.part_files import GRID, above, calibration_file, grid_of, poses_file
from voxgate.runtime.scans.scan import (
    FRAME_ORDER,
    MAX_FRAME_ID,
    FrameRecord,
    Row,
    Scan,
    check_order,
)
from voxgate.runtime.sync.poses import PoseRecord

FRAMES = "frames.jsonl"
SENSOR_FRAMES = "sensor_frames.jsonl"
POSES = "robot_poses.jsonl"
NOTES = "notes.jsonl"
MAX_LINES = 1_000_000  # 1 kHz poses for a quarter of an hour
MAX_LINE_BYTES = 4096
MAX_TICKS = (1 << 63) - 1
MAX_S = 9.0e9  # seconds that still fit into int64 ns
MAX_EXPOSURE_US = 60e6
PICTURES = frozenset({".jpg", ".jpeg", ".png"})

POSE_ORDER: dict[str, Callable[[Pose], int]] = {
    "t_robot": lambda pose: pose.t_robot_ns,
    "host_rx": lambda pose: pose.t_arrival_ns,
}


def read_folder(folder: Path, calibration: Path | None = None) -> Scan:
    """Read and check everything but pixels; the part's files may lie up to 3 folders above.

    Raises ScanError or CalibrationError: one line with file, line, key, value.
    """
    loaded = Calibration.load(calibration or calibration_file(folder))
    return _scan(folder, loaded, _frames(folder, loaded))


def read_camera(folder: Path) -> Scan:
    """One of several cameras, which may have given no frame. Raises as `read_folder`."""
    loaded = Calibration.load(calibration_file(folder))
    there = (folder / FRAMES).is_file()
    return _scan(folder, loaded, _frames(folder, loaded) if there else ())


def _scan(folder: Path, loaded: Calibration, frames: tuple[FrameRecord, ...]) -> Scan:
    where = poses_file(folder, POSES)
    poses = _rows(where, _pose)
    check_order(where, poses, POSE_ORDER)
    told = poses_file(folder, NOTES)
    notes = _rows(told, _note) if told.is_file() else ()
    sensor_frames = _sensor_frames(folder, loaded)
    return Scan(
        *(folder, loaded, grid_of(above(folder, GRID)), frames, poses, notes),
        sensor_frames=sensor_frames,
    )


def _frames(folder: Path, loaded: Calibration) -> tuple[FrameRecord, ...]:
    frames = _rows(folder / FRAMES, lambda fields: _frame_record(fields, folder, loaded))
    check_order(folder / FRAMES, frames, FRAME_ORDER)
    return frames


def _sensor_frames(folder: Path, loaded: Calibration) -> tuple[FrameRecord, ...]:
    """Of a sensor that fired apart from the camera; none: its depth stands in frames.jsonl."""
    file = folder / SENSOR_FRAMES
    if not file.is_file():
        return ()
    if loaded.sensor is None:
        raise ScanError(f"{file}: frames of a sensor, and the calibration is of none")
    frames = _rows(file, lambda fields: _sensor_record(fields, folder))
    check_order(file, frames, FRAME_ORDER)
    return frames


def pose_records(folder: Path) -> tuple[PoseRecord, ...]:
    """The robot's own numbers of a scan's folder. Raises ScanError."""
    return _rows(poses_file(folder, POSES), _pose_record)


def _rows(path: Path, read: Callable[[Fields], Row]) -> tuple[Row, ...]:
    """Every line of a .jsonl through `read`; ScanError with file:line for the first wrong one."""
    rows: list[Row] = []
    try:
        with path.open("rb") as file:
            while line := file.readline(MAX_LINE_BYTES + 1):
                if len(rows) >= MAX_LINES:
                    raise ScanError(f"{path}: more than {MAX_LINES} lines")
                rows.append(_row(path, len(rows) + 1, line, read))
    except FileNotFoundError as error:
        raise ScanError(f"{path}: no such file; copy the whole scan") from error
    except OSError as error:
        raise ScanError(f"{path}: cannot be read ({error.strerror})") from error
    if not rows:
        raise ScanError(f"{path}: empty; the scan recorded nothing")
    return tuple(rows)


def _row(path: Path, number: int, line: bytes, read: Callable[[Fields], Row]) -> Row:
    try:
        if len(line) > MAX_LINE_BYTES:
            raise ValueError(f"line is longer than {MAX_LINE_BYTES} bytes")
        return read(parse_object(line.decode("utf-8")))
    except ValueError as error:
        raise ScanError(f"{path}:{number}: {error}") from error


# --- one line each ------------------------------------------------------------------------------


def _frame_record(fields: Fields, folder: Path, calibration: Calibration) -> FrameRecord:
    ticks = fields.integer("t_camera_ticks", 0, MAX_TICKS)
    exposure_us = fields.number("exposure_us", 0.0, MAX_EXPOSURE_US)
    return FrameRecord(
        frame_id=fields.integer("frame_id", 0, MAX_FRAME_ID),
        view=fields.integer("view", 0, MAX_FRAME_ID) if fields.has("view") else None,
        t_device_ns=_whole_ns(fields, "t_device_ns", calibration.ns_from_ticks(ticks)),
        t_arrival_ns=_whole_ns(fields, "host_rx_ns", _ns(fields, "host_rx")),
        exposure_ns=_whole_ns(fields, "exposure_ns", round(exposure_us * 1000)),
        image=_picture(fields, "image", folder),
        depth=_picture(fields, "depth", folder) if fields.has("depth") else None,
    )


def _sensor_record(fields: Fields, folder: Path) -> FrameRecord:
    return FrameRecord(
        frame_id=fields.integer("frame_id", 0, MAX_FRAME_ID),
        view=None,
        t_device_ns=fields.integer("t_device_ns", 0, MAX_TICKS),
        t_arrival_ns=fields.integer("host_rx_ns", 0, MAX_TICKS),
        exposure_ns=fields.integer("exposure_ns", 0, round(MAX_EXPOSURE_US * 1000)),
        image=None,
        depth=_picture(fields, "depth", folder),
    )


def _pose(fields: Fields) -> Pose:
    return _pose_record(fields).pose()


def _pose_record(fields: Fields) -> PoseRecord:
    x, y, z = fields.numbers("p", (3,)).tolist()
    qw, qx, qy, qz = fields.numbers("q", (4,)).tolist()
    return PoseRecord(
        seq=fields.integer("seq", 0, MAX_FRAME_ID) if fields.has("seq") else None,
        t_robot_ns=_whole_ns(fields, "t_robot_ns", _ns(fields, "t_robot")),
        t_arrival_ns=_whole_ns(fields, "host_rx_ns", _ns(fields, "host_rx")),
        p_mm=(x, y, z),
        q_wxyz=(qw, qx, qy, qz),
        t_awaited_ns=fields.integer("host_awaited_ns", 0, MAX_TICKS)
        if fields.has("host_awaited_ns")
        else None,
    )


def _ns(fields: Fields, key: str) -> int:
    return round(fields.number(key, 0.0, MAX_S) * 1e9)


def _whole_ns(fields: Fields, key: str, rounded_ns: int) -> int:
    """A recorder that has whole ns writes them beside the seconds, which lose the last of them."""
    return fields.integer(key, 0, MAX_TICKS) if fields.has(key) else rounded_ns


def _note(fields: Fields) -> Note:
    word, detail = fields.text("reason"), fields.text("detail")
    if word not in {reason.value for reason in Reason}:
        raise ValueError(f"reason must be a word of the closed list, got {quoted(word)}")
    return Note(Reason(word), detail)


def _picture(fields: Fields, key: str, folder: Path) -> Path:
    """The named file, which must be a picture and stay inside the scan's folder."""
    name = fields.text(key)
    relative = PurePosixPath(name)
    path = folder / relative
    inside = not relative.is_absolute() and ".." not in relative.parts and "\0" not in name
    if not inside or relative.suffix.lower() not in PICTURES:
        kind = "16-bit .png" if key == "depth" else ".jpg or .png"
        raise ValueError(f"{key} must name a {kind} inside the scan's folder, got {name!r}")
    if not path.resolve().is_relative_to(folder.resolve()):
        raise ValueError(f"{key} must stay inside the scan's folder, {name!r} links out of it")
    return path
