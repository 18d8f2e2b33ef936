"""A recorded scan: frames and robot poses, validated completely; pixels are decoded when asked.

A folder or an .mcap file (runtime/scans/job_as_scan.py). Of a folder: calibration.json, grid.json,
frames.jsonl, robot_poses.jsonl, notes.jsonl and the files that frames.jsonl names, and no other: it
is never listed. Seconds in the files become whole ns once.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path, PurePosixPath
from typing import TypeVar

import numpy as np

from voxgate.runtime.common.strict_json import Fields, parse_object, quoted
from voxgate.runtime.errors import ScanError
from voxgate.runtime.geometry.calibration import Calibration
from voxgate.runtime.nouns import DepthMap, Frame, Note, Pose, Reason
from voxgate.runtime.pixels.picture import decode_depth, decode_grey
from voxgate.runtime.sync.poses import PoseRecord
from voxgate.runtime.sync.synchronizer import SyncState
from voxgate.runtime.volume.grid import GridSpec

CALIBRATION = "calibration.json"
GRID = "grid.json"
NOTES = "notes.jsonl"
PARENTS = 3  # how far above a scan its part's files may lie
MAX_LINES = 1_000_000  # 1 kHz poses for a quarter of an hour
MAX_LINE_BYTES = 4096
MAX_PICTURE_BYTES = 64 << 20
MAX_FRAME_ID = (1 << 63) - 1
MAX_TICKS = (1 << 63) - 1
MAX_S = 9.0e9  # seconds that still fit into int64 ns
MAX_EXPOSURE_US = 60e6
MAX_VOXELS = 1 << 20  # along one axis
PICTURES = frozenset({".jpg", ".jpeg", ".png"})

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True, eq=False)
class Stored:
    """A picture inside another file. floats: raw little-endian float32 mm, else a JPEG or PNG."""

    name: str
    content: bytes
    floats: bool = False

    def read_bytes(self) -> bytes:
        """As a file's."""
        return self.content

    def __str__(self) -> str:
        return self.name


Picture = Path | Stored


@dataclass(frozen=True, slots=True)
class FrameRecord:
    """One line of frames.jsonl. `view` is the recorder's remark; the view plan decides."""

    frame_id: int
    view: int | None
    t_device_ns: int  # start of exposure, camera clock
    t_arrival_ns: int  # frame complete, host clock
    exposure_ns: int
    image: Picture
    depth: Picture | None


@dataclass(frozen=True, slots=True, eq=False)
class Scan:
    """Everything recorded for one part. Frames and poses stand in order of arrival.

    notes: what the line held against the part while it was recorded. clocks: what the line's clocks
    knew when the job began, after the first `poses_before` poses; None: they begin with this scan.
    """

    folder: Path
    calibration: Calibration
    grid: GridSpec | None
    frames: tuple[FrameRecord, ...]
    poses: tuple[Pose, ...]
    notes: tuple[Note, ...] = ()
    clocks: SyncState | None = None
    poses_before: int = 0

    @classmethod
    def open(cls, folder: Path, calibration: Path | None = None) -> Scan:
        """Read and check a scan's folder, or an .mcap file.

        The calibration of a folder may lie up to 3 folders above. Raises ScanError or
        CalibrationError: one line with file, line, key, value.
        """
        if folder.is_file():
            from voxgate.runtime.scans.job_as_scan import open_scan

            return open_scan(folder, calibration)
        if not folder.is_dir():
            raise ScanError(
                f"{folder}: no such folder or file; a scan is a folder with frames.jsonl, or an "
                ".mcap file"
            )
        loaded = Calibration.load(calibration or above(folder, CALIBRATION))
        frames = _rows(
            folder / "frames.jsonl", lambda fields: _frame_record(fields, folder, loaded)
        )
        poses = _rows(folder / "robot_poses.jsonl", _pose)
        check_order(folder / "frames.jsonl", frames, FRAME_ORDER)
        check_order(folder / "robot_poses.jsonl", poses, POSE_ORDER)
        notes = _rows(folder / NOTES, _note) if (folder / NOTES).is_file() else ()
        return cls(folder, loaded, _grid(above(folder, GRID)), frames, poses, notes)

    def load_frame(self, index: int, camera: str = "camera") -> Frame:
        """Frame `index` with its pixels. Raises ScanError when a file is not what it should be."""
        return decoded_frame(self.frames[index], self.calibration, camera)

    def events(self) -> Iterator[Pose | Frame]:
        """Poses and frames merged in order of host arrival, a frame's pixels loaded in its turn.

        With `clocks`, only what they do not know yet.
        """
        known = self.poses_before if self.clocks is not None else 0
        poses = ((p.t_arrival_ns, 0, i) for i, p in enumerate(self.poses) if i >= known)
        frames = ((frame.t_arrival_ns, 1, index) for index, frame in enumerate(self.frames))
        for _, kind, index in heapq.merge(poses, frames):
            yield self.load_frame(index) if kind else self.poses[index]


