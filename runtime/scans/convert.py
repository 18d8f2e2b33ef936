"""A scan from one form into the other, folder to MCAP and back: the same poses, frames, notes."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from voxgate.runtime.common.wall_clock import utc_now
from voxgate.runtime.errors import ScanError
from voxgate.runtime.geometry.calibration import Calibration
from voxgate.runtime.nouns import Device, Frame, JobIdentity
from voxgate.runtime.pixels.picture import MAX_COUNTS, PNG_SIGNATURE, encode_png
from voxgate.runtime.scans.cell_scan import CellScan
from voxgate.runtime.scans.folder import FRAMES, NOTES, SENSOR_FRAMES, pose_records
from voxgate.runtime.scans.job_as_scan import growing, notes_of, part_scan_of, poses_of
from voxgate.runtime.scans.job_reader import RecordedJob, read_job
from voxgate.runtime.scans.job_writer import write_job
from voxgate.runtime.scans.open_scan import open_part_scan
from voxgate.runtime.scans.part_files import (
    CALIBRATION,
    CAMERAS,
    CAMERAS_FILE,
    GRID,
    PartFiles,
    above,
    calibration_file,
)
from voxgate.runtime.scans.recording import Held, JobHeader, Recording
from voxgate.runtime.scans.scan import FrameRecord, Scan, Stored
from voxgate.runtime.sync.poses import PoseRecord
from voxgate.runtime.wire.verdict import VerdictMessage

NS_PER_S = 1_000_000_000
IMPORTED = "imported"


def convert_scan(scan: Path, out: Path) -> str:
    """Write the scan in its other form; a sentence about what was lost, or ''. Raises ScanError."""
    if out.exists():
        raise ScanError(f"{out}: exists, choose another name")
    if scan.is_file():
        job = read_job(scan)
        part_scan_of(job, scan)  # whoever reads the folder would refuse what this refuses
        return write_folder(out, job)
    if out.suffix != ".mcap":
        raise ScanError(f"{out}: a scan's folder becomes a file whose name ends in .mcap")
    _write_file(out, *recording_of(scan))
    return ""


def recording_of(folder: Path) -> tuple[Recording, PartFiles]:
    """A scan's folder as the recording of a job that no line inspected. Raises ScanError."""
    scan = open_part_scan(folder)
    place = above(folder, GRID)
    part = _part_files(scan, place.read_text("utf-8") if scan.grid is not None else None)
    poses = pose_records(folder)
    frames = (
        replace(frame, camera=name)
        for name, each in scan.cameras.items()
        for frame in (*each.frames, *each.sensor_frames)
    )
    came: list[PoseRecord | FrameRecord] = [*poses, *frames]
    events = sorted(came, key=_arrival)  # stable, poses first, as `Scan.events`
    recording = Recording(_header(folder, scan, _arrival(events[0])))
    held = [Held(_arrival(events[-1]), note) for note in scan.notes]
    recording.events = [*events, *held]
    recording.latest_ns = _arrival(events[-1])
    return recording, part


def _part_files(scan: Scan | CellScan, grid: str | None) -> PartFiles:
    texts = {n: calibration_file(s.folder).read_text("utf-8") for n, s in scan.cameras.items()}
    return PartFiles(next(iter(texts.values())), grid, texts if len(texts) > 1 else {})


def _arrival(event: PoseRecord | FrameRecord) -> int:
    return event.t_arrival_ns


def _header(folder: Path, scan: Scan | CellScan, started_ns: int) -> JobHeader:
    job = JobIdentity(
        job_id=IMPORTED,
        part_id=folder.resolve().name or IMPORTED,
        recipe=IMPORTED,
        configuration_id="0" * 16,
        is_simulated=True,
    )
    return JobHeader(
        job,
        cell=IMPORTED,
        started_ns=started_ns,
        started_utc=utc_now().isoformat(),
    )


def _write_file(out: Path, recording: Recording, part: PartFiles) -> None:
    draft = out.with_name(f".{out.name}.draft")
    try:
        with draft.open("wb") as file:
            write_job(file, recording, part, None)
            file.flush()
            os.fsync(file.fileno())
        draft.rename(out)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise ScanError(f"{out}: cannot be written: {error.strerror}") from error


# --- a folder -----------------------------------------------------------------------------------


def write_folder(out: Path, job: RecordedJob, verdict: VerdictMessage | None = None) -> str:
    """The job as a scan's folder, whole or not at all; what was lost. Raises ScanError."""
    draft = out.with_name(f".{out.name}.draft")
    try:
        shutil.rmtree(draft, ignore_errors=True)
        lost = _fill(draft, job)
        said = verdict or job.verdict
        if said is not None:
            (draft / "verdict.json").write_text(said.model_dump_json(), "utf-8")
        draft.rename(out)
    except (OSError, ValueError) as error:
        shutil.rmtree(draft, ignore_errors=True)
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise ScanError(f"{out}: cannot be written: {why}") from error
    return lost


