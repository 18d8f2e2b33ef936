"""`voxgate replay`: a recorded job once more, and whether it comes to the verdict of the line.

The synchronizer goes on from what the line's clocks knew, gets the same poses and frames in the
same order and is asked at the same moments, so that it places the views to the bit; the inspector
is told what it was told then. What ended the job from outside (deadline, abort, journal) ends it
again. A scan without a line behind it is inspected as `voxgate inspect` does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from pydantic import ValidationError

from voxgate.runtime.common.explain import first_finding
from voxgate.runtime.config.cell import Cell
from voxgate.runtime.config.settings import DEFAULTS, Settings
from voxgate.runtime.errors import RecipeError, ScanError
from voxgate.runtime.nouns import Device, Frame, Note, Verdict, View
from voxgate.runtime.offline.inspect_scan import inspect_scan, offline_header, open_any
from voxgate.runtime.recipe.recipe import Recipe
from voxgate.runtime.recipe.store import recipe_folder, trust_of
from voxgate.runtime.records.evidence_folder import COLON, NAME
from voxgate.runtime.scans.cell_scan import CellScan
from voxgate.runtime.scans.job_as_scan import part_scan_of
from voxgate.runtime.scans.job_reader import RecordedJob, read_job
from voxgate.runtime.scans.line import Line
from voxgate.runtime.scans.open_scan import open_part_scan
from voxgate.runtime.scans.recording import Asked, Declared, Flushed, Handed, Held, Took, Withdrawn
from voxgate.runtime.scans.scan import FrameRecord, Scan, decoded_frame
from voxgate.runtime.sync.placed_view import view_of
from voxgate.runtime.sync.poses import PoseRecord
from voxgate.runtime.sync.rejection import name_of
from voxgate.runtime.sync.synchronizer import Synchronizer, SyncState
from voxgate.runtime.wire.verdict import VerdictMessage
from voxgate.runtime.wire.verdict_message import against, verdict_message

EXIT_DIFFERS = 4
FrameKey = tuple[str, Device, int]
"""camera, device, frame id"""
RECORDER = "recorder"
"""Backend of a verdict that only says that the job was recorded."""
NOT_COMPARED = frozenset(
    (
        "result_id",
        "job_id",
        "part_id",
        "created_utc",
        "is_simulated",
        "timing_ms",
        "backend",
        "origin",
    )
) | {"evidence", "configuration_id"}


@dataclass(frozen=True, slots=True)
class Replay:
    """The verdict of today beside that of the line. recorded: None, nothing to compare with.

    moved: frames that were placed elsewhere than on the line. differs: fields of the verdict.
    """

    verdict: Verdict
    message: VerdictMessage
    recorded: VerdictMessage | None
    differs: tuple[str, ...] = ()
    moved: tuple[int, ...] = ()
    why_not: str = ""

    @property
    def same(self) -> bool:
        """Whether nothing speaks against it."""
        return not self.differs and not self.moved

    @property
    def sentence(self) -> str:
        """What the comparison found."""
        if self.recorded is None:
            return f"not compared: {self.why_not}"
        if self.same:
            return f"the same verdict as on the line: {self.recorded.outcome.value}"
        moved = f"; frames placed elsewhere: {list(self.moved)[:5]}" if self.moved else ""
        return (
            f"NOT the verdict of the line, which was {self.recorded.outcome.value}; "
            f"different: {', '.join(self.differs) or 'nothing else'}{moved}"
        )


@dataclass(slots=True)
class _Walk:
    """The events of one job through synchronizer and inspector."""

    job: RecordedJob
    line: Line
    moved: list[int] = field(default_factory=list)

    def arrivals(self) -> Iterator[View | Note]:
        """What the inspector was given, in its order."""
        clocks = self.job.recording.clocks
        assert clocks is not None  # `replay_file` takes another way without them
        sync = _resumed(self.job, clocks, self.line)
        placed: dict[tuple[str, int], View] = {}
        frames: dict[FrameKey, Frame] = {}
        for event in self.job.recording.events:
            if isinstance(event, PoseRecord):
                sync.add_pose(event.pose())
            elif isinstance(event, FrameRecord):
                frame = decoded_frame(event, self.job.calibrations[event.camera])
                frames[event.camera, event.device, event.frame_id] = frame
                sync.add_frame(frame)
            elif isinstance(event, Took):
                for found in sync.take(event.t_ns):
                    if isinstance(found, View):
                        placed.setdefault((found.camera, found.frame_id), found)
            elif isinstance(event, Flushed):
                sync.clear()
            elif isinstance(event, Handed):
                yield self._view(event, placed.pop((event.camera, event.frame_id), None), frames)
            elif isinstance(event, Held):
                yield event.note
            elif isinstance(event, Asked):
                return

    def _view(self, handed: Handed, placed: View | None, frames: Mapping[FrameKey, Frame]) -> View:
        """The view as it is placed now; as the line placed it when that is not the same."""
        if placed is not None and _same_place(placed, handed):
            return placed
        self.moved.append(handed.frame_id)
        camera, half = handed.camera, handed.half
        known = self.job.calibrations[camera]
        frame = _inspected(frames, camera, Device.CAMERA, handed.frame_id)
        view = view_of(frame, handed.part_from_camera, handed.uncertainty_mm, known)
        view = replace(view, camera=camera)
        if half is None or frame.sensed_mm is not None:
            return view
        frame = _inspected(frames, camera, Device.SENSOR, half.frame_id)
        sensed = view_of(frame, half.part_from_sensor, half.uncertainty_mm, known.of_depth)
        return replace(view, sensed=sensed)


def replay_file(path: Path, recipe: Path | None = None, cell: Cell | None = None) -> Replay:
    """Replay a scan's folder or an .mcap file. Raises VoxGateError (one line)."""
    if path.is_dir():
        return _replay_scan(path, open_part_scan(path), recipe, cell, _verdict_beside(path))
    job = read_job(path)
    _check_name(path, job)
    if job.recording.clocks is None:
        return _replay_scan(path, part_scan_of(job, path), recipe, cell, job.verdict)
    if not job.recording.pictures:
        raise ScanError(f"{path}: kept without pictures: the cell's evidence section said so")
    return _replay_job(path, job, recipe, cell)


