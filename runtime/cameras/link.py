"""The line between a camera worker and its parent: small JSON messages over a pair of sockets.

SOCK_SEQPACKET keeps messages whole and in order and shows the end of the other side. What a worker
sends is bounded without being lost: frames by the ring's slots, faults by adding up the counts of
one kind while the parent is slow. A worker has a vendor's driver in it: what it says is looked at
before it is believed, and so much is read at once.
"""

from __future__ import annotations

import json
import select
import socket
import time
from collections import deque
from dataclasses import asdict, dataclass, replace

from voxgate.runtime.cameras.frame_gate import FaultKind, SourceFault
from voxgate.runtime.common.text import legible
from voxgate.runtime.wire.door.connections import Cause, CutOff

MESSAGE_BYTES = 65_536
MOST_AT_ONCE = 1_000  # messages of one `receive`; the kernel holds some 300
_DETAIL_CHARS = 400
_MOST = 1 << 63  # of a number
_FAULTS = frozenset(kind.value for kind in FaultKind)
_CAUSES = frozenset(cause.value for cause in Cause)
_NONE = frozenset({""})


@dataclass(frozen=True, slots=True)
class Message:
    """One message of either direction; the fields a kind does not need stay at their defaults.

    Worker: ready(detail), frame(slot, number), fault(fault, detail, count), armed(number, count),
    cut(fault, detail, peer), failed(detail). Parent: free(slot), arm(number), stop.
    """

    kind: str
    slot: int = -1
    number: int = -1
    count: int = 0
    fault: str = ""
    detail: str = ""
    peer: str = ""


class LinkClosedError(Exception):
    """The other side is gone."""


class LinkBrokenError(LinkClosedError):
    """The other side says what no worker of ours says: nothing more of it is heard."""


class Link:
    """One end. `send` never blocks: what does not fit now goes out with the next `flush`."""

    def __init__(self, end: socket.socket) -> None:
        end.setblocking(False)
        self._end = end
        self._waiting: deque[Message] = deque()

    def fileno(self) -> int:
        return self._end.fileno()

    def close(self) -> None:
        self._end.close()

    def send(self, message: Message) -> None:
        """Queue and try to send. Raises LinkClosedError when nobody reads any more."""
        self._waiting.append(message)
        self.flush()

    def send_fault(self, fault: SourceFault) -> None:
        """Like `send`; while the other side is slow, counts of one kind are added up."""
        kind, detail, count = fault.kind.value, fault.detail[:_DETAIL_CHARS], fault.count
        for i, message in enumerate(self._waiting):
            if message.kind == "fault" and message.fault == kind:
                count += message.count
                self._waiting[i] = Message("fault", fault=kind, detail=detail, count=count)
                return self.flush()
        return self.send(Message("fault", fault=kind, detail=detail, count=count))

    def flush(self) -> None:
        """Send what waits, as far as the other side takes it."""
        while self._waiting:
            try:
                self._end.send(json.dumps(asdict(self._waiting[0])).encode())
            except BlockingIOError:
                return
            except OSError as e:
                raise LinkClosedError(str(e)) from e
            self._waiting.popleft()

    def finish(self, timeout_s: float) -> None:
        """Send what waits before the process ends, as far as that takes no longer."""
        poller = select.poll()
        poller.register(self.fileno(), select.POLLOUT)
        deadline = time.monotonic() + timeout_s
        while self._waiting and time.monotonic() < deadline:
            poller.poll(100)
            self.flush()

    def receive(self) -> list[Message]:
        """What has come, in order, MOST_AT_ONCE at the most.

        Raises LinkClosedError only when the other side is gone and nothing is left to read,
        LinkBrokenError at once.
        """
        messages: list[Message] = []
        while len(messages) < MOST_AT_ONCE:
            try:
                data = self._end.recv(MESSAGE_BYTES)
            except BlockingIOError:
                return messages
            except ConnectionResetError:
                continue  # said once, before what the other side sent last; then comes the end
            if not data:
                if messages:
                    return messages
                raise LinkClosedError("the other side closed the link")
            messages.append(_parsed(data))
        return messages

    def wait(self, timeout_s: float) -> None:
        """Sleep until a message comes, the other side ends, or the time is over."""
        wait_readable(self.fileno(), timeout_s)


def _parsed(data: bytes) -> Message:
    try:
        message = Message(**json.loads(data))
        numbers = (message.slot, message.number, message.count)
        words = (message.kind, message.fault, message.detail, message.peer)
        fits = all(type(each) is int and -1 <= each < _MOST for each in numbers)
        fits = fits and message.count >= 0 and all(type(each) is str for each in words)
    except (ValueError, TypeError, RecursionError) as error:
        raise LinkBrokenError(f"{type(error).__name__} in a message") from error
    known = {"fault": _FAULTS, "cut": _CAUSES}.get(message.kind, _NONE)
    if not fits or message.fault not in known:
        raise LinkBrokenError("a message with values that none has")
    return replace(message, detail=legible(message.detail), peer=legible(message.peer))


def wait_readable(fd: int, timeout_s: float) -> bool:
    """Whether `fd` became readable in time (poll: select ends at 1,024 open files)."""
    poller = select.poll()
    poller.register(fd, select.POLLIN)
    return bool(poller.poll(timeout_s * 1_000))


def fault_from_message(message: Message) -> SourceFault:
    """The fault a worker sent."""
    return SourceFault(FaultKind(message.fault), message.detail, message.count)


def message_from_cut(cut: CutOff) -> Message:
    """A peer that a worker has cut off."""
    return Message("cut", fault=cut.cause.value, detail=cut.place, peer=cut.name or "")


def cut_from_message(message: Message) -> CutOff:
    """Who was cut off; a worker has a socket of frames alone."""
    return CutOff("frames", message.peer or None, message.detail, Cause(message.fault))


def link_pair() -> tuple[Link, socket.socket]:
    """The parent's end, and the socket to pass to the worker."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    return Link(ours), theirs
