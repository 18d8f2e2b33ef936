"""`voxgate record`: the service with an inspector that inspects nothing, so that jobs are recorded.

Cameras, sockets and clocks are those of `voxgate run`; the journal is one of its own, beside the
recordings. Every verdict is INDETERMINATE: nothing was compared with anything.
"""

from __future__ import annotations

import logging
from pathlib import Path

from voxgate.runtime.cameras.from_config import load_calibrations
from voxgate.runtime.common.timings import Timing
from voxgate.runtime.config.cell import Cell, load_cell
from voxgate.runtime.config.sections import Journal
from voxgate.runtime.errors import ServiceError
from voxgate.runtime.jobs.part_inspector import Prepared
from voxgate.runtime.nouns import Note, Reason, Verdict, View
from voxgate.runtime.offline.replay import RECORDER
from voxgate.runtime.records.evidence_folder import Quota, Shelf
from voxgate.runtime.records.evidence_store import EvidenceStore
from voxgate.runtime.scans.convert import write_folder
from voxgate.runtime.scans.job_reader import read_job
from voxgate.runtime.scans.part_files import PartFiles
from voxgate.runtime.service.run import serve
from voxgate.runtime.service.wake import Wake
from voxgate.runtime.telemetry.logs import set_up

log = logging.getLogger(__name__)

NO_RECIPE = "recorder/1"
ANY_NUMBER = 1_000_000  # of views: the job ends by stop_job
QUEUE_BYTES = 4_000_000_000  # a golden part may have hundreds of views
FOR_EVER_S = 1e12


class NoInspection:
    """Takes everything and knows nothing; jobs.part_inspector.PartInspector."""

    complete = False

    def start(self) -> None:
        """A new part."""

    def add(self, view: View) -> None:
        """It is in the recording."""

    def reject(self, note: Note) -> None:
        """It is in the recording."""

    def finish(self) -> Verdict:
        """That nothing was inspected."""
        what = "only recorded: voxgate record has no recipe to compare the part with"
        return Verdict(notes=(Note(Reason.NOT_DECIDED, what),))

    def take_timings(self) -> tuple[Timing, ...]:
        """None."""
        return ()

    def close(self) -> None:
        """Nothing is open."""


def run_record_only(config: Path, out: Path, as_folder: bool) -> int:
    """Record the cell's jobs into `out` until SIGTERM or SIGINT; the exit code.

    Raises ConfigError, CalibrationError, ServiceError: one line, nothing was started.
    """
    cell = load_cell(config, without="recipes")
    set_up(cell.config.log.level)
    calibrations = load_calibrations(cell.config)
    try:
        out.mkdir(parents=True, exist_ok=True)
        part = PartFiles.of(cell.config.calibrations)
    except OSError as error:
        raise ServiceError(f"{error.filename}: {error.strerror}") from error

    def store(wake: Wake) -> EvidenceStore:
        shelf = Shelf(out, Quota(1 << 62, FOR_EVER_S, FOR_EVER_S, 0))
        after = _into_folder if as_folder else _said
        return EvidenceStore(shelf, part, QUEUE_BYTES, 1, wake.call, after)

    return serve(_recording_cell(cell, out), calibrations, _prepare, store)


def _recording_cell(cell: Cell, out: Path) -> Cell:
    """The same cell, with a journal among the recordings and something to serve at once."""
    default = cell.config.recipes.default or NO_RECIPE
    config = cell.config.model_copy(
        update={
            "recipes": cell.config.recipes.model_copy(update={"default": default}),
            "journal": Journal(path=out / "journal.sqlite"),
            "evidence": None,
        }
    )
    return Cell(cell.file, config, cell.configuration_id)


def _said(path: Path) -> None:
    log.info("recorded %s (%.1f MB)", path, path.stat().st_size / 1e6)


def _into_folder(path: Path) -> None:
    """The file that is safe on disk becomes a folder."""
    folder = path.with_suffix("")
    lost = write_folder(folder, read_job(path))
    path.unlink()
    log.info("recorded %s%s", folder, f": {lost}" if lost else "")


def _prepare(name: str) -> Prepared:
    """Whatever recipe the robot asks for is 'prepared', so that its program runs unchanged."""
    label = name if "/" in name else f"{name}/recorder"
    why = "voxgate record inspects nothing"
    return Prepared(NoInspection(), label, RECORDER, ANY_NUMBER, why=why)