def decoded_frame(record: FrameRecord, known: Calibration, camera: str = "camera") -> Frame:
    """A frame with its pixels. Raises ScanError when a picture is not what it should be."""
    size = (known.width_px, known.height_px)
    return Frame(
        camera=camera,
        frame_id=record.frame_id,
        t_device_ns=record.t_device_ns,
        t_arrival_ns=record.t_arrival_ns,
        exposure_ns=record.exposure_ns,
        image=_decoded(record.image, lambda content: decode_grey(content, *size)),
        depth_mm=None
        if record.depth is None
        else _depth_mm(record.depth, size, known.depth_unit_mm),
    )


def pose_records(folder: Path) -> tuple[PoseRecord, ...]:
    """The robot's own numbers of a scan's folder. Raises ScanError."""
    return _rows(folder / "robot_poses.jsonl", _pose_record)


# --- files --------------------------------------------------------------------------------------


def above(folder: Path, name: str) -> Path:
    """`name` in `folder` or up to 3 folders above; in `folder` when there is none."""
    start = folder.resolve()
    places = [start, *start.parents][: PARENTS + 1]
    found = (place / name for place in places if (place / name).is_file())
    return next(found, folder / name)


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


def _depth_mm(picture: Picture, size: tuple[int, int], unit_mm: float) -> DepthMap:
    if isinstance(picture, Stored) and picture.floats:
        return _decoded(picture, lambda content: _floats(content, *size))
    return _decoded(picture, lambda content: decode_depth(content, *size, unit_mm))


def _floats(content: bytes, width_px: int, height_px: int) -> DepthMap:
    if len(content) != 4 * width_px * height_px:
        raise ValueError(f"{len(content)} bytes, not {width_px} x {height_px} float32")
    return np.frombuffer(content, "<f4").reshape(height_px, width_px).astype(np.float32)


def _decoded(path: Picture, decode: Callable[[bytes], Row]) -> Row:
    try:
        content = path.content if isinstance(path, Stored) else _content(path)
        if len(content) > MAX_PICTURE_BYTES:
            raise ValueError(f"larger than {MAX_PICTURE_BYTES} bytes")
        return decode(content)
    except FileNotFoundError as error:
        raise ScanError(f"{path}: no such file; copy the whole scan") from error
    except OSError as error:
        raise ScanError(f"{path}: cannot be read ({error.strerror})") from error
    except ValueError as error:
        raise ScanError(f"{path}: {error}") from error


def _content(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(MAX_PICTURE_BYTES + 1)


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
        raise ValueError(f"{key} must name a .jpg or .png inside the scan's folder, got {name!r}")
    if not path.resolve().is_relative_to(folder.resolve()):
        raise ValueError(f"{key} must stay inside the scan's folder, {name!r} links out of it")
    return path


def _grid(path: Path) -> GridSpec | None:
    """The voxel grid beside the calibration; None when the part has none."""
    try:
        return grid_from_text(path.read_text("utf-8"), path)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ScanError(f"{path}: cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise ScanError(f"{path}: {error}") from error


def grid_from_text(text: str, path: Path) -> GridSpec:
    """The text of a grid.json; `path` is what a message names. Raises ScanError."""
    try:
        fields = parse_object(text)
        shape = fields.numbers("shape", (3,))
        if (shape != shape.round()).any() or not ((shape >= 1) & (shape <= MAX_VOXELS)).all():
            raise ValueError(f"shape must be 3 whole numbers from 1 to {MAX_VOXELS}")
        x, y, z = fields.numbers("origin_mm", (3,)).tolist()
        nx, ny, nz = shape.astype(int).tolist()
        return GridSpec((x, y, z), (nx, ny, nz), fields.number("voxel_mm", 1e-3, 1e3))
    except ValueError as error:
        raise ScanError(f"{path}: {error}") from error


# --- the lines together -------------------------------------------------------------------------

# what must grow from line to line
FRAME_ORDER: dict[str, Callable[[FrameRecord], int]] = {
    "frame_id": lambda record: record.frame_id,
    "t_camera_ticks": lambda record: record.t_device_ns,
    "host_rx": lambda record: record.t_arrival_ns,
}
POSE_ORDER: dict[str, Callable[[Pose], int]] = {
    "t_robot": lambda pose: pose.t_robot_ns,
    "host_rx": lambda pose: pose.t_arrival_ns,
}


def check_order(path: Path, rows: tuple[Row, ...], order: dict[str, Callable[[Row], int]]) -> None:
    for number, (before, after) in enumerate(pairwise(rows), start=2):
        for key, value in order.items():
            # two messages may arrive in one tick of the host's clock, nothing else may repeat
            ahead = value(after) - value(before)
            if ahead < 0 or (ahead == 0 and key != "host_rx"):
                raise ScanError(f"{path}:{number}: out of order, {key} must grow from line to line")