def _replay_scan(
    path: Path,
    scan: Scan | CellScan,
    recipe: Path | None,
    cell: Cell | None,
    recorded: VerdictMessage | None,
) -> Replay:
    """Without what the line's clocks knew: only the outcome can be held against the line's."""
    settings = DEFAULTS if cell is None else Settings.from_config(cell.config)
    label = None if recorded is None else recorded.recipe
    loaded, folder = _recipe(recipe, cell, label)
    with closing(open_any(loaded, folder, scan.calibrations, settings)) as inspector:
        verdict = inspect_scan(scan, inspector, max_gap_ns=settings.max_gap_ns)
        message = verdict_message(verdict, offline_header(path, inspector, settings))
    return _compared(verdict, message, recorded, (), fields=frozenset({"outcome"}))


def _replay_job(path: Path, job: RecordedJob, recipe: Path | None, cell: Cell | None) -> Replay:
    known = job.recording.header
    line = Line.recorded(known.settings) if cell is None else Line.from_config(cell.config)
    loaded, folder = _recipe(recipe, cell, known.job.recipe)
    walk = _Walk(job, line)
    with closing(open_any(loaded, folder, job.calibrations, line.settings)) as inspector:
        verdict = _decided(job, inspector.inspect(walk.arrivals()))
        header = offline_header(path, inspector, line.settings)
        job_id, part_id = known.job.job_id, known.job.part_id
        named = replace(header.job, job_id=job_id, part_id=part_id)
        message = verdict_message(verdict, replace(header, job=named))
    return _compared(verdict, message, job.verdict, tuple(walk.moved))


def _decided(job: RecordedJob, verdict: Verdict) -> Verdict:
    """What the line made of the inspector's word (runtime/jobs/job_runner.py)."""
    events = job.recording.events
    held = [event.note for event in events if isinstance(event, Held)]
    for event in events:
        if isinstance(event, Declared):
            verdict = Verdict(notes=(event.note, *held))
        elif isinstance(event, Withdrawn):
            verdict = against(verdict, event.note)
    forgotten = [note for note in held if note.reason not in verdict.reasons]
    return against(verdict, *forgotten) if forgotten else verdict


