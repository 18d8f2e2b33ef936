"""A Jetson: which JetPack is on it and what belongs to that, and the power mode that caps it."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from shutil import which

Run = Callable[[Sequence[str]], str | None]
"""Runs a command; its output, or None when it is not there or fails."""

_TIMEOUT_S = 10


@dataclass(frozen=True, slots=True)
class JetPack:
    """versions: JetPack releases; l4t: release line of Linux for Tegra they come with."""

    versions: str
    l4t: tuple[int, int]
    cuda: str
    tensorrt: str


RELEASES = (
    JetPack("5.1.1", (35, 3), "11.4", "8.5"),
    JetPack("5.1.2", (35, 4), "11.4", "8.5"),
    JetPack("6.0", (36, 3), "12.2", "8.6"),
    JetPack("6.1 or 6.2", (36, 4), "12.6", "10.3"),
    JetPack("7.0", (38, 2), "13.0", "10.13"),
    JetPack("7.1", (38, 4), "13.0", "10.13"),
    JetPack("7.2", (39, 2), "13.2", "10.16"),
)

_RELEASE = re.compile(r"R(\d+) \(release\), REVISION: (\d+)")


def l4t_of(nv_tegra_release: str) -> tuple[int, int] | None:
    """(36, 4) of the first line of /etc/nv_tegra_release."""
    match = _RELEASE.search(nv_tegra_release)
    return (int(match[1]), int(match[2])) if match else None


def jetpack_of(l4t: tuple[int, int]) -> JetPack | None:
    """The release with this Linux for Tegra; None for one that is not in the list."""
    return next((release for release in RELEASES if release.l4t == l4t), None)


def jetpacks_with(tensorrt: str) -> str:
    """`JetPack 6.1 or 6.2` for 10.3.x; empty where no JetPack ships it."""
    line = ".".join(tensorrt.split(".")[:2])
    found = [release.versions for release in RELEASES if release.tensorrt == line]
    return f"JetPack {' or '.join(found)}" if found else ""


def run_command(command: Sequence[str]) -> str | None:
    """The real one."""
    if which(command[0]) is None:
        return None
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT_S)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None


def power_mode(run: Run = run_command) -> str | None:
    """As `nvpmodel -q` names it, e.g. `MAXN`; None on a machine without nvpmodel."""
    said = run(["nvpmodel", "-q"])
    for line in (said or "").splitlines():
        name, colon, mode = line.partition(":")
        if colon and name.strip().lower() == "nv power mode":
            return mode.strip()
    return None
