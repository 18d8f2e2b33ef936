"""A recorded job as a page: its verdict, and every view that was inspected."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from voxgate.runtime.errors import ScanError
from voxgate.runtime.geometry.rays import Rays
from voxgate.runtime.nouns import Device
from voxgate.runtime.report.page import Seen, page
from voxgate.runtime.report.recorded_volume import read_volume
from voxgate.runtime.report.view_picture import Seeing, draw
from voxgate.runtime.scans.job_reader import RecordedJob, read_job
from voxgate.runtime.scans.part_files import grid_from_text
from voxgate.runtime.scans.recording import Handed
from voxgate.runtime.scans.scan import FrameRecord, decoded_frame
from voxgate.runtime.wire.verdict import VerdictMessage


def report(recording: Path) -> str:
    """HTML of the job in an .mcap file. Raises ScanError, CalibrationError for one that is none."""
    job = read_job(recording)
    if job.verdict is None:
        raise ScanError(f"{recording}: holds no verdict: `voxgate replay` inspects it")
    return page(job.verdict, job.recording.header.cell, list(_seen(recording, job, job.verdict)))


def _seen(recording: Path, job: RecordedJob, verdict: VerdictMessage) -> Iterator[Seen]:
    if not job.recording.pictures or job.part.grid is None:
        return
    voxel_mm = grid_from_text(job.part.grid, recording).voxel_mm
    rays, scored = Rays.from_calibration(job.calibration), read_volume(recording)
    frames = {each.frame_id: each for each in _camera_frames(job)}
    peaks = {each.frame_id: each for each in verdict.views}
    for handed in (event for event in job.recording.events if isinstance(event, Handed)):
        record, said = frames.get(handed.frame_id), peaks.get(handed.frame_id)
        if record is None:
            continue
        seeing = Seeing(rays, handed.part_from_camera, voxel_mm)
        image = decoded_frame(record, job.calibration).image
        score = "" if said is None else f"view {said.view}, highest score {said.peak_score:.2f}, "
        yield Seen(f"{score}frame {handed.frame_id}", draw(image, seeing, scored, verdict.defects))


def _camera_frames(job: RecordedJob) -> Iterator[FrameRecord]:
    for event in job.recording.events:
        if isinstance(event, FrameRecord) and event.device is Device.CAMERA:
            yield event
