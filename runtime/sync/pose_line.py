"""Whether the poses that come are those of one robot program, which counts on.

A robot says `seq`, one more each time, and stamps that go forward. A count that falls, repeats or
jumps further than the time between two poses allows is somebody else's, or the same said twice: a
place from it is not proven to be where this camera was.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from voxgate.runtime.nouns import Note, Reason
from voxgate.runtime.sync.poses import KEEP_NS, PoseRecord

LEAST_PERIOD_NS = 500_000  # robots send at most every ms
SLACK_NS = 10_000_000  # some controllers' stamps stand still for a cycle
PROMPT_NS = 50_000_000  # the way of a pose differs by less, as sync.clock assumes
DRIFT = 200e-6  # of a clock, as there
OTHERS = 4  # senders that are remembered beside the one that speaks
FIRST_SEQS = (0, 1)  # where a program that was started again begins
NS_PER_MS = 1e6


@dataclass(frozen=True, slots=True)
class Followed:
    """What a pose's count says. lost: poses missing before it; began_again: a new count from 0."""

    note: Note | None = None
    lost: int = 0
    began_again: bool = False


@dataclass(slots=True)
class _Sender:
    """The newest pose of one count, and how late its promptest one was."""

    newest: PoseRecord
    least_late_ns: float

    @property
    def seq(self) -> int:
        return self.newest.seq or 0

    def count_on(self, pose: PoseRecord) -> None:
        """It said `pose`."""
        gone_ns = pose.t_arrival_ns - self.newest.t_arrival_ns
        self.least_late_ns = min(_lateness_ns(pose), self.least_late_ns + gone_ns * DRIFT)
        self.newest = pose

    def goes_on_with(self, pose: PoseRecord) -> bool:
        """Whether `pose` is its next one."""
        silent_ns = pose.t_arrival_ns - self.newest.t_arrival_ns
        return _seq(pose) == self.seq + 1 and silent_ns < KEEP_NS

    def may_have_lost(self, pose: PoseRecord) -> bool:
        """Whether there was time enough, by one and the same clock, to say all that is missing."""
        said_ns = (_seq(pose) - self.seq) * LEAST_PERIOD_NS
        gone_ns = pose.t_robot_ns - self.newest.t_robot_ns
        same_clock = _lateness_ns(pose) >= self.least_late_ns - PROMPT_NS
        return 0 < said_ns <= gone_ns + SLACK_NS and same_clock


class PoseLine:
    """Follows one stream of poses in order of arrival."""

    def __init__(self) -> None:
        self._speaks: _Sender | None = None
        self._others: deque[_Sender] = deque(maxlen=OTHERS)

    def follow(self, pose: PoseRecord) -> Followed:
        """What is wrong with this pose's count or stamp, if anything."""
        before = self._speaks
        if before is None:
            self._speaks = _Sender(pose, _lateness_ns(pose))
            return Followed()
        if _seq(pose) == before.seq + 1:
            return self._next(before, pose)
        other = self._another(pose)
        if other is not None:
            return self._back_to(other, before, pose)
        if before.may_have_lost(pose):
            return self._next(before, pose)
        if _seq(pose) == before.seq:
            return Followed(_out_of_order(f"seq {before.seq} came twice{_WHO}"))
        return self._from_elsewhere(before, pose)

    def _next(self, sender: _Sender, pose: PoseRecord) -> Followed:
        before, last = sender.newest, sender.seq
        sender.count_on(pose)
        if pose.t_robot_ns <= before.t_robot_ns:
            back_ms = (before.t_robot_ns - pose.t_robot_ns) / NS_PER_MS
            what = f"the stamp of seq {pose.seq} is {back_ms:g} ms before that of seq {last}"
            return Followed(_out_of_order(f"{what}: stamps must go forward: who sets the clock?"))
        lost = _seq(pose) - last - 1
        if lost == 0:
            return Followed()
        note = Note(Reason.POSE_GAP, f"{lost} robot poses lost before seq {pose.seq}")
        return Followed(note, lost)

    def _another(self, pose: PoseRecord) -> _Sender | None:
        """Who spoke a moment ago and counts on with this pose."""
        return next((other for other in self._others if other.goes_on_with(pose)), None)

    def _back_to(self, other: _Sender, before: _Sender, pose: PoseRecord) -> Followed:
        self._others.remove(other)
        self._others.appendleft(before)
        self._speaks = other
        other.count_on(pose)
        what = f"two programs send poses: one is at seq {before.seq}, one at {pose.seq}"
        return Followed(_out_of_order(f"{what}: stop one of them"))

    def _from_elsewhere(self, before: _Sender, pose: PoseRecord) -> Followed:
        self._others.appendleft(before)
        self._speaks = _Sender(pose, _lateness_ns(pose))
        if _seq(pose) in FIRST_SEQS and _seq(pose) < before.seq:
            return Followed(began_again=True)
        how = "fell" if _seq(pose) < before.seq else "jumped"
        return Followed(_out_of_order(f"seq {how} from {before.seq} to {pose.seq}{_WHO}"))


_WHO = ": does a second program send poses?"


def _out_of_order(what: str) -> Note:
    return Note(Reason.POSE_ORDER, f"robot poses: {what}")


def _lateness_ns(pose: PoseRecord) -> int:
    return pose.t_arrival_ns - pose.t_robot_ns


def _seq(pose: PoseRecord) -> int:
    return pose.seq or 0
