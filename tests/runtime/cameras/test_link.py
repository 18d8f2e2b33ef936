"""The line between worker and parent: whole messages in order, bounded, with a visible end."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import suppress
from threading import Thread

import pytest

from voxgate.runtime.cameras.frame_gate import FaultKind, SourceFault
from voxgate.runtime.cameras.link import (
    MOST_AT_ONCE,
    Link,
    LinkBrokenError,
    LinkClosedError,
    Message,
    cut_from_message,
    fault_from_message,
    link_pair,
    message_from_cut,
)
from voxgate.runtime.wire.door.connections import Cause, CutOff


@pytest.fixture
def ends() -> Iterator[tuple[Link, Link]]:
    parent, theirs = link_pair()
    worker = Link(theirs)
    yield parent, worker
    parent.close()
    worker.close()


def test_messages_are_cut_or_exchanged(ends: tuple[Link, Link]) -> None:
    parent, worker = ends
    sent = [Message("frame", slot=i, number=i + 1) for i in range(50)]
    for message in sent:
        worker.send(message)
    assert parent.receive() == sent
    assert parent.receive() == []


def test_the_service_hears_another_name_than_the_worker_cut_off(ends: tuple[Link, Link]) -> None:
    parent, worker = ends
    cut = CutOff("frames", "cam-pc", "10.0.0.7:5000", Cause.TOO_LARGE)
    worker.send(message_from_cut(cut))
    assert [cut_from_message(message) for message in parent.receive()] == [cut]
    worker.send(Message("cut", fault="bored"))
    with pytest.raises(LinkBrokenError):
        parent.receive()


def test_the_last_messages_of_a_dead_worker_are_lost(ends: tuple[Link, Link]) -> None:
    parent, worker = ends
    parent.send(Message("free", slot=0))  # never read: the end comes as a reset
    worker.send(Message("frame", slot=1, number=9))
    worker.close()
    assert [message.number for message in parent.receive()] == [9]
    with pytest.raises(LinkClosedError):
        parent.receive()
    with pytest.raises(LinkClosedError):
        parent.send(Message("stop"))


def test_a_slow_parent_makes_faults_pile_up_or_vanish() -> None:
    """10,000 faults of two kinds while nobody reads: little memory, every one counted."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    theirs.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8_192)
    parent, worker = Link(ours), Link(theirs)
    for n in range(10_000):
        worker.send_fault(SourceFault(FaultKind.LOST, f"gap {n}", 2))
        worker.send_fault(SourceFault(FaultKind.DROPPED, "no slot"))
    assert len(worker._waiting) <= 2
    counts = {FaultKind.LOST: 0, FaultKind.DROPPED: 0}
    while messages := parent.receive():
        for fault in map(fault_from_message, messages):
            counts[fault.kind] += fault.count
        worker.flush()
    assert counts == {FaultKind.LOST: 20_000, FaultKind.DROPPED: 10_000}
    parent.close()
    worker.close()


def test_a_long_detail_breaks_the_line(ends: tuple[Link, Link]) -> None:
    parent, worker = ends
    worker.send_fault(SourceFault(FaultKind.INVALID, "x" * 1_000_000))
    (message,) = parent.receive()
    assert len(message.detail) == 400


# what a hostile driver may send from inside a worker


@pytest.mark.parametrize(
    "said",
    [
        b"not json",
        b"[]",
        b"{}",
        b"[" * 30_000,
        b'{"kind": "frame", "colour": 1}',
        b'{"kind": "frame", "slot": "0"}',
        b'{"kind": "frame", "slot": true}',
        b'{"kind": "frame", "number": 1e999}',
        b'{"kind": "armed", "count": -5}',
        b'{"kind": "armed", "count": 99999999999999999999}',
        b'{"kind": "fault", "fault": "made up"}',
        b'{"kind": "ready", "detail": null}',
    ],
)
def test_what_no_worker_says_breaks_the_service(said: bytes) -> None:
    parent, theirs = link_pair()
    with theirs:
        theirs.send(said)
        with pytest.raises(LinkBrokenError):
            parent.receive()
    parent.close()


def test_a_workers_words_forge_a_line_of_the_log() -> None:
    parent, theirs = link_pair()
    with theirs:
        theirs.send(b'{"kind": "failed", "detail": "x\\nverdict PASS \\u001b[2J"}')
        (message,) = parent.receive()
    parent.close()
    assert message.detail.isprintable()


def test_a_worker_that_never_stops_talking_holds_the_service_for_ever() -> None:
    parent, theirs = link_pair()
    theirs.setblocking(True)
    with theirs:
        talking = True

        def talk() -> None:
            with suppress(OSError):
                while talking:
                    theirs.send(b'{"kind": "armed", "number": 1}')

        talker = Thread(target=talk)
        talker.start()
        assert len(parent.receive()) <= MOST_AT_ONCE
        talking = False
        parent.close()
        talker.join()
