"""The station's condition: state machine, recipe, cameras, and the job runner under them.

Everything is called from the service's loop with the time as a number. Commands come in through
`runtime.desk`, bytes through `runtime.service`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from voxgate.runtime.cameras.restart_rule import Phase
from voxgate.runtime.cameras.supervisor import CameraFault
from voxgate.runtime.common.clock import HOST_CLOCK, Clock
from voxgate.runtime.common.host_memory import available_mb
from voxgate.runtime.config.cell import Cell
from voxgate.runtime.errors import ServiceError
from voxgate.runtime.jobs.events import (
    InspectionEvent,
    InspectionFailed,
    JobFinished,
    RecipeFailed,
    RecipeReady,
    ViewInspected,
)
from voxgate.runtime.jobs.job_runner import JobRunner
from voxgate.runtime.jobs.part_inspector import Prepared
from voxgate.runtime.jobs.relay import Relay
from voxgate.runtime.nouns import Frame, How, Note, Reason
from voxgate.runtime.records.configured import serves
from voxgate.runtime.station.changeover import Changeover
from voxgate.runtime.station.health import Cameras, cameras_stand
from voxgate.runtime.station.state import Event, Refusal, move
from voxgate.runtime.telemetry.faults import Faults
from voxgate.runtime.telemetry.metrics import Metrics, Stage
from voxgate.runtime.wire.fields import CameraHealth, State
from voxgate.runtime.wire.published import FaultCode

log = logging.getLogger(__name__)

HANG_NS = 10_000_000_000
"""An inspection still busy with a job so long after its verdict hangs; a view takes 0.1 s."""


class Station:
    """State, recipe and job of one cell. `on_recipe` hears how a preparation ended (None: well)."""

    def __init__(
        self,
        cell: Cell,
        cameras: Cameras,
        relay: Relay,
        faults: Faults,
        metrics: Metrics,
        runner: JobRunner,
        good: tuple[str, ...] = (),
        clock: Clock = HOST_CLOCK,
    ) -> None:
        """good: recipes that decided a part here before, the last one first."""
        self.state = State.PREOPERATIONAL
        self.changeover = Changeover(good)
        self.error: str | None = None
        self.starting = False  # a start_job waits for the cameras: its recipe may not change
        self.on_recipe: Callable[[str | None, int], None] = _nobody
        self.cell = cell
        self.cameras = cameras
        self.runner = runner
        runner.on_closed = self.take_over  # not before: the job's volume is the old recipe's
        self._relay = relay
        self._faults = faults
        self._metrics = metrics
        self._clock = clock
        self.was_set_up = False  # every camera has streamed at the same time once
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
        self._faults.tell(code, why, now_ns, self.runner.job_id)
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
            self.runner.book.write_unwritten()
        except ServiceError as error:
            self.fail(FaultCode.JOURNAL, str(error), now_ns)
            return Refusal(str(error))
        if self._wanted is not None and self.recipe is None and self.preparing is None:
            fallback = self.changeover.fallback
            how = How.ASKED if fallback is None else How.FELL_BACK
            self.prepare(self._wanted, how, fallback)
        return None

    @property
    def complaint(self) -> str | None:
        """What a person has to mend: the error, or the first camera that does not stream."""
        if self.error is not None:
            return self.error
        statuses = (self.cameras.status(camera.name) for camera in self.cell.config.devices)
        return next((status.lost for status in statuses if status.lost), None)

    def cameras_stand(self) -> tuple[CameraHealth, ...]:
        """How each camera stands, in the order of the configuration."""
        return cameras_stand([camera.name for camera in self.cell.config.devices], self.cameras)

    # --- recipe ----------------------------------------------------------------------------------

    @property
    def recipe(self) -> Prepared | None:
        """The one that serves."""
        return self.changeover.served

    @property
    def preparing(self) -> str | None:
        """What is being prepared, or waits for the open job's end."""
        return self.changeover.preparing

    def prepare(self, recipe: str, how: How = How.ASKED, why: str | None = None) -> Refusal | None:
        """Begin to load a recipe beside the one that serves. why: of a fallback."""
        refusal = self.go(Event.PREPARE)
        if refusal is not None:
            return refusal
        self.error = None
        self.changeover.begin(recipe, how, why)
        self._wanted = recipe if self.recipe is None else self.recipe.label
        self._relay.prepare(recipe)
        return None

    def roll_back(self, now_ns: int) -> Refusal | None:
        """Back to the recipe before: at the next boundary while it is open, else it is loaded."""
        before = self.changeover.before
        if before is None:
            return Refusal("no recipe served before this one: send prepare_recipe")
        warm = self.changeover.warm(self._clock.utc_now())
        if warm is None or not self._relay.keeps(warm):
            return self.prepare(before, How.ROLLED_BACK)
        refusal = self.go(Event.PREPARE)
        if refusal is not None:
            return refusal
        self.error = None
        self._relay.recall()
        self.changeover.begin_again()
        return None

    def take_over(self, now_ns: int) -> None:
        """Between two jobs: a recipe that is proven and waits serves from now on."""
        waiting = self.changeover.next
        if waiting is None or waiting.ready is None:
            return
        if self.runner.job is not None or self.starting:
            return
        begun_ns = self._clock.monotonic_ns()
        old = self.recipe
        is_another = old is not None and old.label != waiting.ready.label
        self._relay.switch(keep=is_another and self._may_keep())
        prepared, how = self.changeover.switch()
        self._wanted = prepared.label
        self.go(Event.PREPARED)
        self._metrics.show_recipe(prepared.label, how)
        self._metrics.show_backend(prepared.chosen, prepared.asked)
        self._metrics.observe(Stage.SWITCH, self._clock.monotonic_ns() - begun_ns)
        log.info("recipe=%s serves (%s)", prepared.label, how.value)
        self._put_down(prepared, how, now_ns)
        self.on_recipe(None, now_ns)

    def _put_down(self, prepared: Prepared, how: How, now_ns: int) -> None:
        try:
            self.runner.book.note(serves(prepared.label, how, prepared.origin))
        except ServiceError as error:
            self.fail(FaultCode.JOURNAL, str(error), now_ns)

    def _recipe_ready(self, event: RecipeReady, now_ns: int) -> None:
        prepared = event.prepared
        self._metrics.observe(Stage.PREPARE, event.took_ns)
        log.info(
            "recipe=%s backend=%s (%s) prepared in %.0f ms",
            *(prepared.label, prepared.backend, prepared.why, event.took_ns / 1e6),
        )
        self.changeover.proven(prepared)
        self.take_over(now_ns)

    def _recipe_failed(self, detail: str, now_ns: int) -> None:
        failed = self.changeover.failed()
        self._relay.withdraw()
        self.go(Event.PREPARE_FAILED)
        if self.recipe is not None:
            detail = f"{detail}; {self.recipe.label} serves on"
        if self.state is not State.ERROR:
            self.error = detail
        self._faults.tell(FaultCode.RECIPE, detail, now_ns)
        if not (failed.how is How.STARTED and self._fall_back(failed.asked, detail, now_ns)):
            self.on_recipe(detail, now_ns)

    def _fall_back(self, asked: str, why: str, now_ns: int) -> bool:
        """After a start without its recipe: the version that last decided a part, if allowed."""
        last_good = self.changeover.last_good(asked)
        if not self.cell.config.recipes.fallback or last_good is None or self.recipe is not None:
            return False
        if self.prepare(last_good, How.FELL_BACK, why) is not None:
            return False
        told = f"FALLBACK: {last_good}, which last decided a part here, is prepared instead: {why}"
        log.error(told)
        self._faults.tell(FaultCode.RECIPE, told, now_ns)
        return True

    def _may_keep(self) -> bool:
        """Whether the recipe before may stay in memory."""
        keep_mb = self.cell.config.recipes.keep_before_mb
        return keep_mb is not None and available_mb() >= keep_mb

    # --- what comes ------------------------------------------------------------------------------

    def camera_event(self, event: Frame | CameraFault, now_ns: int) -> None:
        """A frame, or why there is none."""
        if isinstance(event, Frame):
            self.runner.frame(event)
            return
        self.runner.hold_against(event.note)
        self._faults.note(event.note, now_ns, self.runner.job_id, event.camera)

    def pose_note(self, note: Note, now_ns: int) -> None:
        """A pose that was none, or not in order, holds against the job; a lost one by its gap."""
        if note.reason in (Reason.POSE_INVALID, Reason.POSE_ORDER):
            self.runner.hold_against(note)
        self._faults.note(note, now_ns, self.runner.job_id)

    def worker_event(self, event: InspectionEvent, now_ns: int) -> None:
        """What the inspection thread has to tell."""
        if isinstance(event, ViewInspected):
            self.runner.inspected(event)
        elif isinstance(event, JobFinished):
            self.runner.finished(event, now_ns)
        elif isinstance(event, RecipeReady):
            self._recipe_ready(event, now_ns)
        elif isinstance(event, RecipeFailed):
            self._recipe_failed(event.detail, now_ns)
        else:
            self._worker_failed(event, now_ns)

    def _worker_failed(self, event: InspectionFailed, now_ns: int) -> None:
        broken, self.changeover.served = self.changeover.served, None  # proven again after `reset`
        if broken is not None:
            self._wanted = broken.label
        self.fail(FaultCode.ENGINE, event.detail, now_ns)
        if self.recipe is None:  # else another one was waiting for the job's end
            self._relay.drop()

    # --- what time brings ------------------------------------------------------------------------

    def tick(self, now_ns: int) -> None:
        """Take the steps that are due."""
        self.runner.pump(now_ns)
        self.runner.step(now_ns)
        self._settle(now_ns)

    def look_after(self, now_ns: int) -> None:
        """Now and then: cameras that were given up, an inspection that hangs, gauges."""
        for camera in self.cell.config.devices:
            status = self.cameras.status(camera.name)
            streams = status.phase is Phase.RUNNING
            self._metrics.show_camera(camera.name, self.cameras.counters(camera.name))
            self._metrics.show_stream(camera.name, streams)
            if status.phase is Phase.GIVEN_UP and self.state is not State.ERROR:
                self._given_up(status.detail, now_ns)
        self._metrics.queue_depth.set(self._relay.waiting)
        if self._relay.keeps_before and not self._may_keep():
            self._relay.forget_before()
        if self._hangs(now_ns) and self.state is not State.ERROR:
            self.fail(
                FaultCode.ENGINE,
                "the inspection thread is still busy with a job that was given up: "
                "restart the service if this stays",
                now_ns,
            )

    def _given_up(self, why: str, now_ns: int) -> None:
        """Who never streamed may be switched on later: that is waited for."""
        if self.was_set_up:
            self.fail(FaultCode.CAMERA, why, now_ns)
        else:
            self.cameras.reset(now_ns)

    def _hangs(self, now_ns: int) -> bool:
        """Whether the inspection is stuck in a job that has its verdict already."""
        if self._relay.idle or self.runner.job is not None:
            self._busy_since_ns = None
            return False
        if self._busy_since_ns is None:
            self._busy_since_ns = now_ns
        return now_ns - self._busy_since_ns > HANG_NS

    @property
    def busy(self) -> bool:
        """Whether the inspection is not free for a new job."""
        return not self._relay.idle

    def wake_ns(self) -> int:
        """When `tick` is due although nothing comes."""
        return self.runner.wake_ns()

    def _settle(self, now_ns: int) -> None:
        if not self.cameras.ready:
            self.go(Event.LOST)
        elif self.state is State.PREOPERATIONAL:
            self.was_set_up = True
            self.go(Event.SET_UP)
        if self.recipe is not None and self.state is State.INITIALIZED:
            self.go(Event.PREPARED)
        self.take_over(now_ns)


_BROKEN = {
    FaultCode.CAMERA: Reason.CAMERA_LOST,
    FaultCode.ENGINE: Reason.ENGINE_FAILED,
    FaultCode.JOURNAL: Reason.JOURNAL_FAILED,
}
"""What a station that fails holds against the part in hand."""


def _nobody(detail: str | None, now_ns: int) -> None:
    """Nobody waits for a recipe."""
