"""The station's condition: state machine, recipe, cameras, and the job runner under them.

Everything is called from the service's loop with the time as a number. Commands come in through
`runtime.desk`, bytes through `runtime.service`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Protocol

from runtime.camera import CameraCounters, CameraFault, CameraStatus
from runtime.config import Cell
from runtime.errors import ServiceError
from runtime.faults import Faults
from runtime.job_runner import JobRunner
from runtime.messages import FaultCode, State
from runtime.metrics import Metrics, Stage
from runtime.nouns import Frame, Note, Reason
from runtime.state import Event, Refusal, move
from runtime.watchdog import Phase
from runtime.worker import (
    JobFinished,
    Prepared,
    RecipeFailed,
    RecipeReady,
    ViewInspected,
    Worker,
    WorkerEvent,
    WorkerFailed,
)

log = logging.getLogger(__name__)

HANG_NS = 10_000_000_000
"""A worker still busy with a job so long after its verdict hangs; a view takes 0.1 s."""


class Cameras(Protocol):
    """What the station needs of runtime.camera.CameraSupervisor."""

    @property
    def ready(self) -> bool: ...
    @property
    def armed(self) -> bool: ...
    def arm(self, now_ns: int) -> None: ...
    def poll(self, now_ns: int) -> list[Frame | CameraFault]: ...
    def reset(self, now_ns: int) -> None: ...
    def counters(self, name: str) -> CameraCounters: ...
    def status(self, name: str) -> CameraStatus: ...


class Station:
    """State, recipe and job of one cell. `on_recipe` hears how a preparation ended (None: well)."""

    def __init__(
        self,
        cell: Cell,
        cameras: Cameras,
        worker: Worker,
        faults: Faults,
        metrics: Metrics,
        runner: JobRunner,
    ) -> None:
        self.state = State.PREOPERATIONAL
        self.recipe: Prepared | None = None
        self.preparing: str | None = None
        self.error: str | None = None
        self.on_recipe: Callable[[str | None, int], None] = _nobody
        self.cell = cell
        self.cameras = cameras
        self.runner = runner
        self._worker = worker
        self._faults = faults
        self._metrics = metrics
        self._wanted: str | None = None
        self._busy_since_ns: int | None = None

    # --- state -----------------------------------------------------------------------------------

    def go(self, event: Event) -> Refusal | None:
        """Move; the refusal when the table has no move."""
        target = move(self.state, event)
        if isinstance(target, Refusal):
            return target
        if target is not self.state:
            log.info("state %s -> %s (%s)", self.state.value, target.value, event.value)
            self.state = target
            self._metrics.show_state(target)
        return None

    def fail(self, code: FaultCode, why: str, now_ns: int) -> None:
        """A promise cannot be kept: the open job is decided, then ERROR until someone resets."""
        self.error = why
        self._faults.tell(code, why, now_ns, self._job_id())
        self.go(Event.FAULT)  # first, so that whoever waits for the verdict hears of the ERROR
        self.runner.declare(Note(_BROKEN[code], why), now_ns)

    def reset(self, now_ns: int) -> Refusal | None:
        """Leave ERROR: cameras start again, a recipe that was dropped is proven again."""
        refusal = self.go(Event.RESET)
        if refusal is not None:
            return refusal
        self.error = None
        self.cameras.reset(now_ns)
        try:
            self.runner.write_unwritten()
        except ServiceError as error:
            self.fail(FaultCode.JOURNAL, str(error), now_ns)
            return Refusal(str(error))
        if self._wanted is not None and self.recipe is None and self.preparing is None:
            self.prepare(self._wanted)
        return None

    # --- recipe ----------------------------------------------------------------------------------

    def prepare(self, recipe: str) -> Refusal | None:
        """Begin to load a recipe; the one before it is gone at once."""
        refusal = self.go(Event.PREPARE)
        if refusal is not None:
            return refusal
        self.recipe = None
        self.error = None
        self.preparing = self._wanted = recipe
        self._worker.prepare(recipe)
        return None

    def _recipe_ready(self, event: RecipeReady) -> None:
        self._metrics.observe(Stage.PREPARE, event.took_ns)
        self.recipe, self.preparing = event.prepared, None
        prepared = event.prepared
        self._metrics.show_backend(prepared.chosen, prepared.asked)
        log.info(
            "recipe=%s backend=%s (%s) prepared in %.0f ms",
            *(prepared.label, prepared.backend, prepared.why, event.took_ns / 1e6),
        )

    def _recipe_failed(self, detail: str, now_ns: int) -> None:
        self.preparing = None
        self.error = detail
        self.go(Event.PREPARE_FAILED)
        self._faults.tell(FaultCode.RECIPE, detail, now_ns)
        self.on_recipe(detail, now_ns)

    # --- what comes ------------------------------------------------------------------------------

    def camera_event(self, event: Frame | CameraFault, now_ns: int) -> None:
        """A frame, or why there is none."""
        if isinstance(event, Frame):
            self.runner.frame(event)
            return
        self.runner.hold_against(event.note)
        self._faults.note(event.note, now_ns, self._job_id(), event.camera)

    def pose_note(self, note: Note, now_ns: int) -> None:
        """A pose that was none holds against the job; a lost one does by the gap it leaves."""
        if note.reason is Reason.POSE_INVALID:
            self.runner.hold_against(note)
        self._faults.note(note, now_ns, self._job_id())

    def worker_event(self, event: WorkerEvent, now_ns: int) -> None:
        """What the inspection thread has to tell."""
        if isinstance(event, ViewInspected):
            self.runner.inspected(event)
        elif isinstance(event, JobFinished):
            self.runner.finished(event, now_ns)
        elif isinstance(event, RecipeReady):
            self._recipe_ready(event)
        elif isinstance(event, RecipeFailed):
            self._recipe_failed(event.detail, now_ns)
        else:
            self._worker_failed(event, now_ns)

    def _worker_failed(self, event: WorkerFailed, now_ns: int) -> None:
        self.recipe = None  # it is proven again after `reset`
        self.fail(FaultCode.ENGINE, event.detail, now_ns)

    # --- what time brings ------------------------------------------------------------------------

    def tick(self, now_ns: int) -> None:
        """Take the steps that are due."""
        self.runner.pump(now_ns)
        self.runner.step(now_ns)
        self._settle(now_ns)

    def look_after(self, now_ns: int) -> None:
        """Now and then: cameras that were given up, a worker that hangs, gauges."""
        for camera in self.cell.config.cameras:
            self._metrics.show_camera(camera.name, self.cameras.counters(camera.name))
            status = self.cameras.status(camera.name)
            if status.phase is Phase.GIVEN_UP and self.state is not State.ERROR:
                self.fail(FaultCode.CAMERA, status.detail, now_ns)
        self._metrics.queue_depth.set(self._worker.waiting)
        if self._hangs(now_ns) and self.state is not State.ERROR:
            self.fail(
                FaultCode.ENGINE,
                "the inspection thread is still busy with a job that was given up: "
                "restart the service if this stays",
                now_ns,
            )

    def _hangs(self, now_ns: int) -> bool:
        """Whether the worker is stuck in a job that has its verdict already."""
        if self._worker.idle or self.runner.job is not None or self.preparing is not None:
            self._busy_since_ns = None
            return False
        if self._busy_since_ns is None:
            self._busy_since_ns = now_ns
        return now_ns - self._busy_since_ns > HANG_NS

    @property
    def busy(self) -> bool:
        """Whether the worker is not free for a new job."""
        return not self._worker.idle

    def wake_ns(self) -> int:
        """When `tick` is due although nothing comes."""
        return self.runner.wake_ns()

    def _settle(self, now_ns: int) -> None:
        if self.state is State.PREOPERATIONAL and self.cameras.ready:
            self.go(Event.SET_UP)
        if self.recipe is None:
            return
        if self.state is State.INITIALIZED:
            self.go(Event.PREPARED)
        self.on_recipe(None, now_ns)

    def _job_id(self) -> str | None:
        return None if self.runner.job is None else self.runner.job.job_id


_BROKEN = {
    FaultCode.CAMERA: Reason.CAMERA_LOST,
    FaultCode.ENGINE: Reason.ENGINE_FAILED,
    FaultCode.JOURNAL: Reason.JOURNAL_FAILED,
}
"""What a station that fails holds against the part in hand."""


def _nobody(detail: str | None, now_ns: int) -> None:
    """Nobody waits for a recipe."""
