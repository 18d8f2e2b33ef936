"""The box as its users get it: installed on a machine that was booted, under a real systemd.

What the other tests of this folder apply by themselves, systemd applies here.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.kits.booted import Machine, Power
from tests.kits.cell_kit import until
from tests.kits.installed_box import CURRENT, ETC, InstalledBox, Release
from tests.kits.needs import needs_boot
from tests.kits.repository import ROOT
from tests.kits.sandbox import DYNAMIC, directives
from tests.kits.viky import CTI

JOURNAL = "/var/lib/voxgate/journal.sqlite"
DROP_INS = "/etc/systemd/system/voxgate.service.d"
HANGS_S = 90.0  # the watchdog's 30 s, and what a stopped process is given to end by itself
pytestmark = [pytest.mark.nightly, pytest.mark.timeout(1800), needs_boot]


@pytest.fixture(scope="module")
def power(disk: Path) -> Iterator[Power]:
    """A machine's switch."""
    (own := disk / "machine").mkdir()
    with Power(own) as power:
        yield power


@pytest.fixture(scope="module")
def release(disk: Path) -> Release:
    """What is installed."""
    return Release.make(disk / "release")


@pytest.fixture(scope="module")
def installed(power: Power, release: Release) -> InstalledBox:
    """Installed, configured, enabled and READY."""
    power.on()
    box = InstalledBox(power)
    box.install(release)
    box.configure()
    for unit in ("voxgate", "voxgate@cam"):
        box.machine.run("systemctl", "enable", "--now", unit)
    return box


@pytest.fixture
def box(installed: InstalledBox) -> Iterator[InstalledBox]:
    """And what the service said, with a test that fails."""
    yield installed
    print(installed.log()[-4000:])  # noqa: T201


def test_a_fresh_box_tells_a_good_part_from_a_bad_one(box: InstalledBox) -> None:
    assert box.machine.shows("voxgate", "StatusText").startswith("READY")
    assert [box.play(part) for part in ("good", "bad")] == ["PASS", "FAIL"]


def test_a_killed_service_comes_back_with_its_history(box: InstalledBox) -> None:
    kill = ("systemctl", "kill", "--kill-who=main", "--signal=KILL", "voxgate")
    box.machine.run(*kill)
    until(lambda: box.machine.shows("voxgate", "NRestarts") == "1", "a restart")
    _until_active(box.machine)
    assert box.play("good") == "PASS"
    assert box.voxgate("journal", "verify", "-c", f"{ETC}/voxgate.yaml").returncode == 0


def test_a_service_that_hangs_is_replaced_by_the_watchdog(box: InstalledBox) -> None:
    before = _main(box.machine)
    box.machine.run("kill", "-STOP", str(before))
    until(lambda: _main(box.machine) not in (0, before), "a watchdog's restart", HANGS_S)
    _until_active(box.machine)
    assert "watchdog" in box.log().lower()
    assert box.play("good") == "PASS"


def test_a_cameras_driver_has_a_user_of_its_own_and_is_replaced(box: InstalledBox) -> None:
    first = until(lambda: _drivers(box.machine), "a camera's process")
    assert {process.uids().real for process in first} <= set(DYNAMIC)
    cell = _main(box.machine, "voxgate@cam")
    first[0].kill()
    until(lambda: _drivers(box.machine) and first[0] not in _drivers(box.machine), "another one")
    assert _main(box.machine, "voxgate@cam") == cell, "its camera took the cell along"


