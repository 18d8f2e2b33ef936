"""A running cell from a shell: what is asked is answered in words, and nothing is asked in vain."""

from __future__ import annotations

import json
import subprocess
import threading
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from tests.kits.cell_kit import ServiceProcess, until, write_cell
from tests.kits.good_part import passes_next
from tests.kits.ports import free_ports
from tests.kits.robot_kit import Robot
from voxgate.runtime.cli import app
from voxgate.runtime.errors import VoxGateError
from voxgate.runtime.wire.fields import State
from voxgate.runtime.wire.keys import make_key_pair
from voxgate.sim.box import voxgate


def shell(*words: str | Path) -> Result:
    """What a person types behind `voxgate`."""
    return CliRunner().invoke(app, [str(word) for word in words])


def refusal(result: Result) -> str:
    """The one line that a person would read."""
    assert isinstance(result.exception, VoxGateError), result.exception
    return str(result.exception)


def test_a_cell_that_serves_is_asked_in_vain(robot: Robot, cell: Path) -> None:
    said = shell("status", "-c", cell)
    assert said.exit_code == 0, said.output
    told = dict(line.split(None, 1) for line in said.stdout.splitlines())
    assert told["state"] == "READY"
    assert told["recipe"] == "bracket/1"
    assert max(map(len, said.stdout.splitlines())) <= 120
    as_json = json.loads(shell("status", "-c", cell, "--json").stdout)
    assert as_json["cameras"][0]["standing"] == "streaming"


def test_the_yaml_has_to_be_named_with_every_command(
    robot: Robot, cell: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VOXGATE_CONFIG", str(cell))
    assert shell("status").exit_code == 0
    assert shell("check", "--quick").exit_code == 0


def test_a_decided_part_is_nowhere_to_be_seen(robot: Robot, cell: Path) -> None:
    passes_next(robot, "job-1")
    rows = shell("jobs", "-c", cell).stdout.splitlines()
    assert rows[0].split()[0] == "decided"
    assert "PASS" in rows[1]
    (job,) = json.loads(shell("jobs", "-c", cell, "--last", "1", "--json").stdout)["jobs"]
    assert job["verdict"]["outcome"] == "PASS"
    assert len(shell("jobs", "-c", cell, "--outcome", "FAIL").stdout.splitlines()) == 1


def test_a_job_that_a_robot_left_open_cannot_be_given_up(robot: Robot, cell: Path) -> None:
    robot.start_job("left")
    assert "job left" in _first_line_of_watch(cell)
    assert shell("abort", "-c", cell).exit_code == 0
    assert robot.state() is State.READY
    (job,) = json.loads(shell("jobs", "-c", cell, "--json").stdout)["jobs"]
    assert job["verdict"]["reasons"][0]["reason"] == "aborted"


def test_a_refusal_is_taken_for_done(robot: Robot, cell: Path) -> None:
    assert "refused (recipe_failed)" in refusal(shell("prepare", "nowhere/9", "-c", cell))
    assert "refused (wrong_state)" in refusal(shell("rollback", "-c", cell))
    assert "refused (wrong_state)" in refusal(shell("abort", "-c", cell))


def test_a_cell_that_nobody_serves_is_waited_for_without_end(
    cell: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("voxgate.runtime.remote.client.ANSWER_MS", 50)
    assert "is the cell served?" in refusal(shell("status", "-c", cell))


def test_a_person_without_a_key_is_let_in_or_left_to_guess(folder: Path) -> None:
    keys = {name: make_key_pair(folder / "keys", name)[1] for name in ("box", "desk", "stranger")}
    listed = {"name": "desk", "roles": ["poses", "commands", "verdicts", "frames"]}
    peers = [{**listed, "public_key": keys["desk"].public.decode()}]
    ports = {
        name: f"tcp://127.0.0.1:{port}"
        for name, port in zip(("poses", "commands", "verdicts"), free_ports(3), strict=True)
    }
    cell = write_cell(
        folder,
        sockets=ports,
        security={"secret_key": "keys/box.key_secret", "peers": peers},
    )
    service = ServiceProcess(cell).start()
    try:
        key = folder / "keys/desk.key_secret"
        until(lambda: shell("status", "-c", cell, "--key", key).exit_code == 0, "an answer")
        assert "--key FILE of `voxgate keys peer`" in refusal(shell("status", "-c", cell))
        other = folder / "keys/stranger.key_secret"
        assert "this key's peer" in refusal(shell("status", "-c", cell, "--key", other))
    finally:
        service.kill_if_left()


def _first_line_of_watch(cell: Path) -> str:
    """Of a `voxgate watch` in a pipe, once it knows of a job; it ends when its reader is gone."""
    command = voxgate("watch", "-c", str(cell))
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as watching:
        assert watching.stdout is not None
        guard = threading.Timer(60, watching.kill)
        guard.start()
        line = watching.stdout.readline()
        guard.cancel()
        watching.terminate()
    return line
