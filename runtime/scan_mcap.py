"""An MCAP file as a scan: what the line had is laid out as a recorder would have written it."""

from __future__ import annotations

from pathlib import Path

from runtime.calibration import Calibration
from runtime.errors import ScanError
from runtime.mcap_job import RecordedJob, read_job
from runtime.nouns import Note, Pose
from runtime.poses import PoseRecord
from runtime.recording import Held
from runtime.scan import FRAME_ORDER, FrameRecord, Scan, check_order, grid_from_text


def open_scan(path: Path, calibration: Path | None = None) -> Scan:
    """The scan in `path`. Raises ScanError, CalibrationError."""
    return scan_of(read_job(path), path, calibration)


def scan_of(job: RecordedJob, path: Path, calibration: Path | None = None) -> Scan:
    """Of a job that is read already. Raises ScanError, CalibrationError."""
    recording = job.recording
    frames = tuple(event for event in recording.events if isinstance(event, FrameRecord))
    poses = _poses(poses_of(job))
    before = len(_poses(recording.poses_before))
    if not recording.pictures:
        raise ScanError(f"{path}: kept without pictures: the cell's evidence section said so")
    if not frames or not poses:
        what = "frame" if not frames else "robot pose"
        raise ScanError(f"{path}: no {what} in it; the recording proves nothing")
    check_order(path, frames, FRAME_ORDER)
    known = Calibration.load(calibration) if calibration else job.calibration
    grid = None if job.part.grid is None else grid_from_text(job.part.grid, path)
    return Scan(path, known, grid, frames, poses, notes_of(job), recording.clocks, before)


def poses_of(job: RecordedJob) -> tuple[PoseRecord, ...]:
    """All poses, also those from before the job."""
    during = (event for event in job.recording.events if isinstance(event, PoseRecord))
    return (*job.recording.poses_before, *during)


def notes_of(job: RecordedJob) -> tuple[Note, ...]:
    """What the line held against the part."""
    return tuple(event.note for event in job.recording.events if isinstance(event, Held))


def _poses(records: tuple[PoseRecord, ...]) -> tuple[Pose, ...]:
    """Without duplicates and stragglers, as the line leaves them out."""
    kept: list[Pose] = []
    for record in records:
        if not kept or record.t_robot_ns > kept[-1].t_robot_ns:
            kept.append(record.pose())
    return tuple(kept)
