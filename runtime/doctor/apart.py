"""The doctor's round in a process of its own, which a damaged library may kill.

A library that a full disk cut off ends whoever loads it by a signal, past every `except`: the row
that was looked at says so, and the round goes on behind it.
"""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator

from voxgate.runtime.doctor.machine import Machine
from voxgate.runtime.doctor.rows import Check, Finding, Light, Row, examine, red

AGAIN = (
    "look for a full disk (df -h), then install it again: on a box install.sh, with the same "
    "--with; elsewhere pip install --force-reinstall"
)


def examine_apart(machine: Machine, checks: dict[str, Check]) -> list[Row]:
    """As `examine`, whatever becomes of who looks."""
    rows: list[Row] = []
    while len(rows) < len(checks):
        left = dict(list(checks.items())[len(rows) :])
        found, ended_by = _round(machine, left)
        rows += found
        if len(rows) < len(checks):
            killed = f"kills whoever looks at it ({ended_by}): a library of it is damaged"
            rows.append(Row(list(checks)[len(rows)], red(killed, AGAIN)))
    return rows


def _round(machine: Machine, checks: dict[str, Check]) -> tuple[list[Row], str]:
    """What a process told until it ended, and what ended it."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            _tell(machine, checks, writing)
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, encoding="utf-8") as told:
        rows = [_row(line) for line in told if line.endswith("\n")]
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return rows, signal.Signals(-code).name if code < 0 else f"exit {code}"


def _tell(machine: Machine, checks: dict[str, Check], writing: int) -> None:
    for row in _in_turn(machine, checks):
        said = [row.check, row.finding.light.value, row.finding.said, row.finding.do]
        os.write(writing, f"{json.dumps(said)}\n".encode())


def _in_turn(machine: Machine, checks: dict[str, Check]) -> Iterator[Row]:
    for name, check in checks.items():
        yield from examine(machine, {name: check})


def _row(line: str) -> Row:
    check, light, said, do = json.loads(line)
    return Row(check, Finding(Light(light), said, do))
