"""A cell with keys: its own peers do their work, everybody else changes nothing."""

from __future__ import annotations

import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.kits.cell_kit import ServiceProcess, write_cell
from tests.kits.good_part import is_good
from tests.kits.robot_kit import Robot
from voxgate.runtime.records.journal_verify import verify
from voxgate.runtime.wire.commands import Abort, PrepareRecipe, Reset, Rollback, StopJob
from voxgate.runtime.wire.curve import KeyPair
from voxgate.runtime.wire.fields import State
from voxgate.runtime.wire.keys import make_key_pair
from voxgate.runtime.wire.replies import Done, RefusalCode, Refused, ResultReply

PLC_MAY = ["operate"]
ROLES = {
    "robot": ["poses", "commands", "verdicts", "frames"],
    "plc": ["commands"],
    "tracker": ["poses"],  # a camera-side program that only says where the camera is
}
QUIET_S = 1.0  # an answer takes a millisecond


@pytest.fixture
def keys(folder: Path) -> dict[str, KeyPair]:
    return {name: make_key_pair(folder / "keys", name)[1] for name in ("box", "stranger", *ROLES)}


@pytest.fixture
def service(folder: Path, keys: dict[str, KeyPair]) -> Iterator[ServiceProcess]:
    peers = [
        {"name": name, "roles": roles, "public_key": keys[name].public.decode()}
        for name, roles in ROLES.items()
    ]
    next(peer for peer in peers if peer["name"] == "plc")["may"] = PLC_MAY
    security = {"secret_key": "keys/box.key_secret", "peers": peers}
    service = ServiceProcess(write_cell(folder, security=security)).start()
    yield service
    service.kill_if_left()


def test_a_job_over_encrypted_sockets_has_its_verdict(
    folder: Path, keys: dict[str, KeyPair], service: ServiceProcess
) -> None:
    with Robot(folder, keys["robot"], keys["box"].public) as robot:
        robot.send_poses()
        robot.wait_for(State.READY)
        robot.send_poses_for_a_while()
        robot.start_job("job-1")
        for name in (None, "stranger", "tracker"):
            other = None if name is None else keys[name]
            with Robot(folder, other, keys["box"].public) as intruder:
                intruder.send(Abort)
                with pytest.raises(AssertionError, match="no reply"):
                    intruder.reply(QUIET_S)
                assert intruder.published("heartbeat") == []
        for _ in range(3):
            robot.expose()
        reply = robot.ask(StopJob, job_id="job-1")
        assert isinstance(reply, ResultReply)
        assert is_good(reply.result), reply.result.reasons
        assert robot.published("verdict")
    assert service.end(signal.SIGTERM) == 0
    assert "PLAIN SOCKET" not in service.log.read_text()
    assert sorted(path.name for path in folder.iterdir() if path.is_socket()) == []


def test_who_may_only_operate_changes_no_recipe_and_what_was_asked_is_on_record_by_name(
    folder: Path, keys: dict[str, KeyPair], service: ServiceProcess
) -> None:
    with (
        Robot(folder, keys["plc"], keys["box"].public) as plc,
        Robot(folder, keys["robot"], keys["box"].public) as robot,
    ):
        robot.send_poses()
        robot.wait_for(State.READY)
        asked_in_vain = [
            plc.ask(Reset),
            plc.ask(Rollback),
            plc.ask(PrepareRecipe, recipe="bracket"),
        ]
        for reply in asked_in_vain:
            assert isinstance(reply, Refused)
            assert reply.code is RefusalCode.NOT_ALLOWED
            assert "plc may not" in reply.detail
        assert isinstance(robot.ask(PrepareRecipe, recipe="bracket"), Done)
        robot.send_poses_for_a_while()
        plc.start_job("job-1")
        plc.ask(StopJob, job_id="job-1")
        head = robot.published("heartbeat")[-1]["journal_head"]
    assert service.end(signal.SIGTERM) == 0
    assert "command=start_job about=job-1 peer=plc" in service.log.read_text()
    found = verify(folder / "journal.sqlite", head=head)
    assert found.wrong == []
    with closing(sqlite3.connect(folder / "journal.sqlite")) as db:
        asked = db.execute("SELECT kind, subject, who FROM chain").fetchall()
    assert ("job", "job-1", "plc") in asked
    assert ("command", "bracket", "robot") in asked
