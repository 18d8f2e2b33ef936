"""The unit is what systemd accepts, its sandbox is tight, and a cell works inside it."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest

from tests.kits.cell_kit import ServiceProcess, write_cell
from tests.kits.good_part import passes_next
from tests.kits.needs import needs_mounts, needs_seccomp, needs_systemd
from tests.kits.repository import ROOT
from tests.kits.robot_kit import Robot
from tests.kits.unit import values
from voxgate.runtime.wire.fields import State

UNIT = ROOT / "systemd/voxgate.service"
CAMERA = ROOT / "systemd/voxgate-camera@.service"
PAGE = ROOT / "systemd/voxgate-page@.service"
MIRROR = ROOT / "systemd/voxgate-mqtt@.service"
DOOR = ROOT / "systemd/voxgate-opcua@.service"
OWN = {
    "voxgate.service": UNIT,
    "voxgate@.service": UNIT,
    CAMERA.name: CAMERA,
    PAGE.name: PAGE,
    MIRROR.name: MIRROR,
    DOOR.name: DOOR,
}
DROP_INS = sorted((ROOT / "systemd/drop-ins").glob("*.conf"))
MOST_EXPOSURE = 1.5
NAMESPACE = ("unshare", "--mount", "--propagation", "private")


@needs_systemd
@needs_mounts
@pytest.mark.parametrize("drop_in", [None, *DROP_INS], ids=lambda path: path and path.stem)
def test_systemd_finds_nothing_to_say(tmp_path: Path, drop_in: Path | None) -> None:
    units = staged_units(tmp_path, drop_in)
    program = tmp_path / "current/bin/voxgate"
    program.parent.mkdir(parents=True)
    shutil.copy("/bin/true", program)
    shutil.copy("/bin/true", program.with_name("python"))
    script = (
        f"mount -t tmpfs tmpfs /opt && mkdir /opt/voxgate && mount --bind {tmp_path} /opt/voxgate"
        f" && exec systemd-analyze verify {' '.join(map(str, units))}"
    )
    done = subprocess.run(
        [*NAMESPACE, "sh", "-c", script], capture_output=True, text=True, check=False
    )
    about_us = [line for line in done.stderr.splitlines() if "voxgate" in line]
    assert about_us == []
    assert done.returncode == 0, done.stderr


@needs_systemd
@pytest.mark.parametrize("drop_in", [None, *DROP_INS], ids=lambda path: path and path.stem)
def test_little_is_exposed(tmp_path: Path, drop_in: Path | None) -> None:
    for unit in staged_units(tmp_path, drop_in):
        told = subprocess.run(
            ["systemd-analyze", "security", "--offline=true", "--no-pager", str(unit)],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        found = re.search(r"exposure level for \S+: ([0-9.]+)", told)
        assert found is not None, told
        assert float(found[1]) <= MOST_EXPOSURE, told


def staged_units(folder: Path, drop_in: Path | None) -> list[Path]:
    """The units as systemd/install.sh writes them, with a drop-in where it says it belongs."""
    units = []
    for name, unit in OWN.items():
        units.append(folder / name)
        shutil.copy(unit, units[-1])
        if drop_in is not None and f"{name}.d" in drop_in.read_text(encoding="utf-8"):
            (folder / f"{name}.d").mkdir()
            shutil.copy(drop_in, folder / f"{name}.d")
    shutil.copy(ROOT / "systemd/voxgate-camera.socket", folder)
    return units


def test_every_hole_in_the_sandbox_has_its_reason() -> None:
    for path in (UNIT, CAMERA, PAGE, *DROP_INS):
        explained = False
        for line in path.read_text(encoding="utf-8").splitlines():
            if line.startswith("# Exception:"):
                explained = True
            if re.match(r"DeviceAllow=|(ProcSubset=all)|(MemoryDenyWriteExecute=no)", line):
                assert explained, f"{path.name}: {line}"


def unit(key: str) -> list[str]:
    """Every value of `key` in the unit."""
    return values(UNIT, key)


NETWORKS = {
    "localhost": ("127.0.0.0/8", "::1/128"),
    "link-local": ("169.254.0.0/16", "fe80::/64"),
    "multicast": ("224.0.0.0/4", "ff00::/8"),
}
"""systemd.resource-control(5): what its words for addresses mean."""


@pytest.mark.parametrize(
    ("address", "heard"),
    [
        *((own, True) for own in ("127.0.0.1", "::1", "10.1.2.3", "172.31.0.9", "192.168.0.7")),
        *((own, True) for own in ("169.254.3.4", "fe80::9", "fd12:3456:789a::5", "fc00::1")),
        *((other, False) for other in ("8.8.8.8", "172.32.0.1", "2001:db8::1")),
    ],
)
def test_only_the_cells_own_network_is_heard(address: str, heard: bool) -> None:
    assert unit("IPAddressDeny") == ["any"]
    allowed = [net for word in unit("IPAddressAllow") for net in NETWORKS.get(word, (word,))]
    assert any(ip_address(address) in ip_network(net) for net in allowed) is heard


def test_the_service_takes_code_from_where_it_may_write() -> None:
    """Its home, /var/lib/voxgate, would hold user's packages and numba's and CUDA's caches."""
    said = " ".join(unit("Environment"))
    for word in ("PYTHONNOUSERSITE=1", "PYTHONSAFEPATH=1", "CUDA_CACHE_DISABLE=1"):
        assert word in said
    assert "NUMBA_CACHE_DIR" not in said, "installed_kernels.py names it"


