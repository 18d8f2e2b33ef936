"""The container: its image is really built, and a cell in it judges, with nothing else in reach."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.kits import debian
from tests.kits.cell_kit import CLOCK_REASONS, until
from tests.kits.container import Containers, needs_containers
from tests.kits.debian import needs_bill, needs_fresh_debian
from tests.kits.installed_box import BY_NETWORK, RECIPE, TRIES, cell_of
from tests.kits.needs import needs_systemd
from tests.kits.repository import BRACKET, ROOT
from tests.kits.sandbox import directives, system_calls
from voxgate.sim.recipes import copy_as, export_once

PLACE = ROOT / "packaging/container"
UNIT = ROOT / "systemd/voxgate.service"
CELL = "/etc/voxgate/voxgate.yaml"
VOXGATE = 990
OF_A_FILTER = {"clone", "clone3", "setns", "socket", "unshare"}
UP_S = 300.0


@needs_systemd
def test_a_container_may_call_what_the_unit_may_not() -> None:
    profile = json.loads((PLACE / "seccomp.json").read_text("utf-8"))
    assert profile["defaultAction"] == "SCMP_ACT_ERRNO"
    always, clone, clone3, *sockets = profile["syscalls"]
    allowed = system_calls(directives(UNIT)["SystemCallFilter"]) - OF_A_FILTER
    assert set(always["names"]) <= allowed
    assert {"execve", "futex", "sched_setaffinity"} <= set(always["names"])
    assert (clone3["action"], clone["names"]) == ("SCMP_ACT_ERRNO", ["clone"])
    assert len(sockets) == len(directives(UNIT)["RestrictAddressFamilies"][0].split())


def test_a_mistaken_folder_starts_a_container(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    for folders, says in (
        ((), "run CONFIG"),
        (("nowhere",) * 3, "no such"),
        (("etc",) * 3, "mkdir"),
    ):
        command = [str(PLACE / "run"), *folders]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 2
        assert says in done.stderr


@pytest.fixture(scope="module")
def containers(disk: Path) -> Containers:
    """With the image in them, on a Debian that no registry was asked for."""
    (context := disk / "context").mkdir()
    package = debian.build(context)
    tree = debian.fresh(debian.depends(package), disk / "tree")
    own = Containers(disk / "containers")
    base = f"c=$(buildah from scratch) && buildah add -q $c {tree} / && buildah commit -q $c debian"
    own.run("sh", "-ec", base)
    shutil.rmtree(tree)
    offline = ("--isolation=chroot", "--build-arg=BASE=localhost/debian")
    own.run(PLACE / "build", context, "localhost/voxgate", *offline)
    return own


@pytest.fixture(scope="module")
def cell(containers: Containers, disk: Path) -> Iterator[Containers]:
    """A cell that serves in a container `voxgate`."""
    config, recipes, state = (disk / name for name in ("config", "recipes", "state"))
    for folder in (config, config / "recipes", recipes, state):
        folder.mkdir()
    shutil.copy(BRACKET / "calibration.json", config)
    (config / "voxgate.yaml").write_text(json.dumps(cell_of("voxgate", BY_NETWORK, RECIPE)))
    copy_as(export_once(BRACKET / "golden", ROOT / "out/recipes"), recipes, RECIPE)
    disk.chmod(0o755)
    for path in (state, *config.rglob("*"), config, *recipes.rglob("*"), recipes):
        os.chown(path, VOXGATE, VOXGATE)
    words = ("env", "NETWORK=none", PLACE / "run", config, recipes, state)
    own = ("--ulimit=nproc=4096:4096", f"--volume={BRACKET}:/srv/bracket:ro")
    containers.run(*words, "--detach", *own)
    try:
        until(lambda: within(containers, "voxgate", "status").returncode == 0, "READY", UP_S)
        yield containers
    finally:
        print(containers.run("podman", "logs", "voxgate", check=False).stderr[-4000:])  # noqa: T201
        containers.run("podman", "rm", "--force", "voxgate", check=False)


def within(containers: Containers, *command: str) -> subprocess.CompletedProcess[str]:
    return containers.run("podman", "exec", "voxgate", *command, check=False)


def played(containers: Containers, part: str) -> str:
    """The outcome of a part of the example; again where this machine stalled the clocks."""
    verdict = {"outcome": ""}
    for _ in range(TRIES):
        told = within(containers, "voxgate", "play", f"/srv/bracket/{part}", "-c", CELL, "--json")
        assert told.stdout, told.stderr
        verdict = json.loads(told.stdout)
        if not CLOCK_REASONS & {note["reason"] for note in verdict["reasons"]}:
            break
    return verdict["outcome"]


FORBIDDEN = """
import os, pathlib, socket
def tried(what, act):
    try:
        act()
    except OSError:
        return
    print(what)
for path in ("/x", "/etc/voxgate/x", "/etc/voxgate/recipes/x", "/usr/x", "/var/lib/voxgate/x"):
    tried("write " + path, lambda: pathlib.Path(path).write_text("x"))
tried("another user", lambda: os.setuid(0))
tried("packet socket", lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW))
tried("a name space", lambda: os.system("unshare --user true 2>/dev/null") and os.stat("/nowhere"))
"""


def a_night(test: Callable[..., None]) -> Callable[..., None]:
    marks = (pytest.mark.nightly, pytest.mark.timeout(3600), needs_bill, needs_fresh_debian)
    for mark in (*marks, needs_containers):
        test = mark(test)
    return test


@a_night
def test_a_cell_in_a_container_tells_a_good_part_from_a_bad_one(cell: Containers) -> None:
    assert [played(cell, part) for part in ("good", "bad")] == ["PASS", "FAIL"]
    assert within(cell, "voxgate", "journal", "verify", "-c", CELL).returncode == 0


@a_night
def test_a_container_reaches_more_than_its_state(cell: Containers) -> None:
    reached = within(cell, "/usr/lib/voxgate/bin/python", "-I", "-c", FORBIDDEN)
    assert reached.stdout.split("\n") == ["write /var/lib/voxgate/x", ""], reached.stderr
    status = within(cell, "cat", "/proc/1/status").stdout
    said = dict(line.split(":\t") for line in status.splitlines() if ":\t" in line)
    assert {said[f"Cap{which}"] for which in ("Prm", "Eff", "Bnd", "Amb")} == {"0" * 16}
    assert (said["NoNewPrivs"], said["Seccomp"]) == ("1", "2")
    assert set(said["Uid"].split()) == {str(VOXGATE)}


@a_night
def test_a_cell_that_does_not_serve_is_healthy(cell: Containers) -> None:
    health = ("podman", "healthcheck", "run", "voxgate")
    assert cell.run(*health, check=False).returncode == 0
    stopped = cell.run("podman", "stop", "voxgate", check=False)
    assert stopped.returncode == 0, stopped.stderr
    assert cell.run(*health, check=False).returncode != 0
