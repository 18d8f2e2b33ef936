"""How much memory this machine can still give away; on a Jetson its GPU lives in the same."""

from __future__ import annotations

from pathlib import Path

MEMINFO = Path("/proc/meminfo")
KB_PER_MB = 1024


def available_mb() -> int:
    """What new programs could have without swapping; 0: unknown."""
    try:
        return available_mb_in(MEMINFO.read_text())
    except OSError:
        return 0


def available_mb_in(meminfo: str) -> int:
    """The kernel's MemAvailable; 0: it is not told."""
    for line in meminfo.splitlines():
        name, _, value = line.partition(":")
        if name == "MemAvailable":
            return int(value.split()[0]) // KB_PER_MB
    return 0
