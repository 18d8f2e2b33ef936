"""The part of a lock that another Python installs, on Linux:
`python lock_for.py 3.11.2 [aarch64] < LOCK > PART`.

pip reads the conditions behind the semicolons for the Python that it runs in.
"""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterable, Iterator

from packaging.markers import Marker


def lines_for(version: str, machine: str, lock: Iterable[str]) -> Iterator[str]:
    """Each package's line and its hashes, without a condition, where the condition holds."""
    python = {"python_full_version": version, "python_version": version.rpartition(".")[0]}
    there = {**python, "platform_machine": machine, "sys_platform": "linux"}
    keep = True
    for line in lock:
        package, semicolon, condition = line.rstrip("\\\n").partition(" ; ")
        if not line.startswith((" ", "#")):
            keep = not semicolon or Marker(condition.strip()).evaluate(there)
        if keep:
            yield f"{package.rstrip()} \\\n" if semicolon else line


if __name__ == "__main__":
    machine = sys.argv[2] if len(sys.argv) > 2 else platform.machine()
    sys.stdout.writelines(lines_for(sys.argv[1], machine, sys.stdin))
