"""A recorded scan: frames and robot poses, validated completely; pixels are decoded when asked.

Opens calibration.json, grid.json, frames.jsonl, robot_poses.jsonl and the files that frames.jsonl
names, and no other: a scan's folder is never listed. Seconds in the files become whole ns once.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path, PurePosixPath
from typing import TypeVar

from runtime.calibration import Calibration
from runtime.errors import ScanError
from runtime.grid import GridSpec
from runtime.nouns import Frame, Pose
from runtime.picture import decode_depth, decode_grey
from runtime.poses import pose_from_robot
from runtime.strict_json import Fields, parse_object

CALIBRATION = "calibration.json"
GRID = "grid.json"
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


@dataclass(frozen=True, slots=True)
class FrameRecord:
    """One line of frames.jsonl. `view` is the recorder's remark; the view plan decides."""

    frame_id: int
    view: int | None
    t_device_ns: int  # start of exposure, camera clock
    t_arrival_ns: int  # frame complete, host clock
    exposure_ns: int
    image: Path
    depth: Path | None


@dataclass(frozen=True, slots=True, eq=False)
class Scan:
    """Everything recorded for one part. Frames and poses stand in order of arrival."""

    folder: Path
    calibration: Calibration
    grid: GridSpec | None
    frames: tuple[FrameRecord, ...]
    poses: tuple[Pose, ...]

    @classmethod
    def open(cls, folder: Path, calibration: Path | None = None) -> Scan:
        """Read and check a scan's folder; the calibration may lie up to 3 folders above.

        Raises ScanError or CalibrationError: one line with file, line, key, value.
        """
        if not folder.is_dir():
            raise ScanError(f"{folder}: no such folder; a scan is a folder with frames.jsonl")
        loaded = Calibration.load(calibration or _above(folder, CALIBRATION))
        frames = _rows(
            folder / "frames.jsonl", lambda fields: _frame_record(fields, folder, loaded)
        )
        poses = _rows(folder / "robot_poses.jsonl", _pose)
        _check_order(folder / "frames.jsonl", frames, _FRAME_ORDER)
        _check_order(folder / "robot_poses.jsonl", poses, _POSE_ORDER)
        return cls(folder, loaded, _grid(_above(folder, GRID)), frames, poses)

    def load_frame(self, index: int, camera: str = "camera") -> Frame:
        """Frame `index` with its pixels. Raises ScanError when a file is not what it should be."""
        record = self.frames[index]
        size = (self.calibration.width_px, self.calibration.height_px)
        unit_mm = self.calibration.depth_unit_mm
        return Frame(
            camera=camera,
            frame_id=record.frame_id,
            t_device_ns=record.t_device_ns,
            t_arrival_ns=record.t_arrival_ns,
            exposure_ns=record.exposure_ns,
            image=_decoded(record.image, lambda content: decode_grey(content, *size)),
            depth_mm=None
            if record.depth is None
            else _decoded(record.depth, lambda content: decode_depth(content, *size, unit_mm)),
        )

    def events(self) -> Iterator[Pose | Frame]:
        """Poses and frames merged in order of host arrival, a frame's pixels loaded in its turn."""
        poses = ((pose.t_arrival_ns, 0, index) for index, pose in enumerate(self.poses))
        frames = ((frame.t_arrival_ns, 1, index) for index, frame in enumerate(self.frames))
        for _, kind, index in heapq.merge(poses, frames):
            yield self.load_frame(index) if kind else self.poses[index]


# --- files --------------------------------------------------------------------------------------


def _above(folder: Path, name: str) -> Path:
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


def _decoded(path: Path, decode: Callable[[bytes], Row]) -> Row:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_PICTURE_BYTES + 1)
        if len(content) > MAX_PICTURE_BYTES:
            raise ValueError(f"larger than {MAX_PICTURE_BYTES} bytes")
        return decode(content)
    except FileNotFoundError as error:
        raise ScanError(f"{path}: no such file; copy the whole scan") from error
    except OSError as error:
        raise ScanError(f"{path}: cannot be read ({error.strerror})") from error
    except ValueError as error:
        raise ScanError(f"{path}: {error}") from error


# --- one line each ------------------------------------------------------------------------------


def _frame_record(fields: Fields, folder: Path, calibration: Calibration) -> FrameRecord:
    ticks = fields.integer("t_camera_ticks", 0, MAX_TICKS)
    return FrameRecord(
        frame_id=fields.integer("frame_id", 0, MAX_FRAME_ID),
        view=fields.integer("view", 0, MAX_FRAME_ID) if fields.has("view") else None,
        t_device_ns=calibration.ns_from_ticks(ticks),
        t_arrival_ns=_ns(fields, "host_rx"),
        exposure_ns=round(fields.number("exposure_us", 0.0, MAX_EXPOSURE_US) * 1000),
        image=_picture(fields, "image", folder),
        depth=_picture(fields, "depth", folder) if fields.has("depth") else None,
    )


def _pose(fields: Fields) -> Pose:
    t_robot_ns, t_arrival_ns = _ns(fields, "t_robot"), _ns(fields, "host_rx")
    p_mm, q_wxyz = fields.numbers("p", (3,)).tolist(), fields.numbers("q", (4,)).tolist()
    return pose_from_robot(t_robot_ns, p_mm, q_wxyz, t_arrival_ns)


def _ns(fields: Fields, key: str) -> int:
    return round(fields.number(key, 0.0, MAX_S) * 1e9)


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
        fields = parse_object(path.read_text("utf-8"))
        shape = fields.numbers("shape", (3,))
        if (shape != shape.round()).any() or not ((shape >= 1) & (shape <= MAX_VOXELS)).all():
            raise ValueError(f"shape must be 3 whole numbers from 1 to {MAX_VOXELS}")
        x, y, z = fields.numbers("origin_mm", (3,)).tolist()
        nx, ny, nz = shape.astype(int).tolist()
        return GridSpec((x, y, z), (nx, ny, nz), fields.number("voxel_mm", 1e-3, 1e3))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ScanError(f"{path}: cannot be read ({error.strerror})") from error
    except ValueError as error:
        raise ScanError(f"{path}: {error}") from error


# --- the lines together -------------------------------------------------------------------------

# what must grow from line to line
_FRAME_ORDER: dict[str, Callable[[FrameRecord], int]] = {
    "frame_id": lambda record: record.frame_id,
    "t_camera_ticks": lambda record: record.t_device_ns,
    "host_rx": lambda record: record.t_arrival_ns,
}
_POSE_ORDER: dict[str, Callable[[Pose], int]] = {
    "t_robot": lambda pose: pose.t_robot_ns,
    "host_rx": lambda pose: pose.t_arrival_ns,
}


def _check_order(path: Path, rows: tuple[Row, ...], order: dict[str, Callable[[Row], int]]) -> None:
    for number, (before, after) in enumerate(pairwise(rows), start=2):
        for key, value in order.items():
            # two messages may arrive in one tick of the host's clock, nothing else may repeat
            ahead = value(after) - value(before)
            if ahead < 0 or (ahead == 0 and key != "host_rx"):
                raise ScanError(f"{path}:{number}: out of order, {key} must grow from line to line")
