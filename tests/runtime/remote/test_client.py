"""What a peer hears and is answered, over real sockets: nothing that is not understood is believed,
and nothing ends the hearing."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import zmq

from tests.kits.cell_kit import until, write_cell
from tests.kits.journalled import passing_verdict
from tests.runtime.page.test_screen import beat
from voxgate.runtime.config.cell import load_cell
from voxgate.runtime.config.sections import CellConfig
from voxgate.runtime.page.live import Live
from voxgate.runtime.page.screen import Light, Watcher
from voxgate.runtime.remote.client import Client, RemoteError
from voxgate.runtime.wire.commands import GetState
from voxgate.runtime.wire.fields import State
from voxgate.runtime.wire.published import heartbeat_topic, verdict_topic
from voxgate.runtime.wire.replies import Done

NOT_UNDERSTOOD = {
    "a verdict of a newer box": [verdict_topic("test"), b'{"outcome": "MAYBE"}'],
    "a heartbeat of a newer box": [heartbeat_topic("test"), b'{"state": "DREAMING"}'],
    "no JSON": [heartbeat_topic("test"), b"\xff\xfe"],
    "a message of three frames": [heartbeat_topic("test"), b"{}", b"{}"],
    "a message of one frame": [heartbeat_topic("test")],
    "a longer topic": [heartbeat_topic("test") + b"-2", b"{}"],
}


@pytest.fixture
def config(folder: Path) -> CellConfig:
    return load_cell(write_cell(folder)).config


@pytest.fixture
def publisher(config: CellConfig) -> Iterator[zmq.Socket[bytes]]:
    """Where the box would publish; ready once it has its two subscriptions."""
    with zmq.Context() as context, context.socket(zmq.XPUB) as socket:
        socket.linger = 0
        socket.bind(config.sockets.verdicts)
        yield socket


def _subscribed(publisher: zmq.Socket[bytes]) -> None:
    for _ in range(2):
        assert publisher.poll(20_000)
        publisher.recv()


@pytest.mark.parametrize("name", NOT_UNDERSTOOD)
def test_one_message_that_is_not_understood_ends_the_hearing(
    config: CellConfig,
    publisher: zmq.Socket[bytes],
    name: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with Client(config) as client:
        live = Live(Watcher("test"), client.listen)
        _subscribed(publisher)
        publisher.send_multipart([heartbeat_topic("test"), beat(State.READY).to_json()])
        publisher.send_multipart([verdict_topic("test"), passing_verdict("j1").to_json()])
        until(lambda: live.screen.light is Light.PASS, "a PASS")
        publisher.send_multipart(NOT_UNDERSTOOD[name])
        until(lambda: live.screen.light is Light.SILENT, "no PASS")
        assert "not understood" in caplog.text
        publisher.send_multipart([heartbeat_topic("test"), beat(State.READY).to_json()])
        until(lambda: live.screen.light is Light.WAITING, "the box again, and no old PASS")


def test_a_pass_stays_green_once_the_box_is_silent(
    config: CellConfig, publisher: zmq.Socket[bytes]
) -> None:
    with Client(config) as client:
        live = Live(Watcher("test"), client.listen)
        _subscribed(publisher)
        publisher.send_multipart([heartbeat_topic("test"), beat(State.READY).to_json()])
        publisher.send_multipart([verdict_topic("test"), passing_verdict("j1").to_json()])
        until(lambda: live.screen.light is Light.PASS, "a PASS")
        until(lambda: live.screen.light is Light.SILENT, "no PASS")


def test_an_answer_that_is_not_understood_is_a_traceback(config: CellConfig) -> None:
    with zmq.Context() as context, context.socket(zmq.ROUTER) as box, Client(config) as client:
        box.linger = 0
        box.bind(config.sockets.commands)

        def answer() -> None:
            peer, _ = box.recv_multipart()
            box.send_multipart([peer, b'{"reply": "poem"}'])

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(RemoteError, match="of another version"):
            client.ask(GetState(request_id="r1"))
        thread.join()


def test_the_answer_to_another_command_is_taken_for_this_ones(config: CellConfig) -> None:
    with zmq.Context() as context, context.socket(zmq.ROUTER) as box, Client(config) as client:
        box.linger = 0
        box.bind(config.sockets.commands)

        def answer() -> None:
            peer, _ = box.recv_multipart()
            for asked in ("older", "r1"):
                said = Done(command="reset", request_id=asked, state=State.READY)
                box.send_multipart([peer, said.to_json()])

        thread = threading.Thread(target=answer)
        thread.start()
        assert client.ask(GetState(request_id="r1")).request_id == "r1"
        thread.join()
