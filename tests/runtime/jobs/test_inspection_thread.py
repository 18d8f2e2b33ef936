"""The inspection thread: a fault in it ends a job, never the thread; nothing piles up."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import numpy as np
import pytest

from tests.kits.cell_kit import until
from tests.kits.scripted_cell import Script, scripted
from voxgate.runtime.common.timings import Timing, Work
from voxgate.runtime.errors import RecipeError
from voxgate.runtime.jobs.events import (
    InspectionEvent,
    InspectionFailed,
    JobFinished,
    RecipeFailed,
    RecipeReady,
    ViewInspected,
)
from voxgate.runtime.jobs.inspection_thread import InspectionThread
from voxgate.runtime.nouns import Note, Reason, View


def view(frame_id: int = 1) -> View:
    return View(frame_id, np.zeros((4, 4), np.uint8), np.eye(4), 0.0)


class Ear:
    """Collects what a worker tells."""

    def __init__(self, script: Script, most_views: int = 8) -> None:
        self.worker = InspectionThread(scripted(script), self._wake, most_views)
        self.events: list[InspectionEvent] = []
        self._woken = threading.Event()
        self.worker.start()

    def _wake(self) -> None:
        self._woken.set()

    def wait_for(self, kind: type[InspectionEvent]) -> InspectionEvent:
        def found() -> list[InspectionEvent]:
            self.events += self.worker.take()
            return [event for event in self.events if isinstance(event, kind)]

        event = until(found, kind.__name__)[0]
        self.events.remove(event)
        assert self._woken.is_set()
        return event

    def prepared(self) -> Ear:
        self.worker.prepare("bracket")
        assert isinstance(self.wait_for(RecipeReady), RecipeReady)
        return self


@pytest.fixture
def ears() -> Iterator[list[Ear]]:
    """Those that are put in are closed."""
    made: list[Ear] = []
    yield made
    for ear in made:
        assert ear.worker.close()


def test_job_runs_from_begin_to_verdict(ears: list[Ear]) -> None:
    ears.append(ear := Ear(Script(planned=1)).prepared())
    ear.worker.begin(1)
    assert ear.worker.add(1, view())
    inspected = ear.wait_for(ViewInspected)
    assert isinstance(inspected, ViewInspected)
    assert inspected.complete
    ear.worker.finish(1)
    finished = ear.wait_for(JobFinished)
    assert isinstance(finished, JobFinished)
    assert finished.job == 1
    assert finished.timings == inspected.timings == (Timing(Work.ENGINE, 2_000_000),)
    until(lambda: ear.worker.idle, "an idle worker")
    assert ear.worker.waiting == 0


def test_note_reaches_the_verdict(ears: list[Ear]) -> None:
    ears.append(ear := Ear(Script(planned=1)).prepared())
    ear.worker.begin(1)
    ear.worker.reject(1, Note(Reason.CAMERA_LOST, "gone"))
    ear.worker.finish(1)
    finished = ear.wait_for(JobFinished)
    assert isinstance(finished, JobFinished)
    assert Reason.CAMERA_LOST in finished.verdict.reasons


def test_more_views_than_may_wait_are_refused(ears: list[Ear]) -> None:
    ears.append(ear := Ear(Script(add_s=0.2), most_views=2).prepared())
    ear.worker.begin(1)
    assert ear.worker.add(1, view(1))
    assert ear.worker.add(1, view(2))
    assert not ear.worker.add(1, view(3))
    assert ear.worker.waiting == 2


def test_abandoned_job_is_skipped_and_tells_nothing(ears: list[Ear]) -> None:
    ears.append(ear := Ear(Script(add_s=0.05)).prepared())
    ear.worker.begin(1)
    for number in range(5):
        ear.worker.add(1, view(number))
    ear.worker.finish(1)
    ear.worker.abandon()
    until(lambda: ear.worker.idle, "an idle worker")
    assert not any(isinstance(event, JobFinished) for event in ear.worker.take())


@pytest.mark.parametrize("raise_in", ["add", "add!"])
def test_fault_of_the_inspector_is_told_and_the_thread_lives(
    ears: list[Ear], raise_in: str
) -> None:
    ears.append(ear := Ear(Script(raise_in=raise_in)).prepared())
    ear.worker.begin(1)
    ear.worker.add(1, view())
    failed = ear.wait_for(InspectionFailed)
    assert isinstance(failed, InspectionFailed)
    assert failed.job == 1
    ear.prepared()


def test_recipe_that_cannot_be_loaded_is_told(ears: list[Ear]) -> None:
    ears.append(ear := Ear(Script()))
    ear.worker.prepare("gear")
    failed = ear.wait_for(RecipeFailed)
    assert isinstance(failed, RecipeFailed)
    assert "gear" in failed.detail


def test_fault_in_the_loader_is_told(ears: list[Ear]) -> None:
    def broken(name: str) -> None:
        raise ZeroDivisionError(name)

    ears.append(ear := Ear(Script()))
    ear.worker._prepare = broken  # type: ignore[assignment]
    ear.worker.prepare("bracket")
    failed = ear.wait_for(RecipeFailed)
    assert isinstance(failed, RecipeFailed)
    assert "ZeroDivisionError" in failed.detail


def test_worker_that_was_never_started_closes() -> None:
    def prepare(name: str) -> None:
        raise RecipeError(name)

    assert InspectionThread(prepare, lambda: None, 1).close()  # type: ignore[arg-type]