def test_a_death_that_no_restart_mends_is_followed_by_restarts() -> None:
    assert unit("RestartPreventExitStatus") == ["2"]
    assert unit("Restart") == ["on-failure"]
    assert unit("OOMPolicy") == ["continue"], "a camera's process out of memory ends the cell"
    (command,) = re.findall(r"^ExecStartPre=(.*)$", UNIT.read_text("utf-8"), re.M)
    assert command.split()[1] == "check"
    assert "--quick" not in command


# --- inside the sandbox --------------------------------------------------------------------------


@pytest.fixture
def state() -> Iterator[Path]:
    """Stands for /var/lib/voxgate: not below /tmp, which is private in there."""
    path = Path(tempfile.mkdtemp(prefix="vg-", dir="/var/lib"))
    path.chmod(0o777)
    yield path
    shutil.rmtree(path)


def sandboxed(state: Path) -> tuple[str, ...]:
    """What a command is started with to run in the unit's sandbox."""
    return (
        *NAMESPACE,
        *("env", f"PYTHONPATH={ROOT}", f"NUMBA_CACHE_DIR={state}"),
        *(sys.executable, "-m", "tests.kits.sandbox", str(UNIT), str(state), "--"),
    )


@needs_seccomp
@needs_systemd
@needs_mounts
def test_a_cell_works_in_the_sandbox(state: Path) -> None:
    service = ServiceProcess(write_cell(state), wrapped_in=sandboxed(state)).start()
    try:
        with Robot(state) as robot:
            robot.send_poses()
            robot.wait_for(State.READY)
            robot.send_poses_for_a_while()
            passes_next(robot, "job")
        assert service.end(signal.SIGTERM) == 0
        assert (state / "journal.sqlite").stat().st_uid != 0
    except AssertionError:
        print(service.log.read_text())  # noqa: T201 (pytest shows it with the failure)
        raise
    finally:
        service.kill_if_left()


STREAM = """
import time
from voxgate.runtime.cameras.supervisor import CameraSupervisor
from voxgate.runtime.nouns import Frame
from tests.kits.viky import camera
supervisor = CameraSupervisor([camera(depth=True)])
supervisor.start(time.monotonic_ns())
until = time.monotonic() + 60
frames = []
while len(frames) < 3 and time.monotonic() < until:
    frames += [e for e in supervisor.poll(time.monotonic_ns()) if isinstance(e, Frame)]
    time.sleep(0.01)
supervisor.close()
assert len(frames) >= 3, "no frames"
"""
ENGINE = """
import numba
import numpy as np
from voxgate.runtime.engines.onnxruntime_engine import open_cpu
from tests.kits import tiny
assert numba.njit(lambda x: x + 1)(1) == 2
probe = tiny.probe()
engine = open_cpu(tiny.difference_model(), 2)
assert np.array_equal(engine.run(dict(probe.inputs))[0, 0], probe.score)
engine.close()
"""


@pytest.mark.nightly  # .ci/run has it every time; by day a whole cell, above
@needs_seccomp
@needs_systemd
@needs_mounts
@pytest.mark.parametrize("script", [STREAM, ENGINE], ids=["GenTL camera", "engine and kernels"])
def test_what_a_cell_is_made_of_works_in_the_sandbox(state: Path, script: str) -> None:
    command = (*sandboxed(state), sys.executable, "-c", script)
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
