"""What a process of the test's own would leave on the machine; a neighbour's is none of ours."""

from __future__ import annotations

from pathlib import Path

GONE = " (deleted)"  # the kernel's word for a file whose name was taken away


def named_memory(pid: int) -> set[str]:
    """Shared memory that process maps under a name: its end, by kill -9 at the latest, leaves it.

    Memory without a name (memfd) and names that are gone already end with the process.
    """
    maps = Path(f"/proc/{pid}/maps").read_text("utf-8").splitlines()
    files = {line.partition("/")[2] for line in maps if "/dev/shm/" in line}
    return {f"/{file}" for file in files if not file.endswith(GONE)}
