"""Whoever is let in may not freeze the box: floods end, memory stays, the peer is named."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.kits.cell_kit import ServiceProcess, until, with_cameras, write_cell
from tests.kits.good_part import is_good
from tests.kits.ports import free_ports
from tests.kits.repository import ROOT
from tests.kits.robot_kit import Robot
from voxgate.benchmarks.line.floods import CROWD, LISTED
from voxgate.runtime.common.access import ROLES
from voxgate.runtime.wire.commands import StopJob
from voxgate.runtime.wire.curve import KeyPair
from voxgate.runtime.wire.fields import State
from voxgate.runtime.wire.keys import make_key_pair
from voxgate.runtime.wire.replies import ResultReply
from voxgate.runtime.wire.verdict import VerdictMessage

FLOOD_S = 2.0
LONGEST_S = 50.0  # it is over once the peer is named
MOST_MB = 200
LEAST_BEATS = 3  # of 20 a second; `voxgate bench floods` measures the gaps
FLOODS = {name: role for name, role in LISTED.items() if role != "frames"}
"""What the flood does, and the role of the peer that does it; this cell has no socket of frames."""
BY_DAY = ("subscriptions", "parts")


@pytest.fixture
def keys(folder: Path) -> dict[str, KeyPair]:
    names = ("box", "robot", "intruder")
    return {name: make_key_pair(folder / "keys", name)[1] for name in names}


@pytest.fixture
def endpoints(folder: Path) -> dict[str, str]:
    ports = free_ports(len(ROLES))
    return {role: f"tcp://127.0.0.1:{port}" for role, port in zip(ROLES, ports, strict=True)}


@contextmanager
def served(
    folder: Path,
    keys: dict[str, KeyPair],
    endpoints: dict[str, str],
    role: str,
    **changes: dict[str, Any],
) -> Iterator[ServiceProcess]:
    """A cell whose robot may do everything, and an intruder that may do one thing."""
    peers = [
        {"name": name, "roles": roles, "public_key": keys[name].public.decode()}
        for name, roles in (("robot", [*ROLES]), ("intruder", [role]))
    ]
    cell = write_cell(
        folder,
        security={"secret_key": "keys/box.key_secret", "peers": peers},
        sockets={name: endpoints[name] for name in ROLES if name != "frames"},
        **changes,
    )
    with_cameras(cell, endpoint=endpoints["frames"])
    service = ServiceProcess(cell).start()
    try:
        yield service
    finally:
        service.kill_if_left()


def flooding(**settings: object) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "voxgate.benchmarks.line.flood", json.dumps(settings)],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
    )


def memory_mb(service: ServiceProcess) -> float:
    """Of the service and its camera's process."""
    process = psutil.Process(service.pid)
    family = [process, *process.children(recursive=True)]
    return float(sum(each.memory_info().rss for each in family)) / 1e6


class Watch:
    """What a flood did to a service."""

    def __init__(self, service: ServiceProcess, robot: Robot) -> None:
        self._service, self._robot = service, robot
        self._before_mb = self.grown_mb = 0.0
        self._before_mb = memory_mb(service)
        self._beats = len(robot.published("heartbeat"))

    def until_ended(self, flood: subprocess.Popen[bytes]) -> None:
        """Look on while it lasts."""
        while flood.poll() is None:
            self._look()

    def until_told(self, flood: subprocess.Popen[bytes]) -> str:
        """What the fault says, once the box has also beaten under it; then it is over. On a quiet
        machine the peer is told within two heartbeats."""
        until(lambda: self._look() and self.beats() >= LEAST_BEATS, "a fault and heartbeats")
        flood.terminate()
        flood.wait()
        return str(self._faults()[0]["detail"])

    def _look(self) -> bool:
        self.grown_mb = max(self.grown_mb, memory_mb(self._service) - self._before_mb)
        return bool(self._faults())

    def beats(self) -> int:
        """Heartbeats that came since it is looked on."""
        return len(self._robot.published("heartbeat")) - self._beats

    def _faults(self) -> list[dict[str, Any]]:
        return [fault for fault in self._robot.published("fault") if fault["code"] == "peer"]


def ready(robot: Robot) -> None:
    """Until it may start a job."""
    robot.send_poses()
    robot.wait_for(State.READY)
    robot.send_poses_for_a_while()


