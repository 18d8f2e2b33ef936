"""Shorthand for the rows of features: one maker per kind of register."""

from __future__ import annotations

from collections.abc import Sequence

from voxgate.sim.gentl.features.feature import Entry, Feature, Kind


def words(names: Sequence[str], first: int = 0) -> tuple[Entry, ...]:
    return tuple(Entry(name, first + index) for index, name in enumerate(names))


def text(name: str, about: str, access: str = "RO", category: str = "DeviceControl") -> Feature:
    return Feature(name, Kind.TEXT, category, about, access)


def integer(name: str, category: str, about: str, access: str = "RO", **more: object) -> Feature:
    return Feature(name, Kind.INTEGER, category, about, access, **more)  # type: ignore[arg-type]


def floating(name: str, category: str, about: str, access: str = "RO", **more: object) -> Feature:
    return Feature(name, Kind.FLOAT, category, about, access, **more)  # type: ignore[arg-type]


def boolean(name: str, category: str, about: str, access: str = "RW", **more: object) -> Feature:
    return Feature(name, Kind.BOOLEAN, category, about, access, **more)  # type: ignore[arg-type]


def command(name: str, category: str, about: str, **more: object) -> Feature:
    return Feature(name, Kind.COMMAND, category, about, "WO", **more)  # type: ignore[arg-type]


def choice(
    name: str,
    category: str,
    about: str,
    entries: tuple[Entry, ...],
    access: str = "RW",
    **more: object,
) -> Feature:
    more.setdefault("default", entries[0].value)
    return Feature(name, Kind.ENUMERATION, category, about, access, entries=entries, **more)  # type: ignore[arg-type]
