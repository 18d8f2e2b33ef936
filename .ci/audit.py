"""Which locked packages are known to be bad: `make audit`.

Two sources: releases that their authors withdrew (PEP 592), told by the index that packages are
installed from, and published vulnerabilities, told by pip-audit's database. Exit 1 for either; what
could not be asked is said in capitals, and is an error with --strict.
"""

from __future__ import annotations

import json
import subprocess
import sys

_AS_LOCKED = ("--disable-pip", "--require-hashes")


def withdrawn(lock: str) -> list[str]:
    """What pip says of withdrawn releases while it chooses exactly the locked ones."""
    pip = [sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed", "--no-deps"]
    done = subprocess.run(
        [*pip, "--quiet", "--require-hashes", "-r", lock], capture_output=True, text=True
    )
    if done.returncode != 0:
        raise SystemExit(f"{lock}: {done.stderr.strip().splitlines()[-1]}")
    return [line for line in done.stderr.splitlines() if "yanked" in line]


def vulnerable(lock: str) -> tuple[list[str], int, int]:
    """Package, version and advisory of each; how many were looked up, of how many."""
    done = subprocess.run(
        [sys.executable, "-m", "pip_audit", *_AS_LOCKED, "-r", lock, "-f", "json"],
        capture_output=True,
        text=True,
    )
    packages = json.loads(done.stdout)["dependencies"] if done.stdout else []
    found = [
        f"{package['name']} {package['version']}: {flaw['id']}, mended in "
        f"{', '.join(flaw['fix_versions']) or 'no version yet'}"
        for package in packages
        for flaw in package.get("vulns", [])
    ]
    looked_up = sum("vulns" in package for package in packages)
    return found, looked_up, len(packages)


def main(words: list[str]) -> int:
    strict = "--strict" in words
    bad = False
    for lock in (word for word in words if word != "--strict"):
        found, looked_up, of = vulnerable(lock)
        found += withdrawn(lock)
        lines = [f"{lock}: {looked_up} of {of} packages looked up, {len(found)} bad", *found]
        if looked_up < max(of, 1):
            lines.append(f"NOT AUDITED: the database did not answer for {of - looked_up} of them")
        sys.stdout.write("\n  ".join(lines) + "\n")
        bad |= bool(found) or (strict and looked_up < max(of, 1))
    return int(bad)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
