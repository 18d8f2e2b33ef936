"""One feature of a GenICam camera and its register."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

WORD_BYTES = 8
TEXT_BYTES = 64
CHOICES = 9  # registers per selected feature: the selector's value is the index
NOT_STORED = ("TLParamsLocked", "UserSetSelector", "UserSetDefault", "DeviceUserID", "PtpEnable")

Limit = float | int | str | None
"""A number, or the name of the feature that holds it."""


def by_choice(values: Mapping[int, int]) -> tuple[int, ...]:
    """Defaults of a selected feature: these, 0 elsewhere."""
    return tuple(values.get(index, 0) for index in range(CHOICES))


class Kind(str, Enum):
    """What a register holds; numbers are 8 bytes, little endian."""

    INTEGER = "Integer"
    FLOAT = "Float"
    BOOLEAN = "Boolean"
    ENUMERATION = "Enumeration"
    COMMAND = "Command"
    TEXT = "StringReg"


@dataclass(frozen=True, slots=True)
class Entry:
    """One word of an enumeration; `available` names the node that says whether it can be chosen."""

    name: str
    value: int
    available: str | None = None


@dataclass(frozen=True, slots=True)
class Feature:
    """One feature and its register.

    access: RO, RW or WO. locked: not writable while TLParamsLocked. stored: part of a user set.
    selector: the enumeration whose value chooses among CHOICES registers of this feature.
    """

    name: str
    kind: Kind
    category: str
    about: str
    access: str = "RW"
    low: Limit = None
    high: Limit = None
    step: int = 1
    unit: str = ""
    default: float | int | str = 0
    entries: tuple[Entry, ...] = ()
    selector: str | None = None
    available: str | None = None
    locked: bool = False
    address: int = 0
    values: tuple[int, ...] = field(default=())  # defaults of a selected feature, by index

    @property
    def stored(self) -> bool:
        """Whether a user set keeps it."""
        return self.access == "RW" and self.name not in NOT_STORED

    @property
    def count(self) -> int:
        """Registers of this feature."""
        return CHOICES if self.selector else 1

    @property
    def length(self) -> int:
        """Bytes of one register."""
        return TEXT_BYTES if self.kind is Kind.TEXT else WORD_BYTES
