"""The Debian package without the wheels of others: what is in it. .ci/run has it, every time."""

from __future__ import annotations

import gzip
import re
import subprocess
from pathlib import Path

import pytest

from tests.kits import debian
from tests.kits.debian import needs_dpkg, needs_lintian
from tests.kits.repository import ROOT
from voxgate.runtime.cli import COMMANDS

MAINTAINER_SCRIPTS = ("preinst", "postinst", "prerm", "postrm")
NOT_WITHOUT_WHEELS = "unused-override"  # of lintian
pytestmark = pytest.mark.nightly  # a package takes four seconds of a processor


def build_small(to: Path) -> Path:
    """VoxGate alone; quick, and of no use to a box."""
    (lock := to / "no-wheels.lock").write_text("# nothing\n")
    (bill := to / "bill.json").write_text("{}\n")
    return debian.build(to, lock, BILL=str(bill))


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_small(tmp_path_factory.mktemp("small"))


@pytest.fixture(scope="module")
def small_root(small: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return debian.unpacked(small, tmp_path_factory.mktemp("unpacked") / "root")


@needs_dpkg
def test_the_same_commit_gives_another_package(small: Path, tmp_path: Path) -> None:
    assert build_small(tmp_path).read_bytes() == small.read_bytes()


@needs_dpkg
def test_a_unit_starts_what_the_package_does_not_bring(small_root: Path) -> None:
    units = sorted((small_root / "usr/lib/systemd/system").iterdir())
    assert {unit.name for unit in units} == {
        *(unit.name for unit in (ROOT / "systemd").glob("voxgate*.service")),
        *("voxgate@.service", "voxgate-camera.socket"),
    }
    for unit in units:
        text = unit.read_text("utf-8")
        assert "/opt/" not in text
        for program in re.findall(r"^Exec\w*=(\S+)", text, re.MULTILINE):
            assert (small_root / program.lstrip("/")).is_symlink() or (
                small_root / program.lstrip("/")
            ).is_file(), f"{unit.name}: {program}"


@needs_dpkg
def test_a_maintainer_script_is_broken(small_root: Path) -> None:
    for name in MAINTAINER_SCRIPTS:
        script = small_root / "DEBIAN" / name
        subprocess.run(["sh", "-n", str(script)], check=True)
        assert "#MAINTAIN#" not in script.read_text("utf-8")


@needs_dpkg
def test_the_manual_page_misses_a_command(small_root: Path) -> None:
    page = gzip.decompress((small_root / "usr/share/man/man1/voxgate.1.gz").read_bytes()).decode()
    for names in COMMANDS.values():
        for name in names:
            assert f".B {name.replace('-', chr(92) + '-')}\n" in page
    completion = small_root / "usr/share/bash-completion/completions/voxgate"
    assert "complete" in completion.read_text("utf-8")


@needs_dpkg
@needs_lintian
def test_debians_own_judge_has_something_to_say(small: Path) -> None:
    judge = ["lintian", "--allow-root", "--info", "--pedantic", "--fail-on", "warning,error"]
    done = subprocess.run([*judge, str(small)], capture_output=True, text=True, check=False)
    lines = [line for line in done.stdout.splitlines() if re.match(r"[EWIPX]: ", line)]
    assert [line for line in lines if NOT_WITHOUT_WHEELS not in line] == []
    assert done.returncode == 0
