"""Lengths that a cell can have, mm: one that it cannot have was written in another unit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

UNITS_MM = {"m": 1000.0, "cm": 10.0, "inches": 25.4, "µm": 0.001}
NEAR = 1.25  # a measured ratio of two lengths is a unit's if it is nearer than so many times


@dataclass(frozen=True, slots=True)
class Length:
    """What it is, and the least and largest that it can be, mm."""

    what: str
    value_mm: float
    least_mm: float
    most_mm: float

    def plausible(self, times: float = 1.0) -> bool:
        """Whether it can be, if what was read as mm is `times` mm."""
        return self.least_mm <= self.value_mm * times <= self.most_mm


def in_another_unit(lengths: Sequence[Length]) -> str | None:
    """What makes all of them plausible, in words; None where they are."""
    wrong = [length for length in lengths if not length.plausible()]
    if not wrong:
        return None
    words = ", ".join(f"{each.what} is {each.value_mm:.3g} mm" for each in wrong)
    units = [
        unit for unit, times in UNITS_MM.items() if all(each.plausible(times) for each in lengths)
    ]
    if not units:
        return f"{words}: no cell is like that; are all lengths in mm?"
    times = UNITS_MM[units[0]]
    return (
        f"{words}: no cell is like that, but all lengths are plausible if they are in "
        f"{' or '.join(units)} (times {times:g}): write them in mm; of poses, --unit says it"
    )


def unit_of_ratio(ratio: float) -> str | None:
    """The unit whose length in mm is so many mm; None where none is."""
    units = UNITS_MM | {"mm": 1.0}
    near = {unit: max(mm / ratio, ratio / mm) for unit, mm in units.items() if ratio > 0}
    unit = min(near, key=lambda each: near[each], default=None)
    return unit if unit is not None and near[unit] < NEAR else None
