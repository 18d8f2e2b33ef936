"""Who is connected to one socket, and whose connection has to end: too many, or too much at once.

Plain bookkeeping on what libzmq tells (opened, closed) and the kernel counts; the door's thread
calls it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from voxgate.runtime.common.access import Role
from voxgate.runtime.wire.door.allowance import Allowance, Budget
from voxgate.runtime.wire.door.kernel_sockets import (
    Caller,
    caller_of,
    cut_off,
    received_bytes,
    unread_bytes,
)

MOST_CONNECTIONS = 256  # of one socket
MOST_PER_PEER = 16  # under one key: a cable that is pulled leaves some behind
MOST_ADMISSIONS, ADMISSIONS_NS = 30, 10_000_000_000  # of one peer; libzmq tries ten times a second
MOST_SILENT = 64  # that have not said who they are yet
SPOKEN_BYTES = 64 + 202 + 200  # greeting, HELLO and a good part of INITIATE, of a CURVE client
SILENT_NS = 2_500_000_000  # libzmq itself ends a handshake after 2 s
NEW_NS = 1_000_000_000  # a flood begins when somebody connects, as a rule


class Cause(str, Enum):
    """Why somebody was cut off: a closed list, so that it can be a metric's label."""

    FLOOD = "flood"  # more than a peer of this role may send
    TOO_LARGE = "too_large"  # one message
    SUBSCRIPTIONS = "subscriptions"  # to more than there is
    TOO_MANY = "too_many"  # connections
    RESTLESS = "restless"  # it connects again and again, as who sends too large a frame has to
    SILENT = "silent"  # a connection that did not say who it is, one of many


@dataclass(frozen=True, slots=True)
class CutOff:
    """One connection that was ended. name: of the listed peer, None when nobody knows; place: where
    it came from, for people."""

    role: Role
    name: str | None
    place: str
    cause: Cause


@dataclass(slots=True)
class _Connection:
    descriptor: int
    caller: Caller
    opened_ns: int
    budget: Budget
    received: int = 0
    pressed: int = 0
    name: str | None = None  # of the peer whose key it proved
    is_cut: bool = False  # libzmq has not closed it yet


class Connections:
    """Of one socket. keyed: a peer has a name once it has proved its key."""

    def __init__(self, role: Role, allowance: Allowance, keyed: bool) -> None:
        self._role: Role = role
        self._allowance = allowance
        self._keyed = keyed
        self._open: dict[int, _Connection] = {}
        self._admissions: dict[str, deque[int]] = {}
        self.gone: list[str] = []  # peers whose last connection has ended

    def __len__(self) -> int:
        return len(self._open)

    # --- what libzmq tells -----------------------------------------------------------------------

    def opened(self, descriptor: int, now_ns: int) -> Iterator[CutOff]:
        """Somebody connected; who has to go for it."""
        caller = caller_of(descriptor)
        if caller is None:
            return
        budget = Budget(self._allowance, now_ns)
        self._open[descriptor] = _Connection(descriptor, caller, now_ns, budget)
        silent = [each for each in self._open.values() if self._is_silent(each, now_ns)]
        if len(silent) > MOST_SILENT:
            yield self._cut(silent[0], Cause.SILENT)
        elif len(self._open) > MOST_CONNECTIONS:
            yield self._cut(self._open[descriptor], Cause.TOO_MANY)

    def closed(self, descriptor: int) -> None:
        """It is gone."""
        ended = self._open.pop(descriptor, None)
        who = None if ended is None else self._who(ended)
        if who is not None and all(self._who(each) != who for each in self._open.values()):
            self.gone.append(who)

    def admitted(self, address: str, name: str, now_ns: int) -> Iterator[CutOff]:
        """Somebody from there has proved the key of `name`; which one it was, if that is clear."""
        callers = [each for each in self._open.values() if self._may_be(each, address)]
        if len(callers) == 1:
            callers[0].name = name
        own = [each for each in self._open.values() if each.name == name and not each.is_cut]
        if len(own) > MOST_PER_PEER:
            yield self._cut(own[0], Cause.TOO_MANY)
        if own and self._is_restless(name, now_ns):
            yield self._cut(own[-1], Cause.RESTLESS)

    # --- what must end ---------------------------------------------------------------------------

    def look(self, now_ns: int) -> Iterator[CutOff]:
        """Ask the kernel how much came; who sent more than he may is cut off."""
        for each in [each for each in self._open.values() if not each.is_cut]:
            fine = self._counted(each, now_ns) if each.caller.is_tcp else self._unpressed(each)
            if not fine:
                yield self._cut(each, Cause.FLOOD)

    def whole(self, descriptor: int) -> tuple[()]:
        """A whole message of this connection was taken: nobody has to go for it."""
        if descriptor in self._open:
            self._open[descriptor].budget.refill()
        return ()

    def cut_descriptor(self, descriptor: int, cause: Cause) -> Iterator[CutOff]:
        """End this connection."""
        each = self._open.get(descriptor)
        if each is not None and not each.is_cut:
            yield self._cut(each, cause)

    def cut_name(self, name: str, cause: Cause) -> Iterator[CutOff]:
        """End all of one peer, or of one address where peers have no names."""
        for each in self._open.values():
            if self._who(each) == name and not each.is_cut:
                yield self._cut(each, cause)

    def is_busy(self, now_ns: int) -> bool:
        """Whether to look again soon."""
        return any(
            each.budget.is_half_spent or each.pressed or now_ns - each.opened_ns < NEW_NS
            for each in self._open.values()
            if not each.is_cut
        )

    def _counted(self, each: _Connection, now_ns: int) -> bool:
        received = received_bytes(each.descriptor, each.caller)
        if received is None:
            self.closed(each.descriptor)
            return True
        used, each.received = received - each.received, received
        return each.budget.spend(used, now_ns)

    def _unpressed(self, each: _Connection) -> bool:
        """Whether we keep up with what comes through a socket file."""
        unread = unread_bytes(each.descriptor, each.caller)
        if unread is None:
            self.closed(each.descriptor)
            return True
        each.pressed = each.pressed + 1 if unread > self._allowance.unread_bytes else 0
        return each.pressed < self._allowance.looks

    def _is_silent(self, each: _Connection, now_ns: int) -> bool:
        if each.is_cut or each.name is not None or now_ns - each.opened_ns > SILENT_NS:
            return False
        return self._keyed and each.received < SPOKEN_BYTES

    def _is_restless(self, name: str, now_ns: int) -> bool:
        last = self._admissions.setdefault(name, deque(maxlen=MOST_ADMISSIONS))
        restless = len(last) == MOST_ADMISSIONS and now_ns - last[0] < ADMISSIONS_NS
        last.append(now_ns)
        return restless

    def _may_be(self, each: _Connection, address: str) -> bool:
        """Whether this one may just have proved its key."""
        if each.name is not None:
            return False
        if each.caller.address != address or not each.caller.is_tcp:
            return each.caller.address == address
        return (received_bytes(each.descriptor, each.caller) or 0) >= SPOKEN_BYTES

    def _who(self, each: _Connection) -> str | None:
        return each.name if self._keyed else each.caller.address

    def _cut(self, each: _Connection, cause: Cause) -> CutOff:
        each.is_cut = True
        cut_off(each.descriptor, each.caller)
        return CutOff(self._role, each.name, each.caller.place, cause)
