"""The views of a recorded job, each drawn when somebody looks: the picture, the scores over it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from voxgate.runtime.geometry.rays import Rays
from voxgate.runtime.nouns import Device
from voxgate.runtime.report.recorded_volume import ScoredPoints, read_volume
from voxgate.runtime.report.tray_picture import Marked, mark
from voxgate.runtime.report.view_picture import Picture, Seeing, draw
from voxgate.runtime.scans.job_reader import RecordedJob, read_job
from voxgate.runtime.scans.part_files import grid_from_text
from voxgate.runtime.scans.recording import Handed
from voxgate.runtime.scans.scan import FrameRecord, decoded_frame
from voxgate.runtime.wire.verdict import VerdictMessage

TRAY_MM = 1.0  # before the camera, where no voxel tells: what is nearer is not drawn


@dataclass(frozen=True, slots=True, eq=False)
class SeenView:
    """One view that was inspected. planned: which of the recipe's viewpoints; None: of none."""

    frame: FrameRecord
    seeing: Seeing
    planned: int | None
    peak_score: float | None

    @property
    def caption(self) -> str:
        """For people."""
        frame = f"frame {self.frame.frame_id} {self.frame.camera}".rstrip()
        if self.planned is None:
            return frame
        return f"view {self.planned}, highest score {self.peak_score:.2f}, {frame}"


@dataclass(frozen=True, slots=True, eq=False)
class RecordedViews:
    """Of one recording. scored: None where no volume was recorded, as of a job without a view."""

    job: RecordedJob
    scored: ScoredPoints | None
    seen: tuple[SeenView, ...]
    voxel_mm: float | None

    @classmethod
    def open(cls, recording: Path) -> RecordedViews:
        """Raises ScanError, CalibrationError for a file that holds no recorded job."""
        job = read_job(recording)
        if job.part.grid is None:
            seen = tuple(_seen(job, TRAY_MM)) if _is_tray(job) and job.recording.pictures else ()
            return cls(job, None, seen, None)
        voxel_mm = grid_from_text(job.part.grid, recording).voxel_mm
        seen = tuple(_seen(job, voxel_mm)) if job.recording.pictures else ()
        return cls(job, read_volume(recording), seen, voxel_mm)

    @property
    def verdict(self) -> VerdictMessage | None:
        """As it was recorded."""
        return self.job.verdict

    @property
    def cell(self) -> str:
        """Where it was recorded."""
        return self.job.recording.header.cell

    def picture(self, view: SeenView) -> Picture:
        """(h, w, 3) BGR, with heat and the defects' numbers. Raises ScanError."""
        image = decoded_frame(view.frame, self.job.calibrations[view.frame.camera]).image
        defects = () if self.verdict is None else self.verdict.defects
        picture = draw(image, view.seeing, self.scored, defects)
        if _is_tray(self.job) and picture.shape[:2] == image.shape[:2]:
            marked = [Marked.told(each) for each in self.verdict.instances] if self.verdict else []
            mark(picture, marked, view.seeing.part_from_camera, view.seeing.rays, 1)
        return picture


def _is_tray(job: RecordedJob) -> bool:
    return job.verdict is not None and bool(job.verdict.instances)


def _seen(job: RecordedJob, voxel_mm: float) -> Iterator[SeenView]:
    rays = {name: Rays.from_calibration(known) for name, known in job.calibrations.items()}
    frames = {(each.camera, each.frame_id): each for each in _camera_frames(job)}
    said = () if job.verdict is None else job.verdict.views
    peaks = {(each.camera or "", each.frame_id): each for each in said}
    for handed in (event for event in job.recording.events if isinstance(event, Handed)):
        key = handed.camera, handed.frame_id
        record, told = frames.get(key), peaks.get(key)
        if record is not None:
            seeing = Seeing(rays[handed.camera], handed.part_from_camera, voxel_mm)
            planned = (None, None) if told is None else (told.view, told.peak_score)
            yield SeenView(record, seeing, *planned)


def _camera_frames(job: RecordedJob) -> Iterator[FrameRecord]:
    for event in job.recording.events:
        if isinstance(event, FrameRecord) and event.device is Device.CAMERA:
            yield event
