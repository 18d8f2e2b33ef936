"""An MCAP file as a scan: what the line had is laid out as a recorder would have written it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from voxgate.runtime.errors import ScanError
from voxgate.runtime.geometry.calibration import Calibration
from voxgate.runtime.nouns import Device, Note
from voxgate.runtime.scans.cell_scan import CellScan
from voxgate.runtime.scans.job_reader import RecordedJob
from voxgate.runtime.scans.part_files import grid_from_text
from voxgate.runtime.scans.recording import Held
from voxgate.runtime.scans.scan import FRAME_ORDER, FrameRecord, Scan, check_order
from voxgate.runtime.sync.poses import PoseRecord


def part_scan_of(job: RecordedJob, path: Path, calibration: Path | None = None) -> Scan | CellScan:
    """As `scan_of`, also of several cameras."""
    if not job.part.cameras:
        return scan_of(job, path, calibration)
    scans = {name: _scan_of(job, path, name, known) for name, known in job.calibrations.items()}
    if not any(scan.frames for scan in scans.values()):
        raise ScanError(f"{path}: no frame in it; the recording proves nothing")
    return CellScan(path, scans)


def scan_of(job: RecordedJob, path: Path, calibration: Path | None = None) -> Scan:
    """Of a job that is read already. Raises ScanError, CalibrationError."""
    if job.part.cameras:
        raise ScanError(f"{path}: of the cameras {', '.join(job.calibrations)}, not of one")
    known = Calibration.load(calibration) if calibration else job.calibration
    scan = _scan_of(job, path, "", known)
    if not scan.frames:
        raise ScanError(f"{path}: no frame in it; the recording proves nothing")
    return scan


def _scan_of(job: RecordedJob, path: Path, camera: str, known: Calibration) -> Scan:
    recording = job.recording
    events = (event for event in recording.events if isinstance(event, FrameRecord))
    came = [frame for frame in events if frame.camera == camera]
    frames, of_sensor = (
        tuple(frame for frame in came if frame.device is device) for device in Device
    )
    poses = tuple(record.pose() for record in growing(poses_of(job)))
    before = sum(1 for _ in growing(recording.poses_before))
    if not recording.pictures:
        raise ScanError(f"{path}: kept without pictures: the cell's evidence section said so")
    if not poses:
        raise ScanError(f"{path}: no robot pose in it; the recording proves nothing")
    for each in (frames, of_sensor):
        check_order(path, each, FRAME_ORDER)
    grid = None if job.part.grid is None else grid_from_text(job.part.grid, path)
    return Scan(
        *(path, known, grid, frames, poses, notes_of(job), recording.clocks, before), of_sensor
    )


def poses_of(job: RecordedJob) -> tuple[PoseRecord, ...]:
    """All poses, also those from before the job."""
    during = (event for event in job.recording.events if isinstance(event, PoseRecord))
    return (*job.recording.poses_before, *during)


def notes_of(job: RecordedJob) -> tuple[Note, ...]:
    """What the line held against the part."""
    return tuple(event.note for event in job.recording.events if isinstance(event, Held))


def growing(records: tuple[PoseRecord, ...]) -> Iterator[PoseRecord]:
    """Without duplicates and stragglers, as the line leaves them out and a folder may not hold."""
    newest: int | None = None
    for record in records:
        if newest is None or record.t_robot_ns > newest:
            newest = record.t_robot_ns
            yield record
