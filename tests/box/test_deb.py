"""The Debian package as `make deb` builds it: the life that it has on a fresh Debian, at night."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.kits import debian
from tests.kits.booted import Machine, Power
from tests.kits.cell_kit import until
from tests.kits.debian import needs_bill, needs_dpkg, needs_fresh_debian, needs_lintian
from tests.kits.installed_box import ETC, InstalledBox
from tests.kits.repository import BRACKET

HOME = "/usr/lib/voxgate"
AARCH64 = 183  # e_machine of ELF, elf.h
DONE_WITHOUT = {
    "libpython3.11.so.1.0",  # genicam's: voxgate.runtime.cameras.genicam loads it without
    "libtbb.so.12",  # one of numba's ways to share work among threads; ours have another
}
night = pytest.mark.nightly
whole_life = [night, pytest.mark.timeout(3600), needs_bill, needs_fresh_debian]


@pytest.fixture(scope="module")
def package(disk: Path) -> Path:
    """As `make deb` builds it."""
    (to := disk / "built").mkdir()
    return debian.build(to)


@pytest.fixture(scope="module")
def newer(package: Path, disk: Path) -> Path:
    (folder := disk / "newer").mkdir()
    return debian.later(package, folder, "99.0.0")


@pytest.fixture(scope="module")
def tree(package: Path, newer: Path, disk: Path) -> Path:
    """A Debian that has what the package depends on, and both packages in /srv."""
    root = debian.fresh(debian.depends(package), disk / "tree")
    for each in (package, newer):
        shutil.copy(each, root / "srv")
    return root


@pytest.fixture(scope="module")
def installed(tree: Path, package: Path) -> str:
    """What dpkg said, in a tree where no systemd runs and no network is."""
    done = debian.inside(tree, "dpkg", "-i", f"/srv/{package.name}")
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def machine(installed: str, tree: Path, disk: Path) -> Iterator[Power]:
    """That tree, booted."""
    assert installed
    (own := disk / "machine").mkdir()
    with Power(own, tree) as power:
        power.on()
        yield power


@pytest.fixture(scope="module")
def served(machine: Power) -> InstalledBox:
    """Configured; the cell is enabled, its twin with a camera was started by hand."""
    box = InstalledBox(machine, HOME, "/srv/bracket")
    box.machine.take(BRACKET, "/srv")
    box.configure()
    box.machine.run("systemctl", "daemon-reload")
    box.machine.run("systemctl", "enable", "--now", "voxgate")
    box.machine.run("systemctl", "start", "voxgate@cam")
    return box


@pytest.fixture
def box(served: InstalledBox) -> Iterator[InstalledBox]:
    """And what the service said, with a test that fails."""
    yield served
    print(served.log()[-4000:])  # noqa: T201


def life(test: Callable[..., None]) -> Callable[..., None]:
    """Marks of a chapter; they run in this order, one after the other."""
    for mark in whole_life:
        test = mark(test)
    return test


@life
def test_it_does_not_install_where_no_systemd_runs(installed: str, tree: Path) -> None:
    assert "next: write /etc/voxgate/voxgate.yaml" in installed
    assert "could not" not in installed
    assert list((tree / "usr/lib/voxgate/kernels").rglob("*.nbi")), "kernels are compiled"
    conffiles = debian.inside(tree, "dpkg-query", "-W", "-f", "${Conffiles}", "voxgate").stdout
    assert conffiles == "", "what a person writes is never asked about"
    for folder, owner in (("", "voxgate"), ("page", "voxgate-page"), ("keys/mqtt", "voxgate-mqtt")):
        said = debian.inside(tree, "stat", "-c", "%A %U %G", f"/etc/voxgate/{folder}").stdout
        assert said.split() == ["drwxr-x---", "root", owner]
    doctor = debian.inside(tree, "voxgate", "doctor")
    assert doctor.returncode == 0, doctor.stdout + doctor.stderr


@life
def test_a_library_of_a_wheel_finds_none_of_the_system(tree: Path, installed: str) -> None:
    assert installed
    find = f"find {HOME}/lib -name '*.so*' -type f -exec ldd {{}} + 2>/dev/null | grep 'not found'"
    said = debian.inside(tree, "sh", "-c", find).stdout.splitlines()
    brought = {path.name for path in (tree / HOME.lstrip("/")).rglob("*.so*")}
    lacking = {line.split()[0] for line in said} - brought  # found by the one that loads it
    assert lacking <= DONE_WITHOUT


@life
def test_a_fresh_box_tells_a_good_part_from_a_bad_one(box: InstalledBox) -> None:
    assert box.machine.shows("voxgate", "StatusText").startswith("READY")
    assert [box.play(part) for part in ("good", "bad")] == ["PASS", "FAIL"]


@life
def test_an_upgrade_or_the_way_back_loses_something(
    box: InstalledBox, package: Path, newer: Path
) -> None:
    units = ("voxgate", "voxgate@cam")
    box.put(f"{ETC}/keys/own.key", "a person's")
    kept = _written(box.machine)
    for each in (newer, package):
        before = [_main(box.machine, unit) for unit in units]
        _dpkg(box.machine, "-i", f"/srv/{each.name}")
        assert debian.field(each, "Version") in box.voxgate("--version").stdout
        now = [_main(box.machine, unit) for unit in units]
        assert all(a != b for a, b in zip(before, now, strict=True)), "the old code judges on"
        assert 0 not in now, "what ran runs again, by hand or enabled"
        assert _written(box.machine) == kept
        assert box.play("good") == "PASS"
        _history_is_whole(box)


@life
def test_what_was_stopped_is_started_by_an_upgrade(box: InstalledBox, package: Path) -> None:
    box.machine.run("systemctl", "stop", "voxgate@cam")
    _dpkg(box.machine, "-i", f"/srv/{package.name}")
    assert box.machine.shows("voxgate@cam", "ActiveState") == "inactive"
    _until_active(box.machine)


@life
def test_an_upgrade_that_is_refused_takes_the_cell_down(box: InstalledBox, newer: Path) -> None:
    box.machine.run("mkdir", "-p", "/opt/voxgate/current")
    refused = box.machine.run("dpkg", "-i", f"/srv/{newer.name}", check=False)
    box.machine.run("rm", "-r", "/opt/voxgate")
    assert refused.returncode != 0
    assert "install.sh --uninstall" in refused.stderr
    _until_active(box.machine)
    assert box.play("good") == "PASS"


@life
def test_a_removal_takes_what_a_person_wrote_or_leaves_what_it_brought(
    box: InstalledBox, package: Path
) -> None:
    kept = _written(box.machine)
    _dpkg(box.machine, "-r", "voxgate")
    assert box.machine.run("test", "-e", HOME, check=False).returncode == 1
    assert box.machine.says("systemctl", "list-units", "--no-legend", "voxgate*") == ""
    assert _written(box.machine) == kept
    _dpkg(box.machine, "-i", f"/srv/{package.name}")
    assert box.machine.shows("voxgate", "ActiveState") == "inactive", "nobody asked for it"
    box.machine.run("systemctl", "start", "voxgate")
    assert box.play("good") == "PASS"
    _history_is_whole(box)


@life
def test_a_purge_leaves_something(box: InstalledBox) -> None:
    machine = box.machine
    _dpkg(machine, "-P", "voxgate")
    folders = ("/etc", "/opt", "/usr", "/var/lib", "/var/cache", "/run")
    left = machine.says("find", *folders, "-xdev", "-iname", "*voxgate*")
    assert left == ""
    for database in ("passwd", "group"):
        assert machine.run("getent", database, "voxgate", check=False).returncode == 2


@night
@pytest.mark.timeout(3600)
@needs_dpkg
@needs_lintian
@needs_bill
def test_debians_own_judge_has_something_to_say_of_the_whole(package: Path) -> None:
    judge = ["lintian", "--allow-root", "--info", "--pedantic", "--fail-on", "warning,error"]
    done = subprocess.run([*judge, str(package)], capture_output=True, text=True, check=False)
    assert re.findall(r"^[EWIPX]: .*", done.stdout, re.MULTILINE) == []


@night
@pytest.mark.timeout(3600)
@needs_dpkg
@needs_bill
def test_the_whole_package_is_another_the_second_time(package: Path, tmp_path: Path) -> None:
    assert debian.build(tmp_path).read_bytes() == package.read_bytes()


@night
@pytest.mark.timeout(3600)
@needs_dpkg
@needs_bill
@pytest.mark.parametrize("python", ["3.10", "3.11"])
def test_a_jetsons_package_holds_something_of_this_processor(python: str, tmp_path: Path) -> None:
    package = debian.build(tmp_path, machine="aarch64", python=python)
    assert debian.field(package, "Architecture") == "arm64"
    assert f"python{python}" in debian.depends(package)
    root = debian.unpacked(package, tmp_path / "root")
    found = [path for path in root.rglob("*.so*") if path.read_bytes()[:4] == b"\x7fELF"]
    assert len(found) > 100
    strange = [path for path in found if _machine(path) != AARCH64]
    assert strange == []
    abi = {tag for wheel in root.rglob("*.dist-info/WHEEL") for tag in _abis(wheel)}
    assert abi <= {"none", "abi3", f"cp{python.replace('.', '')}"}
    bill = json.loads((root / "usr/share/doc/voxgate/voxgate.cdx.json").read_text("utf-8"))
    assert bill["metadata"]["component"]["version"] == debian.field(package, "Version")


def _machine(library: Path) -> int:
    return int.from_bytes(library.read_bytes()[18:20], "little")


def _abis(wheel: Path) -> list[str]:
    return re.findall(r"^Tag: [^-]+-([^-]+)-", wheel.read_text("utf-8"), re.MULTILINE)


def _dpkg(machine: Machine, *arguments: str) -> None:
    said = machine.run("dpkg", *arguments)
    assert "did not start" not in said.stderr, said.stderr
    assert "not empty" not in said.stderr, said.stderr


def _main(machine: Machine, unit: str = "voxgate") -> int:
    """The service's process ID, as the machine counts; 0: none."""
    return int(machine.shows(unit, "MainPID"))


def _until_active(machine: Machine, unit: str = "voxgate") -> None:
    until(lambda: machine.shows(unit, "ActiveState") == "active", f"{unit} to be READY")


def _written(machine: Machine) -> str:
    """Every file that a person wrote, by its content, owner and rights."""
    script = (
        f"find {ETC} -type f | sort | xargs ls -ln; find {ETC} -type f | sort | xargs sha256sum"
    )
    return machine.says("sh", "-c", script)


def _history_is_whole(box: InstalledBox) -> None:
    told = box.voxgate("journal", "verify", "-c", f"{ETC}/voxgate.yaml")
    assert told.returncode == 0, told.stdout + told.stderr
