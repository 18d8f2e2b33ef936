"""The reference clients of the robot's side, run against the service: nothing but PASS passes."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import re
import shlex
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tests.kits.cell_kit import CLOCK_REASONS, ServiceProcess, until, write_cell
from tests.kits.needs import needs_cpp_and_zmq
from tests.kits.once import once
from tests.kits.repository import ROOT
from tests.kits.robot_kit import COLD_CLOCK_S, Robot
from tests.kits.scripted_cell import Script
from voxgate.runtime.nouns import Outcome
from voxgate.runtime.wire.keys import make_key_pair

CLIENTS = ROOT / "examples/robot"
C = ("-std=c99", "-D_POSIX_C_SOURCE=200809L", "-Wall", "-Wextra", "-Werror", "-O2")
CPP = ("-std=c++17", "-Wall", "-Wextra", "-Werror", "-O2")
LIBRARIES = ("-lzmq", "-lpthread")
UNHURRIED = {"heartbeat_ms": 500}  # a loaded machine misses three short ones, and rightly no PASS
ENDPOINTS = ("poses", "commands", "verdicts")


@pytest.fixture(scope="module")
def built() -> Callable[[str], list[str]]:
    """The command of a client, compiled when it is first asked for, and again when it changed."""

    def built(language: str) -> list[str]:
        if language == "python":
            return [sys.executable, str(CLIENTS / "one_part.py")]
        folder = once(ROOT / "out" / "clients" / f"{language}-{_sources()}", COMPILE[language])
        return [str(folder / "one_part")]

    return built


def _sources() -> str:
    said = [repr((C, CPP, LIBRARIES)).encode()]
    said += [file.name.encode() + file.read_bytes() for file in sorted(CLIENTS.glob("*.[ch]*"))]
    return hashlib.sha256(b"\0".join(said)).hexdigest()[:12]


def _in_c(folder: Path) -> None:
    _compiled(folder, "gcc", *C, "one_part.c", "voxgate.c", *LIBRARIES, "-o", "one_part")


def _in_cpp(folder: Path) -> None:
    _compiled(folder, "gcc", *C, "-c", "voxgate.c", "-o", "voxgate.o")
    _compiled(folder, "g++", *CPP, "one_part.cpp", "voxgate.o", *LIBRARIES, "-o", "one_part")


def _compiled(folder: Path, *command: str) -> None:
    """What the compiler makes of the sources is in `folder`, not beside them."""
    folder.mkdir(exist_ok=True)
    made = ("one_part", "voxgate.o")
    words = [str(folder / word) if word in made else word for word in command]
    subprocess.run(words, cwd=CLIENTS, check=True)


COMPILE: dict[str, Callable[[Path], None]] = {"c": _in_c, "cpp": _in_cpp}


class Client:
    """A running client program and the camera beside it."""

    def __init__(
        self,
        command: list[str],
        folder: Path,
        *keys: str,
        recipe: str = "bracket/1",
        job_id: str = "job-1",
        endpoints: Sequence[str] = (),
    ) -> None:
        endpoints = endpoints or [f"ipc://{folder}/{name}" for name in ENDPOINTS]
        self.process = subprocess.Popen(
            [*command, *endpoints, "test", job_id, "part-1", recipe, *keys],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def moves(self) -> None:
        """Wait until the job is open."""
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "MOVE\n"

    def answer(self) -> tuple[int, str]:
        """Say that the last exposure is over; exit code and last line."""
        told, _ = self.process.communicate("\n", timeout=60)
        return self.process.returncode, told.strip()


_jobs = itertools.count()


def one_part(
    command: list[str], folder: Path, camera: Robot, exposures: int, *keys: str
) -> tuple[int, str]:
    """Exit code and last line of a client whose part is exposed so often."""
    client = Client(command, folder, *keys, job_id=f"job-{next(_jobs)}")
    client.moves()
    time.sleep(COLD_CLOCK_S)  # as Robot.start_job does
    for _ in range(exposures):
        camera.expose()
    return client.answer()


def passes(command: list[str], folder: Path, camera: Robot, *keys: str) -> bool:
    """Whether a good part passed; a machine that stalls costs a job its clocks, nothing else."""
    code, told = one_part(command, folder, camera, 3, *keys)
    assert (code == 0) == told.startswith("PASSED")
    assert code == 0 or any(reason.value in told for reason in CLOCK_REASONS), told
    return code == 0


def marks() -> list[object]:
    return ["python", *(pytest.param(name, marks=needs_cpp_and_zmq) for name in ("c", "cpp"))]


@pytest.mark.parametrize("language", marks())
@pytest.mark.parametrize(
    ("outcome", "exposures", "says"),
    [
        (Outcome.PASS, 3, "PASSED"),
        (Outcome.FAIL, 3, "NOT PASSED"),
        (Outcome.PASS, 2, "NOT PASSED"),
    ],
)
def test_only_a_pass_of_this_job_lets_the_part_go_on(
    language: str,
    outcome: Outcome,
    exposures: int,
    says: str,
    folder: Path,
    built: Callable[[str], list[str]],
) -> None:
    service = ServiceProcess(write_cell(folder, sockets=UNHURRIED), Script(outcome=outcome)).start()
    try:
        with Robot(folder) as camera:
            if says == "PASSED":
                until(lambda: passes(built(language), folder, camera), "a part that passes")
            else:
                code, told = one_part(built(language), folder, camera, exposures)
                assert told.startswith(says), told
                assert code != 0
                assert ("missing_view" in told) == (exposures == 2)
        assert service.end(signal.SIGTERM) == 0
        with contextlib.closing(sqlite3.connect(folder / "journal.sqlite")) as journal:
            rows = journal.execute("SELECT acknowledged_utc FROM results").fetchall()
        assert rows
        assert all(acknowledged for (acknowledged,) in rows)
    finally:
        service.kill_if_left()


@pytest.mark.parametrize("language", marks())
def test_a_box_that_dies_in_mid_job_passes_nothing(
    language: str, folder: Path, built: Callable[[str], list[str]]
) -> None:
    service = ServiceProcess(write_cell(folder, sockets=UNHURRIED), Script(finish_s=20)).start()
    try:
        client = Client(built(language), folder)
        client.moves()
        with Robot(folder) as camera:
            time.sleep(COLD_CLOCK_S)  # as Robot.start_job does
            for _ in range(3):
                camera.expose()
        service.end(signal.SIGKILL)
        code, told = client.answer()
        assert code != 0
        assert told.startswith("NOT PASSED")
    finally:
        service.kill_if_left()


@pytest.mark.parametrize("language", marks())
def test_a_client_with_keys_is_served(
    language: str, folder: Path, built: Callable[[str], list[str]]
) -> None:
    keys = {name: make_key_pair(folder / "keys", name)[1] for name in ("box", "robot", "camera")}
    peers = [
        {
            "name": name,
            "roles": ["poses", "commands", "verdicts", "frames"],
            "public_key": keys[name].public.decode(),
        }
        for name in ("robot", "camera")
    ]
    security = {"secret_key": "keys/box.key_secret", "peers": peers}
    service = ServiceProcess(write_cell(folder, sockets=UNHURRIED, security=security)).start()
    try:
        own, box = keys["robot"], keys["box"].public.decode()
        known = (own.public.decode(), own.secret.decode(), box)
        with Robot(folder, keys["camera"], keys["box"].public) as camera:
            until(lambda: passes(built(language), folder, camera, *known), "a part that passes")
    finally:
        service.kill_if_left()


@pytest.mark.parametrize("language", marks())
def test_a_box_on_an_ipv6_address_is_not_reached(
    language: str, folder: Path, built: Callable[[str], list[str]]
) -> None:
    own = {name: f"tcp://[::1]:{port}" for name, port in zip(ENDPOINTS, _free_ports(), strict=True)}
    service = ServiceProcess(write_cell(folder, sockets={**UNHURRIED, **own})).start()
    try:
        client = Client(built(language), folder, endpoints=list(own.values()))
        client.moves()
        assert client.answer()[0] == 1  # nothing was exposed
    finally:
        service.kill_if_left()


def _free_ports() -> list[int]:
    with contextlib.ExitStack() as stack:
        taken = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in ENDPOINTS]
        return [int(each.getsockname()[1]) for each in taken]


@pytest.mark.parametrize("language", marks())
def test_a_part_of_another_recipe_is_not_started(
    language: str, folder: Path, built: Callable[[str], list[str]]
) -> None:
    service = ServiceProcess(write_cell(folder, sockets=UNHURRIED)).start()
    try:
        code, told = Client(built(language), folder, recipe="bracket/2").answer()
        assert (code, told) == (1, "NOT PASSED the job was not started")
    finally:
        service.kill_if_left()


@needs_cpp_and_zmq
@pytest.mark.parametrize("source", ["one_part.c", "one_part.cpp"])
def test_the_line_that_an_example_says_compiles_it(source: str, tmp_path: Path) -> None:
    shutil.copytree(CLIENTS, tmp_path / "robot")
    said = re.search(r"\bc(c|\+\+) -.*", (CLIENTS / source).read_text())
    assert said is not None
    subprocess.run(shlex.split(said[0]), cwd=tmp_path / "robot", check=True)
    done = subprocess.run([tmp_path / "robot/one_part"], capture_output=True, check=False)
    assert done.returncode == 2


@pytest.mark.parametrize("language", marks())
def test_wrong_usage_is_no_pass(language: str, built: Callable[[str], list[str]]) -> None:
    done = subprocess.run([*built(language), "one"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "usage" in done.stderr
