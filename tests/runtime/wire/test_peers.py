"""Whoever may ask is answered: robots that come back, envelopes of any depth."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest
import zmq

from tests.kits.cable import Cable
from tests.kits.cell_kit import until
from voxgate.runtime.config.sections import Sockets
from voxgate.runtime.wire.sockets import CellSockets, Request

ROBOT = b"robot1"
BOX = b"box"  # how a robot that is a ROUTER calls it
PATIENCE_MS = 20_000

Make = Callable[[int], "zmq.Socket[bytes]"]
Proxied = Callable[[Path, Path], Path]


@pytest.fixture
def sockets(folder: Path) -> Iterator[CellSockets]:
    names = ("poses", "commands", "verdicts")
    endpoints = {name: f"ipc://{folder}/{name}" for name in names}
    sockets = CellSockets(Sockets.model_validate(endpoints))
    yield sockets
    sockets.close()


@pytest.fixture
def make() -> Iterator[Make]:
    """Makes a peer's socket of this kind."""
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    made = []

    def make(kind: int) -> zmq.Socket[bytes]:
        made.append(context.socket(kind))
        return made[-1]

    yield make
    context.destroy(linger=0)


def taken(sockets: CellSockets) -> Request:
    (request,) = until(lambda: list(sockets.take_requests()), "the request")
    return request


def answered(sockets: CellSockets, asker: zmq.Socket[bytes], *parts: bytes) -> list[bytes]:
    """What comes back to `asker` for a question of these frames."""
    asker.send_multipart(parts)
    request = taken(sockets)
    assert sockets.reply(request.envelope, b"answer to " + (request.payload or b"nothing"))
    assert asker.poll(PATIENCE_MS), "no answer"
    return asker.recv_multipart()


# --- the same robot again ------------------------------------------------------------------------


def robot(make: Make, file: Path, kind: int) -> zmq.Socket[bytes]:
    """A robot that always says the same name."""
    socket = make(kind)
    socket.identity = ROBOT
    if kind == zmq.ROUTER:
        socket.setsockopt(zmq.CONNECT_ROUTING_ID, BOX)
    socket.connect(f"ipc://{file}")
    return socket


@pytest.mark.parametrize("kind", [zmq.DEALER, zmq.REQ, zmq.ROUTER])
def test_a_robot_with_a_name_is_not_shut_out_by_its_own_dead_connection(
    kind: int, sockets: CellSockets, make: Make, folder: Path
) -> None:
    with Cable(folder / "cable", folder / "commands") as cable:
        before = robot(make, folder / "cable", zmq.DEALER)
        assert answered(sockets, before, b"before") == [b"answer to before"]
        cable.pull()
        again = robot(make, folder / "commands", kind)
        to_box = [BOX] if kind == zmq.ROUTER else []
        assert answered(sockets, again, *to_box, b"again") == [*to_box, b"answer to again"]


def test_a_robot_program_that_restarts_at_once_has_its_first_command_answered(
    sockets: CellSockets, make: Make, folder: Path
) -> None:
    for number in range(20):
        asker = robot(make, folder / "commands", zmq.DEALER)
        question = b"%d" % number
        assert answered(sockets, asker, question) == [b"answer to " + question]
        asker.close()


# --- envelopes -----------------------------------------------------------------------------------


RELAXED_AND_CORRELATED = (zmq.REQ_RELAXED, zmq.REQ_CORRELATE)
REQUESTERS = {
    "plain": (),
    "relaxed": (zmq.REQ_RELAXED,),
    "correlated": (zmq.REQ_CORRELATE,),
    "both": RELAXED_AND_CORRELATED,
}


def requester(make: Make, options: Iterable[int]) -> zmq.Socket[bytes]:
    """A REQ with these options on."""
    socket = make(zmq.REQ)
    for option in options:
        socket.setsockopt(option, 1)
    return socket


@pytest.mark.parametrize("options", REQUESTERS.values(), ids=REQUESTERS)
@pytest.mark.parametrize("proxies", [0, 1, 2])
def test_a_requester_of_any_kind_is_answered_through_any_proxies(
    options: tuple[int, ...],
    proxies: int,
    sockets: CellSockets,
    make: Make,
    proxied: Proxied,
    folder: Path,
) -> None:
    last = folder / "commands"
    for number in range(proxies):
        last = proxied(folder / f"proxy{number}", last)
    asker = requester(make, options)
    asker.connect(f"ipc://{last}")
    assert answered(sockets, asker, b"question") == [b"answer to question"]
    assert answered(sockets, asker, b"another") == [b"answer to another"]


@pytest.fixture
def proxied() -> Iterator[Proxied]:
    """Puts a ROUTER-DEALER proxy at `here`, in front of `there`."""
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    context.linger = 0

    def proxied(here: Path, there: Path) -> Path:
        front, back = context.socket(zmq.ROUTER), context.socket(zmq.DEALER)
        front.bind(f"ipc://{here}")
        back.connect(f"ipc://{there}")
        threading.Thread(target=_until_the_end, args=(front, back), daemon=True).start()
        return here

    yield proxied
    context.term()


def _until_the_end(front: zmq.Socket[bytes], back: zmq.Socket[bytes]) -> None:
    with contextlib.suppress(zmq.ContextTerminated):
        zmq.proxy(front, back)
    front.close()
    back.close()


def test_a_dealer_behind_a_proxy_is_told_what_its_command_lacks(
    sockets: CellSockets,
    make: Make,
    proxied: Proxied,
    folder: Path,
) -> None:
    asker = make(zmq.DEALER)
    asker.connect(f"ipc://{proxied(folder / 'proxy', folder / 'commands')}")
    assert answered(sockets, asker, b"", b"question") == [b"", b"answer to question"]
    assert answered(sockets, asker, b"question") == [b"answer to nothing"]


@pytest.mark.parametrize(
    "parts", [(b"", b""), (b"a", b"", b"b", b"c"), (b"", b"a", b""), (b"",), (b"a", b"")]
)
def test_an_envelope_without_one_command_in_it_is_answered_all_the_same(
    parts: tuple[bytes, ...],
    sockets: CellSockets,
    make: Make,
    folder: Path,
) -> None:
    asker = make(zmq.DEALER)
    asker.connect(f"ipc://{folder}/commands")
    assert answered(sockets, asker, *parts)[-1] in (b"answer to nothing", b"answer to ")


def test_a_reply_that_was_lost_does_not_stop_a_relaxed_requester(
    sockets: CellSockets, make: Make, folder: Path
) -> None:
    asker = requester(make, RELAXED_AND_CORRELATED)
    asker.connect(f"ipc://{folder}/commands")
    asker.send(b"lost")
    lost = taken(sockets)
    assert answered(sockets, asker, b"asked again") == [b"answer to asked again"]
    sockets.reply(lost.envelope, b"late")  # told apart by the number before the empty frame
    assert answered(sockets, asker, b"a third time") == [b"answer to a third time"]
