"""A service whose inspector follows a script: `python -m tests.kits.scripted_cell YAML JSON`.

Only the inspector is a stand-in; sockets, camera process, journal, clocks and signals are real.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydantic import AwareDatetime, BaseModel

from voxgate.runtime.cameras.from_config import load_calibrations
from voxgate.runtime.common.timings import Timing, Work
from voxgate.runtime.config.cell import load_cell
from voxgate.runtime.errors import EngineError, RecipeError, VoxGateError
from voxgate.runtime.jobs.part_inspector import Prepare, Prepared
from voxgate.runtime.nouns import Defect, Note, Outcome, Reason, Verdict, View, ViewReport
from voxgate.runtime.service.run import serve


class Script(BaseModel):
    """How the inspector behaves."""

    planned: int = 3
    outcome: Outcome = Outcome.PASS
    add_s: float = 0.0
    finish_s: float = 0.0
    prepare_s: float = 0.0
    newest: str = "bracket/1"  # what `bracket` means
    slow: str = ""  # a label whose preparation takes slow_s
    slow_s: float = 0.0
    broken: str = ""  # a label that cannot be proven
    raise_in: str = ""  # "add": EngineError, "add!": a programming error, "prepare"
    nan_score: bool = False
    allocates_mb: int = 0  # in add() and in finish(), as an engine does
    finish_file: str = ""  # appears when finish() begins
    not_after_utc: AwareDatetime | None = None  # of the recipe's signature


@dataclass(slots=True)
class ScriptedInspector:
    script: Script
    views: list[View]
    notes: list[Note]
    sleep: Callable[[float], None] = time.sleep

    def start(self) -> None:
        self.views.clear()
        self.notes.clear()

    def add(self, view: View) -> None:
        self.sleep(self.script.add_s)
        np.empty(self.script.allocates_mb << 20, np.uint8)
        if self.script.raise_in == "add":
            raise EngineError("the engine gave up")
        if self.script.raise_in == "add!":
            raise ZeroDivisionError("a fault in the program")
        self.views.append(view)

    def reject(self, note: Note) -> None:
        self.notes.append(note)

    @property
    def complete(self) -> bool:
        return len(self.views) >= self.script.planned

    def finish(self) -> Verdict:
        if self.script.finish_file:
            Path(self.script.finish_file).touch()
        self.sleep(self.script.finish_s)
        np.empty(self.script.allocates_mb << 20, np.uint8)
        reports = tuple(
            ViewReport(number, view.frame_id, view.uncertainty_mm, 0.1)
            for number, view in enumerate(self.views)
        )
        missing = self.script.planned - len(self.views)
        notes = tuple(self.notes)
        if missing:
            notes += (Note(Reason.MISSING_VIEW, f"{missing} views did not come"),)
        if notes:
            return Verdict(notes=notes, views=reports)
        score = float("nan") if self.script.nan_score else 0.5
        if self.script.outcome is Outcome.FAIL:
            notes = (Note(Reason.DEFECT, "1 defect"),)
            defect = Defect((1, 2, 3), (4, 5, 6), (1, 1, 1), 1.0, 2.5, 9, 3)
            return Verdict(Outcome.FAIL, notes, 2.5, 0.99, (defect,), reports)
        return Verdict(self.script.outcome, (), score, 0.99, (), reports)

    def take_timings(self) -> tuple[Timing, ...]:
        return (Timing(Work.ENGINE, 2_000_000),)

    def close(self) -> None:
        logging.info("inspector closed")


def scripted(script: Script, sleep: Callable[[float], None] = time.sleep) -> Prepare:
    """A preparer that knows the recipe `bracket`, in every version. sleep: how it takes time."""

    def prepare(name: str) -> Prepared:
        sleep(script.prepare_s)
        if script.raise_in == "prepare":
            raise EngineError("probe 0: off by 0.5 of the threshold")
        if name.partition("/")[0] != "bracket":
            raise RecipeError(f"there is no recipe {name}")
        label = name if "/" in name else script.newest
        if label == script.slow:
            sleep(script.slow_s)
        if label == script.broken:
            raise EngineError(f"{label}: probe 0: off by 0.5 of the threshold")
        inspector = ScriptedInspector(script, [], [], sleep)
        until = script.not_after_utc
        return Prepared(inspector, label, "scripted", script.planned, until)

    return prepare


def main() -> int:
    """The exit code of the service."""
    cell = load_cell(Path(sys.argv[1]))
    script = Script.model_validate_json(sys.argv[2])
    logging.basicConfig(level="INFO", format="%(levelname)s %(name)s: %(message)s")
    try:
        return serve(cell, load_calibrations(cell.config), scripted(script))
    except VoxGateError as error:
        logging.error("%s", error)
        return 2


if __name__ == "__main__":
    sys.exit(main())
