"""Tables of numbers: separated by anything, with or without a head, an index, a stamp or names."""

from __future__ import annotations

import re
from itertools import pairwise

import numpy as np

from voxgate.calib.robot_poses.header import Header, read_header
from voxgate.calib.robot_poses.rows import POSE_SIZES, Row

SPLIT = re.compile(r"[\s,;\[\](){}]+")
COMMA = re.compile(r"(?<=\d),(?=\d)")
UNIT_NORM = 0.02  # a quaternion's length is nearer to 1
QUATERNION_ENDS = 4


def text_rows(text: str) -> list[Row]:
    """Every pose of a table. Raises ValueError: line and what is wrong with it."""
    header: Header | None = None
    rows: list[tuple[list[float], str | None]] = []
    for number, line in enumerate(with_points(text).splitlines(), start=1):
        plain, _, comment = line.partition("#")
        words = [word for word in SPLIT.split(plain) if word]
        if not words:
            header = header or _commented(comment)
            continue
        values = [_number(word) for word in words]
        if sum(value is not None for value in values) < 3 and len(words) > 1:
            if rows:
                raise ValueError(f"line {number}: not a pose: {line.strip()[:60]}")
            header = read_header(_cells(plain))
            continue
        rows.append(_text_row(number, words, values))
    return _assembled(rows, header)


def with_points(text: str) -> str:
    """Decimal commas as points, where semicolons, tabs or blanks separate the numbers."""
    lines = [line for line in text.splitlines() if COMMA.search(line)]
    if not lines or any(re.search(r"\d\.\d", line) for line in lines):
        return text
    separated = [len(re.split(r"[;\t]|\s+", line.strip())) for line in lines]
    if any(cells < min(POSE_SIZES) for cells in separated) or any(", " in line for line in lines):
        return text
    return COMMA.sub(".", text)


def _cells(line: str) -> list[str]:
    """Words of a head: `X [mm]` is one where commas or semicolons separate."""
    separator = next((mark for mark in ";,\t" if mark in line), None)
    return [cell for cell in line.strip().split(separator) if cell.strip()]


def _commented(comment: str) -> Header | None:
    """A head behind a hash is believed only where it names a whole quaternion."""
    found = read_header(_cells(comment)) if comment.strip() else None
    return found if found is not None and found.said.rotation == "quat-wxyz" else None


def _text_row(
    number: int, words: list[str], values: list[float | None]
) -> tuple[list[float], str | None]:
    wordy = [index for index, value in enumerate(values) if value is None]
    if len(wordy) > 1 or (wordy and wordy[0] not in (0, 1, len(words) - 1)):
        raise ValueError(f"line {number}: {words[wordy[-1]]!r} is not a number")
    name = words[wordy[0]].strip("\"'") if wordy else None
    numbers = [value for value in values if value is not None]
    # a name behind its number: the number counts the rows
    return (numbers[1:] if wordy == [1] else numbers), name


def _assembled(rows: list[tuple[list[float], str | None]], header: Header | None) -> list[Row]:
    if rows and len(rows[0][0]) == 1 and rows[0][1] is None:
        rows = rows[1:]  # how many follow
    if {len(numbers) for numbers, _ in rows} == {4} and len(rows) % 4 == 0:
        if all(name is None for _, name in rows):
            return _blocks([numbers for numbers, _ in rows])
        return [Row(numbers, name) for numbers, name in rows]
    if header is not None:
        return [header.row(numbers, name) for numbers, name in rows]
    while _counted([numbers for numbers, _ in rows]):
        rows = [(numbers[1:], name) for numbers, name in rows]
    return [Row(numbers, name) for numbers, name in rows]


def _blocks(rows: list[list[float]]) -> list[Row]:
    return [
        Row([value for row in rows[start : start + 4] for value in row])
        for start in range(0, len(rows), 4)
    ]


def _counted(rows: list[list[float]]) -> bool:
    """Whether the first column is a counter or a stamp: it grows, and no pose has so many."""
    sizes = {len(row) for row in rows}
    if len(rows) < 2 or len(sizes) != 1:
        return False
    size = sizes.pop()
    if not all(after[0] > before[0] for before, after in pairwise(rows)):
        return False
    if size == 7:
        return not all(_is_unit(row[-QUATERNION_ENDS:]) for row in rows)
    return size not in POSE_SIZES and size - 1 in (*POSE_SIZES, 8)


def _is_unit(values: list[float]) -> bool:
    return bool(abs(np.linalg.norm(values) - 1) < UNIT_NORM)


def _number(word: str) -> float | None:
    try:
        return float(word)
    except ValueError:
        return None