def _fill(folder: Path, job: RecordedJob) -> str:
    folder.mkdir(parents=True)
    if job.part.grid is not None:
        (folder / GRID).write_text(job.part.grid, "utf-8")
    written = []
    texts = job.part.cameras or {"": job.part.calibration}
    for camera, text in texts.items():
        own = folder / CAMERAS / camera if camera else folder
        written += _fill_camera(own, job, camera, text)
    if job.part.cameras:
        names = {"cameras": list(job.part.cameras)}
        (folder / CAMERAS_FILE).write_text(json.dumps(names), "utf-8")
    _lines(folder / "robot_poses.jsonl", (_pose(pose) for pose in growing(poses_of(job))))
    if notes := notes_of(job):
        _lines(
            folder / NOTES,
            ({"reason": note.reason.value, "detail": note.detail[:1000]} for note in notes),
        )
    worst_mm = max((error_mm for _, error_mm in written), default=0.0)
    return f"depth was rounded by up to {worst_mm:.4f} mm to the unit" if worst_mm else ""


def _fill_camera(
    folder: Path, job: RecordedJob, camera: str, calibration: str
) -> list[tuple[dict[str, object], float]]:
    """The lines of its frames, each with by how much its depth had to be rounded, mm."""
    for kind in ("images", "depth"):
        (folder / kind).mkdir(parents=True)
    (folder / CALIBRATION).write_text(calibration, "utf-8")
    frames = [e for e in job.recording.events if isinstance(e, FrameRecord) and e.camera == camera]
    written = []
    for device, file in ((Device.CAMERA, FRAMES), (Device.SENSOR, SENSOR_FRAMES)):
        own = [frame for frame in frames if frame.device is device]
        rows = [_frame(folder, n, f, job.calibrations[camera]) for n, f in enumerate(own)]
        if rows:
            _lines(folder / file, (line for line, _ in rows))
        written += rows
    return written


def _lines(path: Path, rows: Iterator[dict[str, object]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")


def _pose(pose: PoseRecord) -> dict[str, object]:
    return {
        "t_robot": pose.t_robot_ns / NS_PER_S,
        "host_rx": pose.t_arrival_ns / NS_PER_S,
        "p": pose.p_mm,
        "q": pose.q_wxyz,
        "t_robot_ns": pose.t_robot_ns,
        "host_rx_ns": pose.t_arrival_ns,
        **({} if pose.t_awaited_ns is None else {"host_awaited_ns": pose.t_awaited_ns}),
        **({} if pose.seq is None else {"seq": pose.seq}),
    }


def _frame(
    folder: Path, number: int, frame: Frame | FrameRecord, known: Calibration
) -> tuple[dict[str, object], float]:
    """Its line, and by how much its depth had to be rounded, mm."""
    image = _image(folder, number, frame)
    depth, error_mm = _depth(folder, number, frame, known.of_depth)
    line: dict[str, object] = {
        "frame_id": frame.frame_id,
        "t_camera_ticks": max(0, frame.t_device_ns * known.camera_tick_hz // NS_PER_S),
        "exposure_us": frame.exposure_ns / 1000,
        "host_rx": frame.t_arrival_ns / NS_PER_S,
        "t_device_ns": frame.t_device_ns,
        "exposure_ns": frame.exposure_ns,
        "host_rx_ns": frame.t_arrival_ns,
    }
    pictures = {"image": image, "depth": depth}
    line |= {key: name for key, name in pictures.items() if name is not None}
    if isinstance(frame, FrameRecord) and frame.view is not None:
        line["view"] = frame.view
    return line, error_mm


def _image(folder: Path, number: int, frame: Frame | FrameRecord) -> str | None:
    name = f"images/{number:03d}"
    if frame.device is Device.SENSOR or frame.image is None:
        return None  # nobody looks at a sensor's own picture
    if isinstance(frame, FrameRecord):
        return _copied(folder, name, frame.image.read_bytes())
    (folder / f"{name}.png").write_bytes(encode_png(frame.image))
    return f"{name}.png"


def _depth(
    folder: Path, number: int, frame: Frame | FrameRecord, known: Calibration
) -> tuple[str | None, float]:
    """known: of the device that measures depth."""
    if isinstance(frame, Frame):
        depth_mm = frame.depth_mm if frame.sensed_mm is None else frame.sensed_mm
    elif isinstance(frame.depth, Stored) and frame.depth.floats:
        size = (known.height_px, known.width_px)
        depth_mm = np.frombuffer(frame.depth.content, np.float32).reshape(size)
    elif frame.depth is not None:
        return _copied(folder, f"depth/{number:03d}", frame.depth.read_bytes()), 0.0
    else:
        return None, 0.0
    if depth_mm is None:
        return None, 0.0
    return _rounded(folder, number, depth_mm, known.depth_unit_mm)


def _copied(folder: Path, name: str, content: bytes) -> str:
    """The very bytes, under the ending that they have."""
    name += ".png" if content.startswith(PNG_SIGNATURE) else ".jpg"
    (folder / name).write_bytes(content)
    return name


def _rounded(
    folder: Path, number: int, depth_mm: np.typing.NDArray[np.float32], unit_mm: float
) -> tuple[str, float]:
    """Written in whole units; what that changed, mm."""
    counts = np.rint(np.nan_to_num(depth_mm, nan=0.0) / np.float32(unit_mm))
    if counts.max(initial=0.0) > MAX_COUNTS or counts.min(initial=0.0) < 0:
        raise ScanError(
            f"frame {number}: depth beyond what 16 bits of {unit_mm:g} mm hold: keep the .mcap"
        )
    name = f"depth/{number:03d}.png"
    (folder / name).write_bytes(encode_png(counts.astype(np.uint16)))
    error_mm = np.abs(counts * np.float32(unit_mm) - depth_mm)
    return name, float(np.nanmax(error_mm, initial=0.0))