SERVICES_OWN = (f"{ETC}/voxgate.yaml", JOURNAL)
SECRET = f"{ETC}/keys/probe.key_secret"
PROBE = """
import os, pathlib, socket, sys
def tried(what, act):
    try:
        act()
    except OSError:
        return
    print(what)
def reach(host):
    with socket.create_connection((host, 5561 if host == "127.0.0.1" else 22), 1): pass
tried("localhost", lambda: reach("127.0.0.1"))
for path in sys.argv[1:]:
    tried(path, lambda: open(path, "rb").close())
for path in ("/etc/x", "/opt/voxgate/x", "/usr/x", "/home/x", "/var/lib/voxgate/x"):
    tried("write " + path, lambda: pathlib.Path(path).write_text("x"))
tried("packet socket", lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW).close())
tried("memory", lambda: open("/dev/kmsg", "rb").close())
"""


@pytest.mark.parametrize(
    ("unit", "reached"),
    [
        ("voxgate.service", {"localhost", *SERVICES_OWN, SECRET, "write /var/lib/voxgate/x"}),
        ("voxgate-page@.service", {"localhost", *SERVICES_OWN}),
        ("voxgate-mqtt@.service", {"localhost", f"{ETC}/voxgate.yaml"}),
        ("voxgate-opcua@.service", {"localhost", f"{ETC}/voxgate.yaml"}),
        ("voxgate-camera@.service", set()),
    ],
)
def test_systemd_lets_reach_only_what_each_is_for(
    box: InstalledBox, unit: str, reached: set[str]
) -> None:
    box.machine.put("/run/probe.py", PROBE)
    box.put(SECRET, "secret")
    known = " ".join((*SERVICES_OWN, SECRET))
    program = f"{CURRENT}/bin/python -I /run/probe.py {known} /etc/shadow"
    box.machine.put("/run/systemd/system/probe.service", _in_the_sandbox_of(unit, program))
    box.machine.run("systemctl", "daemon-reload")
    box.machine.run("systemctl", "start", "probe")
    assert set(box.machine.says("cat", "/run/probe.out").splitlines()) == reached


ASK = "import urllib.request as u; print(u.urlopen('http://127.0.0.1:8080{path}').read().decode())"


def test_the_page_of_a_user_of_its_own_shows_nothing_of_the_cell(box: InstalledBox) -> None:
    box.machine.run("systemctl", "start", "voxgate-page@voxgate")

    def asked(path: str) -> str:
        program = (f"{CURRENT}/bin/python", "-c", ASK.format(path=path))
        return str(box.machine.run(*program, check=False).stdout)

    try:
        (job, *_) = json.loads(until(lambda: asked("/api/jobs"), "a page"))["jobs"]
        assert json.loads(asked(f"/api/jobs/{job['job_id']}"))["verdict"]["outcome"]
        process = str(_main(box.machine, "voxgate-page@voxgate"))
        assert box.machine.says("stat", "-c", "%U", f"/proc/{process}") == "voxgate-page"
    finally:
        box.machine.run("systemctl", "stop", "voxgate-page@voxgate")


def test_what_no_restart_mends_is_said_and_what_a_person_mends_is_taken_up(
    box: InstalledBox,
) -> None:
    twin = json.loads(box.machine.says("cat", f"{ETC}/voxgate.yaml"))
    box.put(f"{ETC}/voxgate@twin.yaml", json.dumps(twin))
    box.machine.run("systemctl", "start", "--no-block", "voxgate@twin")
    until(lambda: "journal.path" in box.log("voxgate@twin"), "a word about another's journal")
    assert box.play("good") == "PASS", "the first cell has its ports and its journal"
    for number, name in enumerate(("poses", "commands", "verdicts")):
        twin["sockets"][name] = f"tcp://127.0.0.1:{5580 + number}"
    twin["cameras"][0]["endpoint"] = "tcp://127.0.0.1:5583"
    twin["metrics"]["port"] = 5589
    twin["journal"]["path"] = "/var/lib/voxgate@twin/journal.sqlite"
    box.put(f"{ETC}/voxgate@twin.yaml", json.dumps(twin))
    _until_active(box.machine, "voxgate@twin")
    box.machine.run("systemctl", "stop", "voxgate@twin")


