"""While the loop takes no poses, whatever else happens still ends its sleep."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
import zmq

from voxgate.runtime.service.nap import Nap
from voxgate.runtime.service.wake import Wake

LONG_MS = 20_000


@pytest.fixture
def robot_and_box() -> Iterator[tuple[zmq.Socket[bytes], zmq.Socket[bytes]]]:
    with (
        zmq.Context() as context,
        context.socket(zmq.DEALER) as robot,
        context.socket(zmq.ROUTER) as box,
    ):
        robot.linger = 0
        port = box.bind_to_random_port("tcp://127.0.0.1")
        robot.connect(f"tcp://127.0.0.1:{port}")
        robot.send(b"hello")
        assert box.poll(LONG_MS)
        box.recv_multipart()
        yield robot, box


def _quiet(box: zmq.Socket[bytes]) -> Nap:
    """As the loop leaves a socket: asked, and nothing there."""
    nap = Nap()
    nap.register(box)
    assert not box.poll(0)
    return nap


@pytest.mark.parametrize("after_s", [0.0, 0.2])
def test_a_command_waits_until_the_nap_is_over(
    robot_and_box: tuple[zmq.Socket[bytes], zmq.Socket[bytes]], after_s: float
) -> None:
    """Also one that came before the nap began, once the loop had looked."""
    robot, box = robot_and_box
    nap = _quiet(box)
    robot.send(b"start_job")
    time.sleep(after_s)
    assert nap.poll(LONG_MS)
    assert box.poll(LONG_MS)
    assert box.recv_multipart()[1] == b"start_job"


def test_a_command_that_was_taken_keeps_the_loop_awake(
    robot_and_box: tuple[zmq.Socket[bytes], zmq.Socket[bytes]],
) -> None:
    robot, box = robot_and_box
    robot.send(b"get_state")
    assert box.poll(LONG_MS)
    box.recv_multipart()
    assert _quiet(box).poll(50) == []


def test_a_signal_waits_until_the_nap_is_over() -> None:
    wake = Wake()
    nap = Nap()
    nap.register(wake)
    assert nap.poll(0) == []
    wake.call()
    assert nap.poll(LONG_MS)
    wake.close()
