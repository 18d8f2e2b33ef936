"""What the Debian package's scripts do to running cells, on a fresh Debian under a real systemd.

The package without the wheels of others, and sleep stands for the service: dpkg, its scripts,
users, folders and systemd are real. tests/box/test_deb.py goes the same way with the whole package.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kits import debian
from tests.kits.booted import Machine, Power
from tests.kits.debian import needs_fresh_debian

OWN = "/etc/voxgate/voxgate.yaml"
STAND_IN = """
[Unit]
Wants=voxgate-camera.socket
[Service]
Type=exec
ExecStart=/bin/sleep infinity
[Install]
WantedBy=multi-user.target
"""
CELLS = ("voxgate", "voxgate@by-hand")
pytestmark = [pytest.mark.nightly, pytest.mark.timeout(1800), needs_fresh_debian]


@pytest.fixture
def machine() -> Iterator[Machine]:
    """Two cells of the older package run, one by hand; both packages lie in /srv."""
    disk = Path(tempfile.mkdtemp(prefix="voxgate-", dir="/var/tmp"))
    try:
        (own := disk / "machine").mkdir()
        with Power(own, _tree(disk)) as power:
            machine = power.on()
            machine.put(OWN, "a person's")
            machine.run("systemctl", "enable", "--now", CELLS[0])
            machine.run("systemctl", "start", CELLS[1])
            yield machine
    finally:
        shutil.rmtree(disk)


def _tree(disk: Path) -> Path:
    (lock := disk / "no-wheels.lock").write_text("# nothing\n")
    (bill := disk / "bill.json").write_text("{}\n")
    small = debian.build(disk, lock, BILL=str(bill))
    root = debian.unpacked(small, disk / "root")
    for unit in ("voxgate.service", "voxgate@.service"):
        (root / "usr/lib/systemd/system" / unit).write_text(STAND_IN)
    tree = debian.fresh(debian.depends(small), disk / "tree")
    older = tree / "srv/older.deb"
    pack = ["dpkg-deb", "--root-owner-group", "-Zgzip", "--build", str(root), str(older)]
    subprocess.run(pack, check=True, capture_output=True)
    (folder := disk / "newer").mkdir()
    debian.later(older, folder, "99.0.0").rename(tree / "srv/newer.deb")
    done = debian.inside(tree, "apt-get", "install", "--yes", "/srv/older.deb")
    assert done.returncode == 0, done.stdout + done.stderr
    return tree


def _main(machine: Machine) -> list[int]:
    """The process of each cell; 0: it does not run."""
    return [int(machine.shows(cell, "MainPID")) for cell in CELLS]


def test_a_package_on_its_way_leaves_another_state_than_it_found(machine: Machine) -> None:
    """One test: each step begins where the one before has ended."""
    before = _main(machine)
    assert 0 not in before
    for package in ("newer", "older"):
        machine.run("dpkg", "-i", f"/srv/{package}.deb")
        now = _main(machine)
        assert 0 not in now, f"{package}: what ran runs again, enabled or by hand"
        assert not set(before) & set(now), f"{package}: the modules were exchanged below it"
        before = now
    machine.run("systemctl", "stop", CELLS[1])
    machine.run("dpkg", "-i", "/srv/newer.deb")
    assert _main(machine)[1] == 0, "what a person stopped stays down"

    machine.run("mkdir", "-p", "/opt/voxgate/current")
    refused = machine.run("dpkg", "-i", "/srv/older.deb", check=False)
    machine.run("rm", "-r", "/opt/voxgate")
    assert "install.sh --uninstall" in refused.stderr
    assert "99.0.0" in machine.says("dpkg-query", "-W", "voxgate")
    assert _main(machine)[0] != 0, "a refused upgrade took the cell down"
    assert machine.says("cat", OWN) == "a person's"

    machine.run("dpkg", "-r", "voxgate")
    assert machine.says("systemctl", "list-units", "--no-legend", "voxgate*") == ""
    assert machine.run("test", "-e", "/usr/lib/voxgate", check=False).returncode == 1
    assert machine.says("cat", OWN) == "a person's"
    machine.run("dpkg", "-i", "/srv/older.deb")
    assert _main(machine) == [0, 0], "nobody asked for it"

    machine.run("systemctl", "start", CELLS[0])
    machine.run("mkdir", "/etc/systemd/system/voxgate-page@.service.d")
    machine.run("dpkg", "-P", "voxgate")
    assert machine.says("systemctl", "list-units", "--all", "--no-legend", "voxgate*") == ""
    folders = ("/etc", "/opt", "/usr", "/var/lib", "/var/cache", "/run")
    assert machine.says("find", *folders, "-xdev", "-iname", "*voxgate*") == ""
    for database in ("passwd", "group"):
        assert machine.run("getent", database, "voxgate", check=False).returncode == 2
