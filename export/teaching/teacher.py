"""The lesson, step by step: record, make the recipe, look twice, prove it, sign, serve."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from voxgate.export.reference.reference import export_reference_recipe
from voxgate.export.teaching.lesson import TIMES_AGAIN, Lesson, Looked
from voxgate.export.teaching.recorder import Recorder
from voxgate.runtime.config.cell import Cell
from voxgate.runtime.config.settings import Settings
from voxgate.runtime.errors import RecipeError, VoxGateError
from voxgate.runtime.nouns import Note, Outcome, Reason
from voxgate.runtime.offline.inspect_scan import inspect_folder
from voxgate.runtime.recipe.folder import manifest_text
from voxgate.runtime.recipe.signature import sign, write_signature
from voxgate.runtime.recipe.store import install, trust_of
from voxgate.runtime.scans.job_reader import read_job

RECIPE, RECORDINGS = "recipe", "recordings"


class Talk(Protocol):
    """With the person at the cell."""

    def say(self, words: str) -> None:
        """One line."""

    def please(self, words: str) -> None:
        """Ask for something to be done; the robot's next job says that it is."""

    def is_so(self, question: str) -> bool:
        """A question; without a person: yes."""

    def progress(self, done: int, of: int, what: str) -> None:
        """Of something that takes a while."""


@dataclass(frozen=True, slots=True)
class Teacher:
    """folder: of this lesson, with its recordings and the recipe in the making."""

    cell: Cell
    folder: Path
    lesson: Lesson
    talk: Talk

    @property
    def recipe(self) -> Path:
        """As it is being made."""
        return self.folder / RECIPE

    def prove(self) -> None:
        """Up to the wanted bound. Raises VoxGateError where the part cannot be taught so."""
        with Recorder(self.cell.file, self.folder / RECORDINGS) as recorder:
            self._golden(recorder)
            self._make()
            self._again(recorder)
            self._others(recorder)

    def install(self, key: Ed25519PrivateKey | None) -> str:
        """Sign where there is a key, put it into the cell's folder; its label. Raises RecipeError,
        as for a recipe that nobody has signed whom the cell trusts."""
        if key is not None:
            write_signature(self.recipe, sign(manifest_text(self.recipe), key, None))
        recipes = self.cell.config.recipes
        label = f"{self.lesson.part}/{self.lesson.version}"
        if not self.lesson.installed:
            install(self.recipe, recipes.folder, trust_of(recipes))
            self.lesson.installed = True
            self.lesson.keep(self.folder)
        return label

    def _golden(self, recorder: Recorder) -> None:
        while self.lesson.golden is None:
            self.talk.please("put a good part down and let the robot's program run one job")
            found = self._next(recorder)
            if found is not None:
                self.lesson.golden = found.name
                self.lesson.keep(self.folder)
                self.talk.say(f"this is the golden part: {found.name}")

    def _make(self) -> None:
        if self.recipe.exists():
            return
        golden = self.folder / RECORDINGS / str(self.lesson.golden)
        draft = self.folder / f".{RECIPE}"
        shutil.rmtree(draft, ignore_errors=True)
        try:
            made = export_reference_recipe(
                golden,
                draft,
                name=self.lesson.part,
                version=self.lesson.version,
                on_progress=self.talk.progress,
            )
        except VoxGateError:
            self.lesson.golden = None  # the next try begins with another recording
            self._leave_out(golden.name)
            raise
        draft.rename(self.recipe)
        self.talk.say(str(made["inspected"]["words"]))
        self.talk.say(
            f"not inspected: what stands less than {made['table_z_mm']:g} mm above the table, and "
            f"holes of up to {made['hides_mm2']:.0f} mm2 that no view measures"
        )

    def _again(self, recorder: Recorder) -> None:
        while len(self.lesson.again) < TIMES_AGAIN:
            self.talk.please("take the same part off, put it down again, and run the job")
            looked = self._look(recorder)
            if looked is None:
                continue
            if looked.outcome is Outcome.FAIL:
                raise RecipeError(
                    "put down again, the golden part itself FAILs: its place, the light or the "
                    "calibration changes more than a defect does; see docs/how-to/set-thresholds.md"
                )
            self._keep(self.lesson.again, looked)

    def _others(self, recorder: Recorder) -> None:
        while not self.lesson.is_proven:
            self.talk.please(
                f"another good part, please ({self.lesson.still_needed} more are needed)"
            )
            looked = self._look(recorder)
            if looked is None:
                continue
            if looked.outcome is Outcome.FAIL and not self.talk.is_so(
                "it FAILs: is that part good all the same?"
            ):
                self._leave_out(looked.recording)
                continue
            self._keep(self.lesson.others, looked)
            self.talk.say(self.lesson.words)

    def _look(self, recorder: Recorder) -> Looked | None:
        """The next recording by the new recipe; None: it tells nothing."""
        found = self._next(recorder)
        if found is None:
            return None
        settings = Settings.from_config(self.cell.config)
        verdict = inspect_folder(found, self.recipe, settings=settings).verdict
        score = "nothing was scored" if verdict.score is None else f"score {verdict.score:.2f}"
        self.talk.say(f"{verdict.outcome.value}, {score} (threshold 1.00){_words(verdict.notes)}")
        if verdict.outcome is Outcome.INDETERMINATE:
            self._leave_out(found.name)
            return None
        return Looked(recording=found.name, outcome=verdict.outcome, score=verdict.score)

    def _next(self, recorder: Recorder) -> Path | None:
        """The next recording; None for one of which the line itself had doubts."""
        found = recorder.next(self.lesson.used)
        verdict = read_job(found).verdict
        notes = () if verdict is None else verdict.reasons
        doubts = [each for each in notes if each.reason is not Reason.NOT_DECIDED]
        if doubts:
            self.talk.say(f"left out: {doubts[0].reason.value}: {doubts[0].detail}")
            self._leave_out(found.name)
            return None
        return found

    def _keep(self, where: list[Looked], looked: Looked) -> None:
        where.append(looked)
        self.lesson.keep(self.folder)

    def _leave_out(self, recording: str) -> None:
        self.lesson.left_out.append(recording)
        self.lesson.keep(self.folder)


def _words(notes: tuple[Note, ...]) -> str:
    return "".join(f"; {note.reason.value}: {note.detail}" for note in notes[:2])
