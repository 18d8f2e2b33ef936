"""Commands in, replies out: every command gets exactly one reply, at once or when it is done.

Who waits (for a verdict, a recipe, armed cameras) is kept here, a bounded number of them.
"""

from __future__ import annotations

from collections.abc import Callable

from voxgate.runtime.common.clock import HOST_CLOCK, Clock
from voxgate.runtime.errors import ServiceError
from voxgate.runtime.nouns import Note, Reason
from voxgate.runtime.station.answers import Answers, Asked, Send
from voxgate.runtime.station.rights import Rights, put_down
from voxgate.runtime.station.starting import Starting
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
from voxgate.runtime.wire.replies import RefusalCode
from voxgate.runtime.wire.sockets import Request
from voxgate.runtime.wire.verdict import VerdictMessage

MAX_WAITING = 8  # robots that wait for one thing; one is usual

CountOpen = Callable[[], tuple[int, str | None]]
"""How many verdicts are not acknowledged, and the oldest one's job_id."""


class Desk:
    """Answers for one station."""

    def __init__(
        self,
        station: Station,
        send: Send,
        metrics: Metrics,
        count_open: CountOpen,
        clock: Clock = HOST_CLOCK,
    ) -> None:
        self._station = station
        self._count_open = count_open
        self._answer = Answers(station, send, metrics)
        self._rights = Rights(station.cell.config.security)
        self._starting = Starting(station, self._answer, clock.utc_now)
        self._for_verdict: list[Asked] = []
        self._for_recipe: list[Asked] = []
        self.tick = self._starting.tick
        self.wake_ns = self._starting.wake_ns
        station.on_recipe = self._recipe_settled
        self._commands: dict[type[Command], Callable[[Asked, int], None]] = {
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
            asked = Asked(request.envelope, parse_command(request.payload), request.peer)
        except MalformedMessage as error:
            self._answer.malformed(request.envelope, error, request.peer)
            return
        right = self._rights.lacks(asked)
        if right is not None:
            what = f"{asked.who} may not {asked.command.command}: security.peers gives no `{right}`"
            self._answer.refuse(asked, RefusalCode.NOT_ALLOWED, what)
            return
        try:
            put_down(asked, self._station.runner.book)
            self._commands[type(asked.command)](asked, now_ns)
        except ServiceError as error:
            self._station.fail(FaultCode.JOURNAL, str(error), now_ns)
            self._answer.refuse(asked, RefusalCode.JOURNAL_FAILED, str(error))

    def decided(self, verdict: VerdictMessage) -> None:
        """The open job has its verdict: whoever waits for it hears it."""
        waiting, self._for_verdict = self._for_verdict, []
        for asked in waiting:
            self._answer.result(asked, verdict)

    def close(self) -> None:
        """Nobody is left without an answer."""
        starting = self._starting.give_up()
        left = [*self._for_recipe, *self._for_verdict, *([starting] if starting else [])]
        self._for_recipe, self._for_verdict = [], []
        for asked in left:
            self._answer.refuse(asked, RefusalCode.SHUTDOWN, "the service is shutting down")

    # --- recipes ---------------------------------------------------------------------------------

    def _prepare_recipe(self, asked: Asked, now_ns: int) -> None:
        assert isinstance(asked.command, PrepareRecipe)
        if self._station.preparing:
            self._answer.refuse(asked, RefusalCode.BUSY, self._starting.busy_with())
            return
        self._await_recipe(asked, self._station.prepare(asked.command.recipe))

    def _rollback(self, asked: Asked, now_ns: int) -> None:
        assert isinstance(asked.command, Rollback)
        before, wanted = self._station.changeover.before, asked.command.recipe
        if self._station.preparing:
            self._answer.refuse(asked, RefusalCode.BUSY, self._starting.busy_with())
        elif before is not None and wanted not in {None, before, before.partition("/")[0]}:
            what = f"the recipe that served before is {before}"
            self._answer.refuse(asked, RefusalCode.RECIPE_MISMATCH, what)
        else:
            self._await_recipe(asked, self._station.roll_back(now_ns))
            self._station.take_over(now_ns)

    def _await_recipe(self, asked: Asked, refusal: Refusal | None) -> None:
        if refusal is None:
            self._for_recipe.append(asked)
        else:
            self._answer.refuse(asked, RefusalCode.WRONG_STATE, refusal.sentence)

    def _recipe_settled(self, problem: str | None, now_ns: int) -> None:
        waiting, self._for_recipe = self._for_recipe, []
        for asked in waiting:
            if problem is None:
                rolled_back = isinstance(asked.command, Rollback)
                self._answer.done(asked, "rollback" if rolled_back else "prepare_recipe")
            else:
                self._answer.refuse(asked, RefusalCode.RECIPE_FAILED, problem)

    # --- jobs ------------------------------------------------------------------------------------

    def _start_job(self, asked: Asked, now_ns: int) -> None:
        assert isinstance(asked.command, StartJob)
        self._starting.begin(asked, asked.command, now_ns)

    def _stop_job(self, asked: Asked, now_ns: int) -> None:
        assert isinstance(asked.command, StopJob)
        job = self._station.runner.job
        if job is None:
            self._answer_result(asked, asked.command.job_id)
        elif job.job_id != asked.command.job_id:
            self._answer.refuse(asked, RefusalCode.UNKNOWN_JOB, f"the open job is {job.job_id}")
        elif len(self._for_verdict) >= MAX_WAITING:
            what = f"{MAX_WAITING} wait for this verdict already"
            self._answer.refuse(asked, RefusalCode.BUSY, what)
        else:
            job.stop(now_ns, asked.who)
            self._station.runner.told(asked.command, now_ns)
            self._for_verdict.append(asked)

    def _abort(self, asked: Asked, now_ns: int) -> None:
        starting = self._starting.give_up()
        if starting is not None:
            self._answer.refuse(starting, RefusalCode.WRONG_STATE, "aborted before it started")
        refusal = move(self._station.state, Event.ABORT)
        if isinstance(refusal, Refusal):
            self._answer.refuse(asked, RefusalCode.WRONG_STATE, refusal.sentence)
            return
        self._for_verdict.append(asked)
        self._station.runner.told(asked.command, now_ns)
        self._station.runner.declare(Note(Reason.ABORTED, "the robot gave the job up"), now_ns)

    # --- what does not change the job ------------------------------------------------------------

    def _reset(self, asked: Asked, now_ns: int) -> None:
        if self._station.busy and self._station.state is State.ERROR:
            self._answer.refuse(asked, RefusalCode.BUSY, self._starting.busy_with())
            return
        refusal = self._station.reset(now_ns)
        if refusal is not None:
            self._answer.refuse(asked, RefusalCode.WRONG_STATE, refusal.sentence)
            return
        self._answer.done(asked, "reset")

    def _get_state(self, asked: Asked, now_ns: int) -> None:
        self._answer.state(asked, *self._count_open())

    def _get_result(self, asked: Asked, now_ns: int) -> None:
        assert isinstance(asked.command, GetResult)
        if self._station.runner.job_id == asked.command.job_id:
            what = "the job is still open: send stop_job"
            self._answer.refuse(asked, RefusalCode.NOT_DECIDED, what)
            return
        self._answer_result(asked, asked.command.job_id)

    def _answer_result(self, asked: Asked, job_id: str) -> None:
        book = self._station.runner.book
        verdict = book.result(job_id)
        if verdict is not None:
            self._answer.result(asked, verdict)
        elif book.knows(job_id):
            what = f"job {job_id} has no verdict on record"
            self._answer.refuse(asked, RefusalCode.NOT_DECIDED, what)
        else:
            self._answer.refuse(asked, RefusalCode.UNKNOWN_JOB, f"there is no job {job_id}")

    def _acknowledge(self, asked: Asked, now_ns: int) -> None:
        assert isinstance(asked.command, Acknowledge)
        if self._station.runner.book.acknowledge(asked.command.result_id, asked.who):
            self._answer.done(asked, "acknowledge")
        else:
            what = "no verdict has this result_id"
            self._answer.refuse(asked, RefusalCode.UNKNOWN_RESULT, what)
