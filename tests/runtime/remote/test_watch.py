"""A cell live on a screen, and as lines in a pipe."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console

from tests.kits.cell_kit import write_cell
from tests.kits.journalled import passing_verdict
from tests.kits.ports import free_ports
from voxgate.runtime.config.cell import load_cell
from voxgate.runtime.remote.client import reachable
from voxgate.runtime.remote.watch import SILENT, View, clocks_of
from voxgate.runtime.telemetry.metrics import Metrics
from voxgate.runtime.telemetry.metrics_server import MetricsServer
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


def test_a_screen_does_not_show_cameras_and_clocks() -> None:
    view = View("c")
    streams = CameraHealth(name="cam0", standing=CameraStanding.STREAMING, restarts=0, detail="")
    view.hear(beat(cameras=(streams,)))
    view.clocks = "clocks: robot to 0.21 ms"
    screen = io.StringIO()
    Console(file=screen, width=80).print(view)
    assert "cameras: cam0 streaming\nclocks: robot to 0.21 ms\n" in screen.getvalue()
    view.hear(None)
    screen = io.StringIO()
    Console(file=screen, width=80).print(view)
    assert "streaming" not in screen.getvalue(), "of a box that is silent"


def test_clocks_of_a_cell_that_tells_nobody_end_the_watching(folder: Path) -> None:
    (port,) = free_ports(1)
    cell = load_cell(write_cell(folder, metrics={"enabled": True, "port": port})).config
    assert clocks_of(cell) == ""


def test_how_well_clocks_are_known_is_not_said(folder: Path) -> None:
    (port,) = free_ports(1)
    cell = load_cell(write_cell(folder, metrics={"enabled": True, "port": port})).config
    metrics = Metrics("test", ("cam0",))
    server = MetricsServer(metrics.registry, cell.metrics)
    try:
        assert clocks_of(cell) == "clocks: not known yet"
        metrics.clock_residual.labels("robot").set(0.00021)
        metrics.clock_residual.labels("cam0").set(float("nan"))
        assert clocks_of(cell) == "clocks: robot to 0.21 ms"
    finally:
        server.close()


def test_what_is_bound_for_everybody_is_not_found_from_the_box() -> None:
    assert reachable("tcp://0.0.0.0:5561") == "tcp://127.0.0.1:5561"
    assert reachable("tcp://*:5561") == "tcp://127.0.0.1:5561"
    assert reachable("tcp://[::]:5561") == "tcp://[::1]:5561"
    assert reachable("tcp://10.0.0.7:5561") == "tcp://10.0.0.7:5561"
