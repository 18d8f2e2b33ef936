"""install.sh on a booted machine, of wheels that hold nothing: what systemd makes of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kits.booted import Power
from tests.kits.installed_box import PYTHON
from tests.kits.needs import needs_boot
from tests.kits.repository import ROOT
from tests.kits.stub_wheel import locked, wheel

COMMAND = "/opt/voxgate/current/bin/voxgate"
UNITS = (
    *("voxgate.service", "voxgate@left.service", "voxgate@right.service"),
    *(f"voxgate-{name}@left.service" for name in ("page", "mqtt", "opcua")),
)
pytestmark = [pytest.mark.nightly, pytest.mark.timeout(1800), needs_boot]


@pytest.fixture(scope="module")
def power(disk: Path) -> Iterator[Power]:
    """The switch of a machine that is on."""
    (own := disk / "machine").mkdir()
    with Power(own) as power:
        power.on()
        yield power


def install(power: Power, disk: Path, *arguments: str | Path) -> None:
    lock, wheels = locked(disk)
    own = (f"LOCK={lock}", f"WHEELS={wheels}", f"PYTHON={PYTHON}")
    power.machine.run("env", *own, "bash", str(ROOT / "systemd/install.sh"), *map(str, arguments))


def test_another_build_of_the_same_version_leaves_no_way_back(power: Power, disk: Path) -> None:
    for said in ("old", "new"):
        install(power, disk, wheel(disk, "1.0.0", said))
    assert power.machine.says(COMMAND) == "new"
    install(power, disk, "--rollback")
    assert power.machine.says(COMMAND) == "old"
    install(power, disk, "--rollback")
    assert power.machine.says(COMMAND) == "new"


def test_a_cell_that_was_enabled_is_started_at_boot_after_its_removal(
    power: Power, disk: Path
) -> None:
    power.machine.run("systemctl", "enable", *UNITS)
    states = power.machine.says("systemctl", "is-enabled", *UNITS).split()
    assert states == ["enabled"] * len(UNITS)
    install(power, disk, "--uninstall")
    found = power.machine.says("find", "/etc/systemd/system", "-name", "voxgate*")
    assert found == ""
    machine = power.cycle()
    assert machine.says("systemctl", "list-units", "--all", "--no-legend", "voxgate*") == ""
