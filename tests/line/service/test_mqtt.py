"""The MQTT mirror beside a real service, at a real broker: never an old PASS for a new part."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from tests.kits.cell_kit import ServiceProcess, until
from tests.kits.certificate import certificate_in
from tests.kits.good_part import passes_next
from tests.kits.mosquitto import PASSWORD, USER, Broker, mosquitto
from tests.kits.needs import needs_mosquitto
from tests.kits.ports import free_ports
from tests.kits.robot_kit import Robot
from voxgate.runtime.wire.fields import State
from voxgate.sim.box import voxgate

pytestmark = needs_mosquitto
ONLINE, STATE, VERDICT = (f"voxgate/test/{name}" for name in ("online", "state", "verdict"))


def with_broker(cell: Path, port: int, **more: object) -> None:
    """Name the broker in a cell's YAML."""
    yaml = YAML()
    document = yaml.load(cell.read_text())
    document["mqtt"] = {"broker": "127.0.0.1", "port": port, **more}
    with cell.open("w", encoding="utf-8") as stream:
        yaml.dump(document, stream)


@contextmanager
def mirror(cell: Path) -> Iterator[subprocess.Popen[str]]:
    """`voxgate mqtt`, which has to end by itself when it is asked to."""
    command = voxgate("mqtt", "-c", str(cell))
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=20)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    (port,) = free_ports(1)
    with mosquitto(tmp_path, port) as broker:
        yield broker


def test_a_display_that_comes_later_knows_nothing_of_the_last_part(
    robot: Robot, cell: Path, broker: Broker
) -> None:
    with_broker(cell, broker.port)
    with mirror(cell) as process:
        broker.says(ONLINE, b"true")
        decided = passes_next(robot, "job-1")
        until(lambda: _job(broker) == decided.job_id, "its verdict at the broker")
        told = json.loads(broker.kept(VERDICT) or b"")
        assert (told["outcome"], told["result_id"]) == ("PASS", decided.result_id)
        state = json.loads(broker.kept(STATE) or b"")
        assert (state["state"], state["recipe"]) == ("READY", "bracket/1")
    assert process.returncode == 0
    broker.says(ONLINE, b"false")


def test_a_mirror_that_died_leaves_a_cell_that_looks_alive(
    robot: Robot, cell: Path, broker: Broker
) -> None:
    with_broker(cell, broker.port)
    with mirror(cell) as process:
        broker.says(ONLINE, b"true")
        process.kill()
        broker.says(ONLINE, b"false")


@pytest.mark.nightly  # by day the mirror itself dies, above
def test_a_box_that_fell_silent_looks_alive(folder: Path, cell: Path, broker: Broker) -> None:
    with_broker(cell, broker.port)
    service = ServiceProcess(cell).start()
    try:
        with Robot(folder) as robot:
            robot.send_poses()
            robot.wait_for(State.READY)
            with mirror(cell):
                broker.says(ONLINE, b"true")
                service.end(signal.SIGKILL)
                broker.says(ONLINE, b"false")
    finally:
        service.kill_if_left()


@pytest.mark.nightly
def test_a_broker_that_was_restarted_knows_nothing(
    robot: Robot, cell: Path, tmp_path: Path
) -> None:
    (port,) = free_ports(1)
    with_broker(cell, port)
    with mirror(cell):
        with mosquitto(tmp_path, port) as broker:
            broker.says(ONLINE, b"true")
            decided = passes_next(robot, "job-1")
            until(lambda: _job(broker) == decided.job_id, "its verdict at the broker")
        with mosquitto(tmp_path, port) as broker:
            broker.says(ONLINE, b"true")
            until(lambda: _job(broker) == decided.job_id, "its verdict at the new broker")


def test_a_password_is_told_in_clear(robot: Robot, cell: Path, tmp_path: Path) -> None:
    certificate = certificate_in(tmp_path)
    (port,) = free_ports(1)
    password = tmp_path / "password"
    password.touch(0o600)
    password.write_text(PASSWORD + "\n")
    who = {"user": USER, "password_file": str(password), "tls": {"ca": str(certificate)}}
    with_broker(cell, port, **who)
    with mosquitto(tmp_path, port, certificate) as broker, mirror(cell):
        broker.says(ONLINE, b"true")


def test_a_broker_beyond_this_machine_is_told_in_clear(cell: Path) -> None:
    with_broker(cell, 1883, broker="mes.plant.lan")
    said = _refused(cell)
    assert "mqtt.broker" in said
    assert "mqtt.tls" in said


def test_a_password_that_others_can_read_is_used(cell: Path, tmp_path: Path) -> None:
    password = tmp_path / "password"
    password.write_text(PASSWORD)
    password.chmod(0o644)
    with_broker(cell, 1883, user=USER, password_file=str(password))
    assert "chmod 600" in _refused(cell)


def _job(broker: Broker) -> str | None:
    kept = broker.kept(VERDICT)
    return None if kept is None else str(json.loads(kept)["job_id"])


def _refused(cell: Path) -> str:
    done = subprocess.run(
        voxgate("mqtt", "-c", str(cell)), capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    return done.stderr
