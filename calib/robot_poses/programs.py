"""Poses in robots' own programs: KUKA KRL, Fanuc LS, ABB RAPID, Universal Robots' script."""

from __future__ import annotations

import re

from voxgate.calib.robot_poses.rows import Row, Said

NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
LIST = rf"\[\s*({NUMBER}(?:\s*,\s*{NUMBER})*)\s*\]"
ABB = re.compile(rf"\[\s*{LIST}\s*,\s*{LIST}")
UR = re.compile(rf"\bp\s*{LIST}")
KUKA = re.compile(r"\{([^{}]*)\}")
FANUC = re.compile(r"\bP\[[^\]]*\]\s*\{([^{}]*)\}")
AXES = re.compile(
    rf"(?<![A-Za-z0-9_])([A-Za-z])\s*[=:]?\s+?({NUMBER})|(?<!\w)([A-Za-z])\s*[=:]\s*({NUMBER})"
)


def program_rows(text: str) -> list[Row]:
    """Every pose of a program, in its order; empty when the text is none.

    Raises ValueError for positions that are joint angles.
    """
    for found in (_fanuc(text), _kuka(text), _abb(text), _ur(text)):
        if found:
            return found
    return []


def _fanuc(text: str) -> list[Row]:
    said = Said("wpr", degrees=True, unit="mm")
    blocks = FANUC.findall(text)
    rows = [_row(block, "XYZWPR", said) for block in blocks]
    if blocks and None in rows:
        raise ValueError(
            f"position {rows.index(None) + 1} of the program has no X Y Z W P R: it is given by "
            "joints; show it as Cartesian on the pendant and save again"
        )
    return [row for row in rows if row is not None]


def _kuka(text: str) -> list[Row]:
    said = Said("zyx", degrees=True, unit="mm")
    rows = [_row(block, "XYZABC", said) for block in KUKA.findall(text)]
    return [row for row in rows if row is not None]


def _abb(text: str) -> list[Row]:
    found = [_numbers(first) + _numbers(second) for first, second in ABB.findall(text)]
    if "robtarget" not in text.lower() or not all(len(numbers) == 7 for numbers in found):
        return []
    return [Row(numbers, None, Said("quat-wxyz", unit="mm")) for numbers in found]


def _ur(text: str) -> list[Row]:
    found = [_numbers(inside) for inside in UR.findall(text)]
    said = Said("rotvec", degrees=False, unit="m")
    return [Row(numbers, None, said) for numbers in found if len(numbers) == 6]


def _row(block: str, axes: str, said: Said) -> Row | None:
    """The six axes' values by their letters; None where one is missing."""
    values: dict[str, float] = {}
    for spaced, number, signed, other in AXES.findall(block):
        values.setdefault((spaced or signed).upper(), float(number or other))
    if not set(axes) <= set(values):
        return None
    return Row([values[axis] for axis in axes], None, said)


def _numbers(inside: str) -> list[float]:
    return [float(word) for word in inside.split(",")]
