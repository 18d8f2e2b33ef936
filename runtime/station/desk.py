"""Commands in, replies out: every command gets exactly one reply, at once or when it is done.

Who waits (for a verdict, a recipe, armed cameras) is kept here, a bounded number of them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from voxgate import __version__
from voxgate.runtime.common.timings import FOREVER_NS
from voxgate.runtime.common.wall_clock import utc_now
from voxgate.runtime.errors import ServiceError
from voxgate.runtime.nouns import Note, Reason
from voxgate.runtime.station.state import Event, Refusal, move
from voxgate.runtime.station.station import Station
from voxgate.runtime.telemetry.metrics import Metrics
from voxgate.runtime.wire.commands import (
    Abort,
    Acknowledge,
    Command,
    GetResult,
    GetState,
    PrepareRecipe,
    Reset,
    Rollback,
    StartJob,
    StopJob,
    parse_command,
)
from voxgate.runtime.wire.fields import MalformedMessage, State
from voxgate.runtime.wire.published import FaultCode
from voxgate.runtime.wire.replies import (
    Done,
    DoneCommand,
    RefusalCode,
    Refused,
    Reply,
    ResultReply,
    StateReply,
)
from voxgate.runtime.wire.sockets import Envelope, Request
from voxgate.runtime.wire.verdict import VerdictMessage
from voxgate.runtime.wire.verdict_message import cut

MAX_WAITING = 8  # robots that wait for one thing; one is usual
ARM_NS = 2_000_000_000  # a camera drains in some ms


class Send(Protocol):
    """Puts a reply on the wire; False when the asker is gone."""

    def __call__(self, envelope: Envelope, payload: bytes) -> bool: ...


CountOpen = Callable[[], tuple[int, str | None]]
"""How many verdicts are not acknowledged, and the oldest one's job_id."""


@dataclass(frozen=True, slots=True)
class _Asked:
    envelope: Envelope
    command: Command


@dataclass(slots=True)
class _Arming:
    """A start_job that waits until the cameras have thrown away what is old."""

    asked: _Asked
    command: StartJob
    until_ns: int


@dataclass(slots=True)
class _Waiting:
    verdict: list[_Asked] = field(default_factory=list)
    recipe: list[_Asked] = field(default_factory=list)
    arming: _Arming | None = None


