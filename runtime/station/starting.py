"""A start_job from its check to the open job; between them the cameras throw away what is old."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from voxgate.runtime.common.timings import FOREVER_NS
from voxgate.runtime.errors import ServiceError
from voxgate.runtime.station.answers import Answers, Asked
from voxgate.runtime.station.state import Event, Refusal, move
from voxgate.runtime.station.station import Station
from voxgate.runtime.wire.commands import StartJob
from voxgate.runtime.wire.fields import State
from voxgate.runtime.wire.published import FaultCode
from voxgate.runtime.wire.replies import RefusalCode

ARM_NS = 2_000_000_000  # a camera drains in some ms


@dataclass(frozen=True, slots=True)
class _Arming:
    """A start_job that waits until the cameras have thrown away what is old."""

    asked: Asked
    command: StartJob
    until_ns: int


class Starting:
    """At most one start_job at a time."""

    def __init__(self, station: Station, answers: Answers, utc_now: Callable[[], datetime]) -> None:
        self._station = station
        self._answers = answers
        self._utc_now = utc_now
        self._arming: _Arming | None = None

    def begin(self, asked: Asked, command: StartJob, now_ns: int) -> None:
        """Arm the cameras, or say why this job cannot start."""
        problem = self._cannot_start(command)
        if problem is not None:
            self._answers.refuse(asked, *problem)
            return
        self._station.cameras.arm(now_ns)
        self._arm(_Arming(asked, command, now_ns + ARM_NS))
        self.tick(now_ns)

    def tick(self, now_ns: int) -> None:
        """Start the job whose cameras are armed, or give up on them."""
        arming = self._arming
        if arming is None:
            return
        if self._station.cameras.armed and not self._station.busy:
            self._arm(None)
            self._open(arming, now_ns)
        elif now_ns > arming.until_ns:
            self._arm(None)
            self._answers.refuse(arming.asked, *self._why_not_armed())

    def wake_ns(self) -> int:
        """When `tick` is due although nothing comes."""
        return FOREVER_NS if self._arming is None else self._arming.until_ns

    def give_up(self) -> Asked | None:
        """No job starts any more; who has waited for one."""
        arming = self._arming
        self._arm(None)
        return None if arming is None else arming.asked

    def busy_with(self) -> str:
        """What keeps the station from the next command, for people."""
        if self._arming is not None:
            return f"job {self._arming.command.job_id} is just being started"
        if self._station.preparing:
            return f"recipe {self._station.preparing} is being prepared: ask again"
        return "the inspector is still busy with the last part: ask again"

    def _arm(self, arming: _Arming | None) -> None:
        self._arming = arming
        self._station.starting = arming is not None

    def _cannot_start(self, command: StartJob) -> tuple[RefusalCode, str] | None:
        station = self._station
        refusal = move(station.state, Event.START_JOB)
        if isinstance(refusal, Refusal):
            if station.was_set_up and station.state is State.PREOPERATIONAL:
                return RefusalCode.CAMERA_LOST, self._camera_details()
            return RefusalCode.WRONG_STATE, refusal.sentence
        if self._arming is not None or station.runner.job is not None:
            return RefusalCode.BUSY, self.busy_with()
        assert station.recipe is not None
        problem = station.changeover.problem_with(command.recipe)
        if problem is not None:
            return RefusalCode.RECIPE_MISMATCH, problem
        label = station.recipe.label
        if station.recipe.has_expired(self._utc_now()):
            what = f"the signature of recipe {label} has expired: have it signed again, prepare it"
            return RefusalCode.RECIPE_FAILED, what
        if station.runner.book.knows(command.job_id):
            return _duplicate(command)
        if not station.cameras.ready:
            return RefusalCode.CAMERA_LOST, self._camera_details()
        return None

    def _open(self, arming: _Arming, now_ns: int) -> None:
        station = self._station
        refusal = move(station.state, Event.START_JOB)
        if isinstance(refusal, Refusal) or station.recipe is None:
            what = "the station broke while it armed"
            self._answers.refuse(arming.asked, RefusalCode.WRONG_STATE, what)
            return
        try:
            opened = station.runner.open(arming.command, station.recipe, now_ns, arming.asked.who)
        except ServiceError as error:
            station.fail(FaultCode.JOURNAL, str(error), now_ns)
            self._answers.refuse(arming.asked, RefusalCode.JOURNAL_FAILED, str(error))
            return
        if not opened:
            self._answers.refuse(arming.asked, *_duplicate(arming.command))
            return
        station.go(Event.START_JOB)
        self._answers.done(arming.asked, "start_job")

    def _why_not_armed(self) -> tuple[RefusalCode, str]:
        if self._station.cameras.armed:
            return RefusalCode.BUSY, self.busy_with()
        return (
            RefusalCode.CAMERA_LOST,
            f"the cameras were not ready within {ARM_NS / 1e9:g} s: {self._camera_details()}",
        )

    def _camera_details(self) -> str:
        cameras = self._station.cell.config.devices
        details = [(camera.name, self._station.cameras.status(camera.name)) for camera in cameras]
        return "; ".join(f"{name} is {s.phase.value} {s.detail}".strip() for name, s in details)


def _duplicate(command: StartJob) -> tuple[RefusalCode, str]:
    return (
        RefusalCode.DUPLICATE_JOB,
        f"job {command.job_id} was started before: one job, one verdict; choose a new job_id",
    )
