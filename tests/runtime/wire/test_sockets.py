"""The box's sockets: nobody from the network unasked, limits kept, nothing left behind."""

from __future__ import annotations

import logging
import resource
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import zmq

from tests.kits.cell_kit import until
from voxgate.runtime.config.sections import Sockets
from voxgate.runtime.errors import ServiceError
from voxgate.runtime.wire.poses import TOPIC_POSE
from voxgate.runtime.wire.sockets import MAX_IN_BYTES, CellSockets, Envelope, Request

Connect = Callable[[int, str], "zmq.Socket[bytes]"]
TOPIC = b"picture.c"


def endpoints(folder: Path, **changes: object) -> Sockets:
    fields = {name: f"ipc://{folder}/{name}" for name in ("poses", "commands", "verdicts")}
    return Sockets.model_validate(fields | changes)


@pytest.fixture
def sockets(folder: Path) -> Iterator[CellSockets]:
    sockets = CellSockets(endpoints(folder))
    yield sockets
    sockets.close()


@pytest.fixture
def connect(folder: Path) -> Iterator[Connect]:
    """Makes a peer of one of the box's sockets."""
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    made = []

    def connect(kind: int, name: str) -> zmq.Socket[bytes]:
        made.append(context.socket(kind))
        made[-1].connect(f"ipc://{folder}/{name}")
        return made[-1]

    yield connect
    context.destroy(linger=0)


def test_no_file_is_left_after_close(folder: Path) -> None:
    CellSockets(endpoints(folder)).close()
    assert list(folder.iterdir()) == []


def test_network_endpoint_without_keys_is_refused(folder: Path) -> None:
    with pytest.raises(ServiceError, match="voxgate keys"):
        CellSockets(endpoints(folder, verdicts="tcp://0.0.0.0:5999"))
    assert list(folder.iterdir()) == []


def test_plain_sockets_are_logged_loudly(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        CellSockets(endpoints(folder)).close()
    assert caplog.text.count("PLAIN SOCKET") == 3


def test_endpoint_that_is_taken_is_told_in_one_line(folder: Path) -> None:
    with zmq.Context() as context, context.socket(zmq.PUB) as other:
        port = other.bind_to_random_port("tcp://127.0.0.1")
        with pytest.raises(ServiceError, match="cannot be bound"):
            CellSockets(endpoints(folder, commands=f"tcp://127.0.0.1:{port}"))


@pytest.mark.parametrize("delimited", [False, True])
def test_answer_goes_back_to_who_asked(
    sockets: CellSockets, connect: Connect, delimited: bool
) -> None:
    asker = connect(zmq.REQ if delimited else zmq.DEALER, "commands")
    asker.send(b"question")
    (request,) = until(lambda: list(sockets.take_requests()), "the request")
    assert request.payload == b"question"
    assert request.envelope.delimited is delimited
    assert sockets.reply(request.envelope, b"answer")
    assert asker.recv() == b"answer"


def test_answer_to_nobody_is_no_crash(sockets: CellSockets) -> None:
    assert not sockets.reply(Envelope(b"gone", False), b"answer")


def test_command_of_many_frames_has_no_payload(sockets: CellSockets, connect: Connect) -> None:
    asker = connect(zmq.DEALER, "commands")
    asker.send_multipart([b"a", b"b"])
    (request,) = until(lambda: list(sockets.take_requests()), "the request")
    assert isinstance(request, Request)
    assert request.payload is None


def test_message_beyond_the_limit_never_arrives(sockets: CellSockets, connect: Connect) -> None:
    asker = connect(zmq.DEALER, "commands")
    asker.send(b"x" * (MAX_IN_BYTES + 1))
    other = connect(zmq.DEALER, "commands")
    other.send(b"small")
    (request,) = until(lambda: list(sockets.take_requests()), "the request")
    assert request.payload == b"small"


def test_topic_that_only_begins_like_pose_is_no_pose(
    sockets: CellSockets, connect: Connect
) -> None:
    robot = connect(zmq.PUB, "poses")

    def came() -> list[bytes]:
        robot.send_multipart([b"poses of another", b"payload"])
        return _poses(sockets)

    assert set(until(came, "a message")) == {b""}
    robot.send_multipart([TOPIC_POSE, b"payload"])
    until(lambda: b"payload" in _poses(sockets), "the pose")


def _poses(sockets: CellSockets) -> list[bytes]:
    """What the poller tells of, as the service's loop takes it."""
    return [sockets.take_pose()] if sockets.poses.poll(10) else []


# --- pictures ------------------------------------------------------------------------------------


@pytest.fixture
def with_pictures(folder: Path) -> Iterator[CellSockets]:
    sockets = CellSockets(endpoints(folder, pictures=f"ipc://{folder}/pictures"))
    yield sockets
    sockets.close()


def test_nobody_is_shown_pictures_or_who_left_still_is(
    with_pictures: CellSockets, connect: Connect
) -> None:
    sockets = with_pictures
    assert not sockets.is_looked_at(TOPIC)
    lookers = [connect(zmq.SUB, "pictures") for _ in range(2)]
    for looker in lookers:
        looker.subscribe(TOPIC)
    until(lambda: sockets.is_looked_at(TOPIC), "somebody who looks")
    lookers[0].close(linger=0)
    sockets.show(TOPIC, b"picture")
    assert lookers[1].recv_multipart() == [TOPIC, b"picture"]
    assert sockets.is_looked_at(TOPIC), "the other one still looks"
    lookers[1].unsubscribe(TOPIC)
    until(lambda: not sockets.is_looked_at(TOPIC), "nobody who looks")


def test_who_looks_for_something_else_has_pictures_made(
    with_pictures: CellSockets, connect: Connect
) -> None:
    looker = connect(zmq.SUB, "pictures")
    looker.subscribe(b"picture.other")
    looker.subscribe(TOPIC)
    until(lambda: with_pictures.is_looked_at(TOPIC), "somebody who looks")
    looker.unsubscribe(TOPIC)
    until(lambda: not with_pictures.is_looked_at(TOPIC), "nobody who looks")


def test_who_does_not_read_is_kept_pictures_or_holds_the_box_up(
    with_pictures: CellSockets, connect: Connect
) -> None:
    """A hundred of 1 MB: none of them is waited for, few of them are kept."""
    looker = connect(zmq.SUB, "pictures")
    looker.rcvhwm = 1
    looker.subscribe(TOPIC)
    until(lambda: with_pictures.is_looked_at(TOPIC), "somebody who looks")
    before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(100):
        with_pictures.show(TOPIC, bytes(1_000_000))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kb < 50_000
    display = connect(zmq.SUB, "verdicts")
    display.subscribe(b"verdict.c")
    until(lambda: with_pictures.subscribed(b"verdict.c"), "a display")
    with_pictures.publish(b"verdict.c", b"PASS")
    assert display.recv_multipart() == [b"verdict.c", b"PASS"]


def test_a_cell_without_that_socket_shows_pictures(sockets: CellSockets) -> None:
    sockets.show(TOPIC, b"picture")
    assert not sockets.is_looked_at(TOPIC)
