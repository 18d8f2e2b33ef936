"""The line between a camera worker and its parent: small JSON messages over a pair of sockets.

SOCK_SEQPACKET keeps messages whole and in order and shows the end of the other side. What a worker
sends is bounded without being lost: frames by the ring's slots, faults by adding up the counts of
one kind while the parent is slow.
"""

from __future__ import annotations

import json
import select
import socket
import time
from collections import deque
from dataclasses import asdict, dataclass

from voxgate.runtime.cameras.frame_gate import FaultKind, SourceFault

MESSAGE_BYTES = 65_536
_DETAIL_CHARS = 400


@dataclass(frozen=True, slots=True)
class Message:
    """One message of either direction; the fields a kind does not need stay at their defaults.

    Worker: ready(detail), frame(slot, number), fault(fault, detail, count), armed(number, count),
    failed(detail). Parent: free(slot), arm(number), stop.
    """

    kind: str
    slot: int = -1
    number: int = -1
    count: int = 0
    fault: str = ""
    detail: str = ""


class LinkClosedError(Exception):
    """The other side is gone."""


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
        """Everything that has come, in order.

        Raises LinkClosedError only when the other side is gone and nothing is left to read.
        """
        messages: list[Message] = []
        while True:
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
            messages.append(Message(**json.loads(data)))

    def wait(self, timeout_s: float) -> None:
        """Sleep until a message comes, the other side ends, or the time is over."""
        wait_readable(self.fileno(), timeout_s)


def wait_readable(fd: int, timeout_s: float) -> bool:
    """Whether `fd` became readable in time (poll: select ends at 1,024 open files)."""
    poller = select.poll()
    poller.register(fd, select.POLLIN)
    return bool(poller.poll(timeout_s * 1_000))


def fault_from_message(message: Message) -> SourceFault:
    """The fault a worker sent."""
    return SourceFault(FaultKind(message.fault), message.detail, message.count)


def link_pair() -> tuple[Link, socket.socket]:
    """The parent's end, and the socket to pass to the worker."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    return Link(ours), theirs
