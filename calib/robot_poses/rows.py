"""One pose as its file has it: numbers, the picture's name, and what the file says of its form."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from voxgate.calib.numerics.least_squares import Array

MAX_ROWS = 10_000
POSE_SIZES = (6, 7, 12, 16)
UNIT_NORM = 0.02  # a quaternion's length is nearer to 1


@dataclass(frozen=True, slots=True)
class Said:
    """What a file says of its poses; None: nothing. A hint: the pictures have the last word."""

    rotation: str | None = None
    degrees: bool | None = None
    unit: str | None = None


NOTHING = Said()


@dataclass(frozen=True, slots=True)
class Row:
    """numbers: 6, 7, 12 or 16; name: of its picture."""

    numbers: list[float]
    name: str | None = None
    said: Said = NOTHING


@dataclass(frozen=True, slots=True, eq=False)
class PoseTable:
    """Rows of numbers (n, 6 | 7 | 12 | 16); names of their pictures, when the file has them.

    said: what the file itself says of the form. loose_names: they are keys or files' names, and
    need not be the pictures'.
    """

    numbers: Array
    names: tuple[str, ...] | None = None
    said: Said = NOTHING
    loose_names: bool = False

    @property
    def rotation(self) -> str | None:
        """What the file says of the rotation."""
        return self.said.rotation


def table(rows: Sequence[Row], loose_names: bool = False) -> PoseTable:
    """All rows of one file. Raises ValueError (one line)."""
    if not rows:
        raise ValueError("no pose in it")
    if len(rows) > MAX_ROWS:
        raise ValueError(f"more than {MAX_ROWS} rows")
    sizes = {len(row.numbers) for row in rows}
    if len(sizes) != 1 or not sizes <= set(POSE_SIZES):
        raise ValueError(
            f"rows have {sorted(sizes)} numbers; a pose has 6 (position, 3 angles), "
            "7 (position, quaternion), 12 or 16 (matrix by rows)"
        )
    numbers = np.array([row.numbers for row in rows], np.float64)
    if not np.isfinite(numbers).all():
        raise ValueError("a pose must be finite, got NaN or infinity")
    numbers = _position_first(numbers)
    names = tuple(row.name for row in rows if row.name is not None)
    if names and len(names) != len(rows):
        raise ValueError("some rows name their picture and some do not")
    if len(set(names)) != len(names):
        raise ValueError("two rows name the same picture")
    return PoseTable(numbers, names or None, rows[0].said, loose_names)


def are_quaternions(numbers: Array) -> bool:
    """Whether all of (n, 4) have about length 1."""
    return bool((np.abs(np.linalg.norm(numbers, axis=1) - 1) < UNIT_NORM).all())


def _position_first(numbers: Array) -> Array:
    """Rows that begin with a quaternion and do not end with one, the position first."""
    turn_first = numbers.shape[1] == 7 and are_quaternions(numbers[:, :4])
    if not turn_first or are_quaternions(numbers[:, 3:]):
        return numbers
    return np.roll(numbers, 3, axis=1)