class Desk:
    """Answers for one station."""

    def __init__(
        self, station: Station, send: Send, metrics: Metrics, count_open: CountOpen
    ) -> None:
        self._station = station
        self._count_open = count_open
        self._send = send
        self._metrics = metrics
        self._waiting = _Waiting()
        station.on_recipe = self._recipe_settled
        self._answers: dict[type[Command], Callable[[_Asked, int], None]] = {
            PrepareRecipe: self._prepare_recipe,
            Rollback: self._rollback,
            StartJob: self._start_job,
            StopJob: self._stop_job,
            Abort: self._abort,
            Reset: self._reset,
            GetState: self._get_state,
            GetResult: self._get_result,
            Acknowledge: self._acknowledge,
        }

    def take(self, request: Request, now_ns: int) -> None:
        """Carry out one command, or say why not."""
        try:
            if request.payload is None:
                raise MalformedMessage("a command is one frame of JSON")
            asked = _Asked(request.envelope, parse_command(request.payload))
        except MalformedMessage as error:
            self._refuse_malformed(request.envelope, error)
            return
        try:
            self._answers[type(asked.command)](asked, now_ns)
        except ServiceError as error:
            self._station.fail(FaultCode.JOURNAL, str(error), now_ns)
            self._refuse(asked, RefusalCode.JOURNAL_FAILED, str(error))

    def decided(self, verdict: VerdictMessage) -> None:
        """The open job has its verdict: whoever waits for it hears it."""
        waiting, self._waiting.verdict = self._waiting.verdict, []
        for asked in waiting:
            self._result(asked, verdict)

    def tick(self, now_ns: int) -> None:
        """Start the job whose cameras are armed, or give up on them."""
        arming = self._waiting.arming
        if arming is None:
            return
        if self._station.cameras.armed and not self._station.busy:
            self._arm(None)
            self._open(arming, now_ns)
        elif now_ns > arming.until_ns:
            self._arm(None)
            self._refuse(arming.asked, *self._why_not_armed())

    def wake_ns(self) -> int:
        """When `tick` is due although nothing comes."""
        return self._waiting.arming.until_ns if self._waiting.arming else FOREVER_NS

    def close(self) -> None:
        """Nobody is left without an answer."""
        arming, self._waiting.arming = self._waiting.arming, None
        left = [*self._waiting.recipe, *self._waiting.verdict, *([arming.asked] if arming else [])]
        self._waiting = _Waiting()
        for asked in left:
            self._refuse(asked, RefusalCode.SHUTDOWN, "the service is shutting down")

    # --- one method per command ------------------------------------------------------------------

    def _prepare_recipe(self, asked: _Asked, now_ns: int) -> None:
        assert isinstance(asked.command, PrepareRecipe)
        if self._station.preparing:
            self._refuse(asked, RefusalCode.BUSY, self._busy_with())
            return
        self._await_recipe(asked, self._station.prepare(asked.command.recipe))

    def _rollback(self, asked: _Asked, now_ns: int) -> None:
        assert isinstance(asked.command, Rollback)
        before, wanted = self._station.changeover.before, asked.command.recipe
        if self._station.preparing:
            self._refuse(asked, RefusalCode.BUSY, self._busy_with())
        elif before is not None and wanted not in {None, before, before.partition("/")[0]}:
            what = f"the recipe that served before is {before}"
            self._refuse(asked, RefusalCode.RECIPE_MISMATCH, what)
        else:
            self._await_recipe(asked, self._station.roll_back(now_ns))
            self._station.take_over(now_ns)

    def _await_recipe(self, asked: _Asked, refusal: Refusal | None) -> None:
        if refusal is None:
            self._waiting.recipe.append(asked)
        else:
            self._refuse(asked, RefusalCode.WRONG_STATE, refusal.sentence)

    def _start_job(self, asked: _Asked, now_ns: int) -> None:
        command = asked.command
        assert isinstance(command, StartJob)
        problem = self._cannot_start(command)
        if problem is not None:
            self._refuse(asked, *problem)
            return
        self._station.cameras.arm(now_ns)
        self._arm(_Arming(asked, command, now_ns + ARM_NS))
        self.tick(now_ns)

    def _arm(self, arming: _Arming | None) -> None:
        self._waiting.arming = arming
        self._station.starting = arming is not None

    def _stop_job(self, asked: _Asked, now_ns: int) -> None:
        assert isinstance(asked.command, StopJob)
        job = self._station.runner.job
        if job is None:
            self._answer_result(asked, asked.command.job_id)
        elif job.job_id != asked.command.job_id:
            self._refuse(asked, RefusalCode.UNKNOWN_JOB, f"the open job is {job.job_id}")
        elif len(self._waiting.verdict) >= MAX_WAITING:
            self._refuse(asked, RefusalCode.BUSY, f"{MAX_WAITING} wait for this verdict already")
        else:
            job.stop(now_ns)
            self._station.runner.told(asked.command, now_ns)
            self._waiting.verdict.append(asked)

    def _abort(self, asked: _Asked, now_ns: int) -> None:
        arming = self._waiting.arming
        self._arm(None)
        if arming is not None:
            self._refuse(arming.asked, RefusalCode.WRONG_STATE, "aborted before it started")
        refusal = move(self._station.state, Event.ABORT)
        if isinstance(refusal, Refusal):
            self._refuse(asked, RefusalCode.WRONG_STATE, refusal.sentence)
            return
        self._waiting.verdict.append(asked)
        self._station.runner.told(asked.command, now_ns)
        self._station.runner.declare(Note(Reason.ABORTED, "the robot gave the job up"), now_ns)

    def _reset(self, asked: _Asked, now_ns: int) -> None:
        if self._station.busy and self._station.state is State.ERROR:
            self._refuse(asked, RefusalCode.BUSY, self._busy_with())
            return
        refusal = self._station.reset(now_ns)
        if refusal is not None:
            self._refuse(asked, RefusalCode.WRONG_STATE, refusal.sentence)
            return
        self._done(asked, "reset")

    def _get_state(self, asked: _Asked, now_ns: int) -> None:
        station = self._station
        job, fallback = station.runner.job, station.changeover.fallback
        count, oldest = self._count_open()
        self._answer(
            asked,
            StateReply(
                request_id=asked.command.request_id,
                state=station.state,
                cell=station.cell.config.cell,
                recipe=station.changeover.label,
                preparing=station.preparing,
                rollback=station.changeover.before,
                fallback=None if fallback is None else cut(fallback),
                configuration_id=station.cell.configuration_id,
                is_simulated=station.cell.config.is_simulated,
                job_id=None if job is None else job.job_id,
                error=None if station.error is None else cut(station.error),
                unacknowledged=count,
                oldest_unacknowledged=oldest,
                version=__version__,
            ),
        )

    def _get_result(self, asked: _Asked, now_ns: int) -> None:
        assert isinstance(asked.command, GetResult)
        job = self._station.runner.job
        if job is not None and job.job_id == asked.command.job_id:
            self._refuse(asked, RefusalCode.NOT_DECIDED, "the job is still open: send stop_job")
            return
        self._answer_result(asked, asked.command.job_id)

    def _acknowledge(self, asked: _Asked, now_ns: int) -> None:
        assert isinstance(asked.command, Acknowledge)
        if self._station.runner.acknowledge(asked.command.result_id):
            self._done(asked, "acknowledge")
        else:
            self._refuse(asked, RefusalCode.UNKNOWN_RESULT, "no verdict has this result_id")

    # --- starting --------------------------------------------------------------------------------

    def _cannot_start(self, command: StartJob) -> tuple[RefusalCode, str] | None:
        station = self._station
        refusal = move(station.state, Event.START_JOB)
        if isinstance(refusal, Refusal):
            return RefusalCode.WRONG_STATE, refusal.sentence
        if self._waiting.arming or station.runner.job is not None:
            return RefusalCode.BUSY, self._busy_with()
        assert station.recipe is not None
        problem = station.changeover.problem_with(command.recipe)
        if problem is not None:
            return RefusalCode.RECIPE_MISMATCH, problem
        label = station.recipe.label
        if station.recipe.has_expired(utc_now()):
            what = f"the signature of recipe {label} has expired: have it signed again, prepare it"
            return RefusalCode.RECIPE_FAILED, what
        if station.runner.knows(command.job_id):
            return _duplicate(command)
        if not station.cameras.ready:
            return RefusalCode.CAMERA_LOST, self._camera_details()
        return None

    def _open(self, arming: _Arming, now_ns: int) -> None:
        station = self._station
        refusal = move(station.state, Event.START_JOB)
        if isinstance(refusal, Refusal) or station.recipe is None:
            self._refuse(arming.asked, RefusalCode.WRONG_STATE, "the station broke while it armed")
            return
        try:
            opened = station.runner.open(arming.command, station.recipe, now_ns)
        except ServiceError as error:
            station.fail(FaultCode.JOURNAL, str(error), now_ns)
            self._refuse(arming.asked, RefusalCode.JOURNAL_FAILED, str(error))
            return
        if not opened:
            self._refuse(arming.asked, *_duplicate(arming.command))
            return
        station.go(Event.START_JOB)
        self._done(arming.asked, "start_job")

    def _why_not_armed(self) -> tuple[RefusalCode, str]:
        if self._station.cameras.armed:
            return RefusalCode.BUSY, self._busy_with()
        return (
            RefusalCode.CAMERA_LOST,
            f"the cameras were not ready within {ARM_NS / 1e9:g} s: {self._camera_details()}",
        )

    def _camera_details(self) -> str:
        cameras = self._station.cell.config.cameras
        details = [(camera.name, self._station.cameras.status(camera.name)) for camera in cameras]
        return "; ".join(f"{name} is {s.phase.value} {s.detail}".strip() for name, s in details)

    def _busy_with(self) -> str:
        if self._waiting.arming:
            return f"job {self._waiting.arming.command.job_id} is just being started"
        if self._station.preparing:
            return f"recipe {self._station.preparing} is being prepared: ask again"
        return "the inspector is still busy with the last part: ask again"

    # --- answering -------------------------------------------------------------------------------

    def _recipe_settled(self, problem: str | None, now_ns: int) -> None:
        waiting, self._waiting.recipe = self._waiting.recipe, []
        for asked in waiting:
            if problem is None:
                rolled_back = isinstance(asked.command, Rollback)
                self._done(asked, "rollback" if rolled_back else "prepare_recipe")
            else:
                self._refuse(asked, RefusalCode.RECIPE_FAILED, problem)

    def _answer_result(self, asked: _Asked, job_id: str) -> None:
        verdict = self._station.runner.result(job_id)
        if verdict is not None:
            self._result(asked, verdict)
        elif self._station.runner.knows(job_id):
            self._refuse(asked, RefusalCode.NOT_DECIDED, f"job {job_id} has no verdict on record")
        else:
            self._refuse(asked, RefusalCode.UNKNOWN_JOB, f"there is no job {job_id}")

    def _result(self, asked: _Asked, verdict: VerdictMessage) -> None:
        self._answer(
            asked,
            ResultReply(
                request_id=asked.command.request_id, state=self._station.state, result=verdict
            ),
        )

    def _done(self, asked: _Asked, command: DoneCommand) -> None:
        self._answer(
            asked,
            Done(request_id=asked.command.request_id, state=self._station.state, command=command),
        )

    def _refuse(self, asked: _Asked, code: RefusalCode, detail: str) -> None:
        self._answer(
            asked,
            Refused(
                request_id=asked.command.request_id,
                state=self._station.state,
                code=code,
                detail=cut(detail),
            ),
        )

    def _refuse_malformed(self, envelope: Envelope, error: MalformedMessage) -> None:
        self._metrics.commands.labels("malformed", "false").inc()
        reply = Refused(
            request_id=error.request_id,
            state=self._station.state,
            code=RefusalCode.MALFORMED,
            detail=str(error),
        )
        self._send(envelope, reply.to_json())

    def _answer(self, asked: _Asked, reply: Reply) -> None:
        ok = "false" if isinstance(reply, Refused) else "true"
        self._metrics.commands.labels(asked.command.command, ok).inc()
        self._send(asked.envelope, reply.to_json())


def _duplicate(command: StartJob) -> tuple[RefusalCode, str]:
    return (
        RefusalCode.DUPLICATE_JOB,
        f"job {command.job_id} was started before: one job, one verdict; choose a new job_id",
    )
