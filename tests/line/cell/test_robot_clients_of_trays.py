"""A robot is not told whom of a tray to pick out, or reaches for another place."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import zmq

from tests.line.cell.test_robot_clients import ENDPOINTS, Client, marks
from tests.line.cell.test_robot_clients import built as built  # the fixture

BEAT = {"heartbeat_ms": 500}
INSTANCES = [
    {"id": 1, "centre_base_mm": [1, 2, 3], "score": 0.5, "odd": False, "defects": []},
    {"id": 2, "centre_base_mm": [-12.26, 3e2, 1.7e-1], "score": 2.5, "odd": True,
     "defects": [{"centre_base_mm": [9, 9, 9], "score": 3.0}]},
    {"id": 3, "centre_base_mm": [400.04, -0.06, 25.0], "score": None, "odd": None, "defects": []},
]  # fmt: skip


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Path]:
    """A folder with the sockets of a box that finds one of three odd and compares another not."""
    done = threading.Event()
    serving = threading.Thread(target=_serve, args=(tmp_path, done))
    serving.start()
    yield tmp_path
    done.set()
    serving.join()


def _serve(folder: Path, done: threading.Event) -> None:
    with zmq.Context() as context:
        context.linger = 0
        poses, commands, verdicts = (
            context.socket(kind) for kind in (zmq.SUB, zmq.ROUTER, zmq.PUB)
        )
        for socket, name in zip((poses, commands, verdicts), ENDPOINTS, strict=True):
            socket.bind(f"ipc://{folder}/{name}")
        while not done.is_set():
            verdicts.send_multipart([b"heartbeat.test", json.dumps(BEAT).encode()])
            if commands.poll(20):
                peer, asked = commands.recv_multipart()
                commands.send_multipart([peer, json.dumps(_reply(json.loads(asked))).encode()])
        for socket in (poses, commands, verdicts):
            socket.close()


def _reply(asked: dict[str, Any]) -> dict[str, Any]:
    reply = {"request_id": asked["request_id"], "reply": "done", "state": "READY"}
    if asked["command"] != "stop_job":
        return reply
    result = {
        "job_id": asked["job_id"],
        "result_id": "r-1",
        "outcome": "FAIL",
        "reasons": ["odd"],
        "is_simulated": False,
        "instances": INSTANCES,
    }
    return {**reply, "result": result}


@pytest.mark.parametrize("language", marks())
def test_the_robot_is_not_told_where_the_odd_part_stands(
    language: str, box: Path, built: Callable[[str], list[str]]
) -> None:
    client = Client(built(language), box)
    client.moves()
    code, told = client.answer()
    assert code == 1
    assert told.startswith("NOT PASSED")
    assert told.endswith(" ODD 2 at -12.3 300.0 0.2 mm ODD 3 at 400.0 -0.1 25.0 mm")
