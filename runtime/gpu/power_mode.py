"""The power mode of a Jetson: it caps clocks and switches multiprocessors off."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Sequence
from shutil import which

Run = Callable[[Sequence[str]], str | None]
"""Runs a command; its output, or None when it is not there or fails."""

_TIMEOUT_S = 10


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