def test_a_sealed_key_signs_on_and_lies_nowhere_open(box: InstalledBox) -> None:
    """By the machine's own secret: there is no TPM here."""
    box.machine.run("systemctl", "stop", "voxgate")
    seal = ("systemd-creds", "encrypt", "--with-key=host", "--name=box.key")
    box.machine.run(*seal, f"{JOURNAL}.key", f"{ETC}/keys/box.key.sealed")
    drop_in = (ROOT / "systemd/drop-ins/sealed-key.conf").read_text("utf-8")
    box.machine.run("mkdir", "-p", DROP_INS)
    box.machine.put(f"{DROP_INS}/sealed-key.conf", drop_in)
    box.machine.run("systemctl", "daemon-reload")
    box.machine.run("systemctl", "start", "--no-block", "voxgate")
    until(lambda: "its sealed copy serves" in box.log(), "a word about the open file")
    box.machine.run("rm", f"{JOURNAL}.key")
    _until_active(box.machine)
    assert box.play("good") == "PASS"
    assert box.machine.run("test", "-e", f"{JOURNAL}.key", check=False).returncode == 1
    assert box.voxgate("journal", "verify", "-c", f"{ETC}/voxgate.yaml").returncode == 0


def test_an_upgrade_serves_on_and_a_rollback_too(box: InstalledBox, release: Release) -> None:
    for arguments in ((), ("--rollback",)):
        before = _main(box.machine)
        box.install(release, *arguments)
        assert _main(box.machine) not in (0, before)
        _until_active(box.machine)
        assert box.play("good") == "PASS"


def test_a_power_cut_costs_no_verdict(box: InstalledBox, power: Power) -> None:
    box.play("bad")
    power.cycle()
    _until_active(box.machine)
    assert box.play("good") == "PASS"
    told = box.voxgate("journal", "verify", "-c", f"{ETC}/voxgate.yaml")
    assert told.returncode == 0, told.stdout + told.stderr


def test_a_purge_leaves_nothing(box: InstalledBox, release: Release) -> None:
    box.install(release, "--uninstall", "--purge")
    machine = box.machine
    units = machine.says("systemctl", "list-units", "--all", "--no-legend", "voxgate*")
    assert units == ""
    left = machine.says(
        *("find", "/etc", "/opt", "/var/lib", "/var/cache", "/run", "-xdev", "-iname", "*voxgate*")
    )
    assert left == ""
    for database in ("passwd", "group"):
        assert machine.run("getent", database, "voxgate", check=False).returncode == 2


def _main(machine: Machine, unit: str = "voxgate") -> int:
    """The service's process ID, as the machine counts; 0: none."""
    return int(machine.shows(unit, "MainPID"))


def _until_active(machine: Machine, unit: str = "voxgate") -> None:
    until(lambda: machine.shows(unit, "ActiveState") == "active", f"{unit} to be READY")


def _drivers(machine: Machine) -> list[psutil.Process]:
    """The processes that have a GenTL producer in them, as this machine counts them."""
    every = psutil.Process(machine.first).children(recursive=True)
    return [process for process in every if Path(CTI).name in _words(process)]


def _words(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.NoSuchProcess:
        return ""


NOT_OF_THE_SANDBOX = (
    *("Description", "Wants", "After", "WantedBy", "StartLimit", "Collect", "Type", "Notify"),
    *("Exec", "Watchdog", "Restart", "Timeout", "Standard", "Syslog", "WorkingDirectory"),
)


def _in_the_sandbox_of(unit: str, program: str) -> str:
    """A unit that runs another program as this one runs its own."""
    told = ["[Service]", "Type=oneshot", "StandardOutput=truncate:/run/probe.out"]
    for key, values in directives(ROOT / "systemd" / unit).items():
        if not key.startswith(NOT_OF_THE_SANDBOX):
            told += [f"{key}={value.replace('%N', 'voxgate')}" for value in values]
    return "\n".join([*told, f"ExecStart={program}", ""])
