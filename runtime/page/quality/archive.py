"""What is kept of a cell: its journal, its recordings, the recipes, and what people said of it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import TypeVar

from voxgate.runtime.config.sections import CellConfig
from voxgate.runtime.errors import ScanError
from voxgate.runtime.recipe.folder import MANIFEST_FILE
from voxgate.runtime.records.evidence_folder import recording_of
from voxgate.runtime.remote.history import job_of
from voxgate.runtime.report.golden import Golden, golden_of
from voxgate.runtime.report.recorded_views import RecordedViews
from voxgate.runtime.wire.verdict import VerdictMessage

KEPT_OPEN = 2  # recordings, some 50 MB each, and recipes: a page asks for its pictures one by one
Key = TypeVar("Key")
Opened = TypeVar("Opened")


@dataclass(slots=True)
class Archive:
    """Of one cell; several threads may ask."""

    config: CellConfig
    marks: Path
    _open: OrderedDict[str, RecordedViews] = field(default_factory=OrderedDict)
    _goldens: OrderedDict[tuple[str, str], Golden] = field(default_factory=OrderedDict)
    _lock: Lock = field(default_factory=Lock)

    @property
    def journal(self) -> Path:
        """The file."""
        return self.config.journal.path

    def verdict(self, job_id: str) -> VerdictMessage | None:
        """As the journal has it, else as it was recorded; None: the job is open, or unknown."""
        job = job_of(self.journal, job_id)
        if job is not None:
            return job.verdict
        try:
            return self.views(job_id).verdict
        except ScanError:
            return None

    def knows(self, job_id: str) -> bool:
        """Whether the journal or a recording tells of it."""
        return job_of(self.journal, job_id) is not None or self.verdict(job_id) is not None

    def recording(self, job_id: str) -> Path:
        """Its file. Raises ScanError when none is kept."""
        if self.config.evidence is None:
            raise ScanError("this cell keeps no recordings")
        return recording_of(self.config.evidence.folder, job_id)

    def views(self, job_id: str) -> RecordedViews:
        """What was recorded of it. Raises ScanError, CalibrationError."""
        with self._lock:
            return _kept(self._open, job_id, lambda: RecordedViews.open(self.recording(job_id)))

    def golden(self, verdict: VerdictMessage) -> Golden:
        """Of the very recipe that decided. Raises RecipeError."""
        digest = "" if verdict.origin is None else verdict.origin.recipe_digest
        folder = self.config.recipes.folder / verdict.recipe
        with self._lock:
            key = (verdict.recipe, digest)
            return _kept(self._goldens, key, lambda: golden_of(folder, digest))

    def recipes(self) -> list[str]:
        """Labels of what lies in the folder; none is opened."""
        found = self.config.recipes.folder.glob(f"[!.]*/[!.]*/{MANIFEST_FILE}")
        return sorted(f"{each.parent.parent.name}/{each.parent.name}" for each in found)


def _kept(known: OrderedDict[Key, Opened], key: Key, open_it: Callable[[], Opened]) -> Opened:
    """Opened once; of those that were not asked for lately none is kept."""
    if key not in known:
        known[key] = open_it()
    known.move_to_end(key)
    while len(known) > KEPT_OPEN:
        known.popitem(last=False)
    return known[key]