def _compared(
    verdict: Verdict,
    message: VerdictMessage,
    recorded: VerdictMessage | None,
    moved: tuple[int, ...],
    fields: frozenset[str] = frozenset(VerdictMessage.model_fields) - NOT_COMPARED,
) -> Replay:
    why_not = ""
    if recorded is None:
        why_not = "no verdict is recorded with it"
    elif recorded.backend == RECORDER:
        why_not = "the job was recorded without a recipe"
    elif recorded.recipe != message.recipe:
        why_not = f"the line served {recorded.recipe}, which said {recorded.outcome.value}"
    if why_not or recorded is None:
        return Replay(verdict, message, None, why_not=why_not)
    names = sorted(n for n in fields if getattr(recorded, n) != getattr(message, n))
    return Replay(verdict, message, recorded, tuple(names), moved)


# --- how the line did it ------------------------------------------------------------------------


def _resumed(job: RecordedJob, clocks: SyncState, line: Line) -> Synchronizer:
    sync = Synchronizer(
        job.calibrations,
        line.settings.max_gap_ns,
        stamps=line.stamps,
        sensor_stamps=line.sensor_stamps,
    )
    try:
        sync.resume(clocks, (record.pose() for record in job.recording.poses_before))
    except ValueError as error:
        raise ScanError(f"the recorded clocks: {error}") from error
    return sync


def _inspected(
    frames: Mapping[FrameKey, Frame], camera: str, device: Device, frame_id: int
) -> Frame:
    frame = frames.get((camera, device, frame_id))
    if frame is None:
        raise ScanError(f"{name_of(device, frame_id)} was inspected and is not in the file")
    return frame


def _same_place(view: View, handed: Handed) -> bool:
    now, half, then = Handed.of(view, handed.t_ns), view.sensed, handed.half
    same = now.uncertainty_mm == handed.uncertainty_mm and np.array_equal(
        now.part_from_camera, handed.part_from_camera
    )
    if half is None or then is None:
        return same and half is None and then is None
    same = same and half.frame_id == then.frame_id and half.uncertainty_mm == then.uncertainty_mm
    return same and np.array_equal(half.part_from_camera, then.part_from_sensor)


def _recipe(folder: Path | None, cell: Cell | None, label: str | None) -> tuple[Recipe, Path]:
    """The one that is named, else the line's own of the cell. Raises RecipeError."""
    if folder is not None:
        return Recipe.load(folder), folder
    if cell is None:
        raise RecipeError("by which recipe? give --recipe FOLDER, or --config CELL.yaml")
    name = label if label is not None else cell.config.recipes.default
    if name is None:
        raise RecipeError("the scan names no recipe and the cell has no default: give --recipe")
    found = recipe_folder(cell.config.recipes.folder, name)
    return Recipe.load(found, trust_of(cell.config.recipes)), found


def _check_name(path: Path, job: RecordedJob) -> None:
    """Raises ScanError for a recording that lies under the name of another job."""
    named, own = NAME.fullmatch(path.name), job.recording.header.job.job_id
    told = {own, *(each.job_id for each in (job.verdict,) if each is not None)}
    if named is not None:
        told.add(named["job"].replace(COLON, ":"))
    if len(told) > 1:
        raise ScanError(f"{path}: is a recording of job {own}, not of {sorted(told - {own})[0]}")


def _verdict_beside(folder: Path) -> VerdictMessage | None:
    """The verdict that `voxgate convert` wrote into the folder. Raises ScanError."""
    path = folder / "verdict.json"
    if not path.is_file():
        return None
    try:
        return VerdictMessage.model_validate_json(path.read_bytes())
    except OSError as error:
        raise ScanError(f"{path}: cannot be read ({error.strerror})") from error
    except ValidationError as error:
        raise ScanError(f"{path}: {first_finding(error)}") from error
