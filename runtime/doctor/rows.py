"""`voxgate doctor`: what this machine lacks for its cell, row by row, each with what to type.

A check looks at one thing through `Machine` and says one thing. More checks are more rows of
`CHECKS`; their order is the order of the table, what others build on first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum

from voxgate.runtime.doctor.machine import Machine


class Light(str, Enum):
    """How a row looks; only red ends with an exit code that is not 0."""

    GREEN = "green"
    YELLOW = "yellow"  # serves, but slower or less surely than it could
    RED = "red"
    OFF = "off"  # does not concern this machine


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found, and what to type; nothing to type where the light is green or off."""

    light: Light
    said: str
    do: str = ""

    def __post_init__(self) -> None:
        if (self.light in (Light.RED, Light.YELLOW)) != bool(self.do):
            raise ValueError(f"{self.light.value}: {self.said!r} needs something to do, or nothing")


Check = Callable[[Machine], Finding]


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table."""

    check: str
    finding: Finding


def examine(machine: Machine, checks: dict[str, Check]) -> list[Row]:
    """Every check, in order. One that fails by itself is a red row, not the end of the table."""
    return [Row(name, _looked(machine, name, check)) for name, check in checks.items()]


def _looked(machine: Machine, name: str, check: Check) -> Finding:
    try:
        return check(machine)
    except Exception as error:  # noqa: BLE001 - the doctor must finish its round
        return Finding(
            Light.RED,
            f"cannot be looked at: {type(error).__name__}: {error}",
            "report this line; the other rows hold",
        )


def healthy(rows: Sequence[Row]) -> bool:
    """Whether nothing is red."""
    return all(row.finding.light is not Light.RED for row in rows)


def green(said: str) -> Finding:
    """As it should be."""
    return Finding(Light.GREEN, said)


def off(said: str) -> Finding:
    """Not of this machine's business."""
    return Finding(Light.OFF, said)


def yellow(said: str, do: str) -> Finding:
    """Serves, but."""
    return Finding(Light.YELLOW, said, do)


def red(said: str, do: str) -> Finding:
    """The cell cannot be served like this."""
    return Finding(Light.RED, said, do)