def decided(robot: Robot) -> VerdictMessage:
    """One job's answer."""
    robot.start_job()
    for _ in range(3):
        robot.expose()
    reply = robot.ask(StopJob, job_id="job-1")
    assert isinstance(reply, ResultReply)
    return reply.result


@pytest.mark.parametrize(
    "kind",
    [each if each in BY_DAY else pytest.param(each, marks=pytest.mark.nightly) for each in FLOODS],
)
def test_a_listed_peer_that_floods_is_cut_off_by_name_and_the_job_has_its_verdict(
    kind: str, folder: Path, keys: dict[str, KeyPair], endpoints: dict[str, str]
) -> None:
    role = FLOODS[kind]
    own = [keys["intruder"].public, keys["intruder"].secret, keys["box"].public]
    floods = {"kind": kind, "endpoint": endpoints[role], "keys": [key.decode() for key in own]}
    with (
        served(folder, keys, endpoints, role) as service,
        Robot(folder, keys["robot"], keys["box"].public, endpoints) as robot,
    ):
        ready(robot)
        watch = Watch(service, robot)
        flood = flooding(**floods, seconds=LONGEST_S)
        result = decided(robot)
        assert "intruder" in watch.until_told(flood)
        assert "intruder" in service.log.read_text()
        assert watch.beats() >= LEAST_BEATS
        assert watch.grown_mb <= MOST_MB
        # who may send poses may spoil a job by them, and no more
        assert is_good(result) or role == "poses", result.reasons


def test_a_crowd_of_connections_without_a_key_takes_neither_descriptors_nor_the_recording(
    folder: Path, keys: dict[str, KeyPair], endpoints: dict[str, str]
) -> None:
    evidence = {"folder": "evidence", "min_free_gb": 0}
    with (
        served(folder, keys, endpoints, "verdicts", evidence=evidence) as service,
        Robot(folder, keys["robot"], keys["box"].public, endpoints) as robot,
    ):
        ready(robot)
        watch = Watch(service, robot)
        flood = flooding(endpoint=endpoints["commands"], seconds=LONGEST_S, count=CROWD)
        result = decided(robot)
        descriptors = psutil.Process(service.pid).num_fds()
        assert "without saying who it is" in watch.until_told(flood)
        assert watch.beats() >= LEAST_BEATS
        assert descriptors < 300
        assert is_good(result), result.reasons
        until(lambda: list((folder / "evidence").glob("*job-1*.mcap")), "the recording")


@pytest.mark.nightly
def test_many_parts_to_the_frames_of_a_camera_fill_no_memory_and_are_somebodys(
    folder: Path, keys: dict[str, KeyPair], endpoints: dict[str, str]
) -> None:
    own = [keys["intruder"].public, keys["intruder"].secret, keys["box"].public]
    with (
        served(folder, keys, endpoints, "frames") as service,
        Robot(folder, keys["robot"], keys["box"].public, endpoints) as robot,
    ):
        ready(robot)
        watch = Watch(service, robot)
        flood = flooding(
            kind="parts of a frame",
            endpoint=endpoints["frames"],
            seconds=LONGEST_S,
            keys=[key.decode() for key in own],
        )
        assert "intruder" in watch.until_told(flood)
        watch.until_ended(flood)
        assert watch.grown_mb <= MOST_MB
        assert is_good(decided(robot))


@pytest.mark.nightly
@pytest.mark.parametrize("kind", ["subscriptions", "long subscriptions", "upstream", "parts"])
def test_a_program_of_this_machine_that_floods_a_socket_file_does_not_freeze_the_box(
    kind: str, folder: Path
) -> None:
    service = ServiceProcess(write_cell(folder)).start()
    try:
        with Robot(folder) as robot:
            ready(robot)
            watch = Watch(service, robot)
            endpoint = f"ipc://{folder}/{FLOODS[kind]}"
            told = kind in ("subscriptions", "parts")  # the others libzmq ends by itself, wordless
            seconds = LONGEST_S if told else FLOOD_S
            flood = flooding(kind=kind, endpoint=endpoint, keys=[], seconds=seconds)
            result = decided(robot)
            if told:
                assert f"process {flood.pid} of this machine" in watch.until_told(flood)
            watch.until_ended(flood)
            assert watch.beats() >= LEAST_BEATS
            assert watch.grown_mb <= MOST_MB
            assert is_good(result), result.reasons
    finally:
        service.kill_if_left()
