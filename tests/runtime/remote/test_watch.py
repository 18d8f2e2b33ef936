"""A cell live on a screen, and as lines in a pipe."""

from __future__ import annotations

import io
from collections.abc import Iterator

from rich.console import Console

from tests.kits.journalled import passing_verdict
from voxgate.runtime.remote.client import reachable
from voxgate.runtime.remote.watch import SILENT, View
from voxgate.runtime.wire.fields import CameraHealth, CameraStanding, State
from voxgate.runtime.wire.published import HeartbeatMessage


def beat(state: State = State.READY, **more: object) -> HeartbeatMessage:
    values = {"seq": 1, "t_host_ns": 1, "heartbeat_ms": 50, "job_id": None, "is_simulated": True}
    return HeartbeatMessage.model_validate(
        {**values, "state": state, "recipe": "bracket/1", **more}
    )


def lines(*said: HeartbeatMessage | None) -> Iterator[str]:
    view = View("c")
    return (line for each in said if (line := view.hear(each)) is not None)


def test_a_pipe_fills_with_heartbeats_that_say_nothing_new() -> None:
    assert list(lines(beat(), beat(), beat())) == ["READY, bracket/1"]


def test_a_silent_box_looks_like_the_last_thing_it_said() -> None:
    assert list(lines(beat(), None, None, beat())) == [
        "READY, bracket/1",
        SILENT,
        "READY, bracket/1",
    ]


def test_a_dead_camera_is_not_seen() -> None:
    dead = CameraHealth(name="cam0", standing=CameraStanding.LOST, restarts=2, detail="link lost")
    (line,) = lines(beat(State.PREOPERATIONAL, cameras=(dead,), error="cam0: link lost"))
    assert "camera cam0 lost" in line
    assert line.endswith("cam0: link lost")


def test_the_last_verdict_stands_below_older_ones() -> None:
    view = View("c")
    for number in range(3):
        view.hear(passing_verdict(f"job-{number}"))
    screen = io.StringIO()
    Console(file=screen, width=80).print(view)
    shown = screen.getvalue()
    assert shown.index("job-2") < shown.index("job-0")
    assert all(len(line) <= 80 for line in shown.splitlines())


def test_what_is_bound_for_everybody_is_not_found_from_the_box() -> None:
    assert reachable("tcp://0.0.0.0:5561") == "tcp://127.0.0.1:5561"
    assert reachable("tcp://*:5561") == "tcp://127.0.0.1:5561"
    assert reachable("tcp://[::]:5561") == "tcp://[::1]:5561"
    assert reachable("tcp://10.0.0.7:5561") == "tcp://10.0.0.7:5561"
