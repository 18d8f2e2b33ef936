"""A camera's driver is a vendor's native code: what a hostile one reaches, as itself and as us."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.kits.camera_launcher import launcher, sandboxed
from tests.kits.cell_kit import until
from tests.kits.needs import (
    needs_c_compiler,
    needs_mounts,
    needs_seccomp,
    needs_socket_activation,
    needs_systemd,
)
from tests.kits.repository import ROOT
from tests.kits.sandbox import NOBODY
from tests.kits.unit import values
from voxgate.runtime.cameras.launched_process import LAUNCHER, LAUNCHER_VARIABLE

SERVICE = ROOT / "systemd/voxgate.service"
SOCKET = ROOT / "systemd/voxgate-camera.socket"


def in_the_sandbox(test: Callable[..., None]) -> Callable[..., None]:
    """With all that this takes."""
    marks = (needs_seccomp, needs_systemd, needs_mounts, needs_c_compiler, needs_socket_activation)
    for mark in marks:
        test = mark(test)
    return test


# What runs as the service: two cameras, the driver of one is hostile. Until the other streams, and
# the hostile one has been loaded since.
SERVED = """
import os, sys, time
from dataclasses import replace
from pathlib import Path
from tests.kits.viky import camera
from voxgate.runtime.cameras.supervisor import CameraSupervisor
from voxgate.runtime.nouns import Frame

producer, targets, *launcher = map(Path, sys.argv[1:])
with targets.open("a") as file:
    file.write(f"signal {os.getpid()}\\n")
good, bad = replace(camera("red"), name="good"), replace(camera("green"), name="bad", backoff_ms=10)
bad = replace(bad, source=replace(bad.source, cti=str(producer)))
until, frames, loaded = time.monotonic() + 60, 0, None
with CameraSupervisor([good, bad], *launcher) as cameras:
    while loaded is None or cameras.counters("bad").restarts < loaded + 2:
        assert time.monotonic() < until, (cameras.status("good"), cameras.status("bad"))
        frames += sum(isinstance(each, Frame) for each in cameras.poll(time.monotonic_ns()))
        if frames >= 3 and loaded is None:
            loaded = cameras.counters("bad").restarts
        time.sleep(0.01)
"""


@pytest.fixture
def state() -> Iterator[Path]:
    """Stands for the service's own folders: not below /tmp, which is private in there."""
    path = Path(tempfile.mkdtemp(prefix="vg-", dir="/var/lib"))
    path.chmod(0o777)
    yield path
    shutil.rmtree(path)


@pytest.fixture
def secrets(state: Path) -> Path:
    """Key, journal and cache of the service, as the installer and the service leave them."""
    own = state / "own"
    own.mkdir(mode=0o750)
    os.chown(own, NOBODY, NOBODY)
    for name in ("box.key_secret", "journal.sqlite", "kernel.nbc"):
        (own / name).write_text("secret")
        (own / name).chmod(0o640)
        os.chown(own / name, NOBODY, NOBODY)
    return own


@pytest.fixture
def producer(state: Path, secrets: Path) -> Path:
    """A hostile one, that knows where to look."""
    targets = state / "targets"
    wanted = [f"read {secrets}/box.key_secret", f"read {secrets}/journal.sqlite"]
    wanted += [f"write {secrets}/journal.sqlite", f"write {secrets}/kernel.nbc"]
    targets.write_text("".join(f"{line}\n" for line in wanted))
    targets.chmod(0o666)
    library = state / "hostile.cti"
    source = ROOT / "tests/kits/c/hostile_producer.c"
    build = ["gcc", "-shared", "-fPIC", f'-DTARGETS="{targets}"', "-o", str(library), str(source)]
    subprocess.run(build, check=True)
    library.chmod(0o755)
    return library


def served(state: Path, producer: Path, *told: Path) -> str:
    """Run it as the service does, in its sandbox; what all its processes said."""
    within = ("unshare", "--mount", "--propagation", "private")
    kit = (sys.executable, "-m", "tests.kits.sandbox", str(SERVICE), str(state), "--")
    script = (sys.executable, "-c", SERVED, str(producer), str(state / "targets"), *map(str, told))
    command = (*within, "env", f"PYTHONPATH={ROOT}", *kit, *script)
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stderr


def reached(said: str) -> set[str]:
    """What a hostile driver got at, by its last words."""
    assert "targets: tried" in said
    assert "rings: tried" in said
    found = {line.removeprefix("reached: ") for line in said.splitlines() if "reached: " in line}
    return {f"{line.split()[0]} {Path(line.split()[-1]).name}" for line in found}


@pytest.mark.nightly  # .ci/run has it every time
@in_the_sandbox
def test_a_hostile_driver_reaches_the_boxs_key_its_records_or_another_cameras_frames(
    state: Path, producer: Path, tmp_path: Path
) -> None:
    log = tmp_path / "cameras.log"
    with (
        log.open("w") as cameras,
        launcher(state / "launcher", sandboxed(state), cameras.fileno()) as file,
    ):
        served(state, producer, file)
        until(lambda: "rings: tried" in log.read_text(), "an attack")
    assert reached(log.read_text()) == set()


@in_the_sandbox
@pytest.mark.nightly
def test_without_a_user_of_its_own_a_driver_reaches_all_this(state: Path, producer: Path) -> None:
    found = reached(served(state, producer))
    assert {"read box.key_secret", "read journal.sqlite", "write journal.sqlite"} <= found
    assert {"write kernel.nbc", "frames camera"} <= found
    assert any(line.startswith("signal") for line in found)


def test_the_units_and_the_code_name_different_socket_files() -> None:
    assert values(SOCKET, "ListenSequentialPacket") == [str(LAUNCHER)]
    assert f"{LAUNCHER_VARIABLE}={LAUNCHER}" in values(SERVICE, "Environment")
    assert "voxgate-camera.socket" in values(SERVICE, "Wants")


def test_anybody_may_ask_for_a_camera() -> None:
    assert values(SOCKET, "SocketMode") == ["0660"]
    assert values(SOCKET, "SocketGroup") == ["voxgate"]
