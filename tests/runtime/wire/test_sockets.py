"""The box's sockets: nobody from the network unasked, limits kept, nothing left behind."""

from __future__ import annotations

import logging
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
