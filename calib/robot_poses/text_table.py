"""Tables of numbers: separated by anything, with or without a head, an index, a stamp or names."""

from __future__ import annotations

import re
from itertools import pairwise, zip_longest

import numpy as np

from voxgate.calib.numerics.least_squares import Array
from voxgate.calib.robot_poses.header import Header, read_header
from voxgate.calib.robot_poses.rows import POSE_SIZES, Row, are_quaternions

SPLIT = re.compile(r"[\s,;\[\](){}]+")
SEPARATORS = ";,\t"
AROUND = " \t[](){}"
COMMA = re.compile(r"(?<=\d),(?=\d)")
COMMENT = re.compile(r"#|^\s*(?:%|//)")
ASSIGNED = re.compile(r"(?m)^[ \t]*(?:\w+\s*=\s*)?(?:[\w.]+\(\s*)?(?=\[)")
NESTED = re.compile(r"\[\s*\[")
INNERMOST = re.compile(r"\[[^\[\]]*\]")
CLOCK = re.compile(r"\d+[-/.:]\d+[-/.:]\d+")
QUATERNION_ENDS = 4
SIDE = 4  # numbers in a row of a matrix
LAST_ROW = (0.0, 0.0, 0.0, 1.0)

Numbers = tuple[list[float], str | None]
"""Of one line, and the name beside them."""


def text_rows(text: str) -> list[Row]:
    """Every pose of a table. Raises ValueError: line and what is wrong with it."""
    header: Header | None = None
    rows: list[Numbers] = []
    under_head: list[Row] = []
    for number, line in enumerate(_plain_text(text).splitlines(), start=1):
        plain, comment = _without_comment(line)
        words = _words(plain)
        if not words:
            header = header or _commented(comment)
        elif header is not None and (cells := _cells_under(header, plain)):
            under_head.append(_row_of_cells(number, header, cells))
        elif not _is_title(words):
            rows.append(_text_row(number, words))
        elif any(numbers for numbers, _ in rows):
            raise ValueError(f"line {number}: not a pose: {line.strip()[:60]}")
        else:
            header = read_header(_cells(plain))
    return _assembled(rows, header, under_head)


def with_points(text: str, least: int = min(POSE_SIZES)) -> str:
    """Decimal commas as points, where semicolons, tabs or blanks separate the numbers, `least` of
    them in a row."""
    lines = [line for line in text.splitlines() if COMMA.search(line)]
    if not lines or any(re.search(r"\d\.\d", line) for line in lines):
        return text
    separated = [len(re.split(r"[;\t]|\s+", line.strip())) for line in lines]
    if any(cells < least for cells in separated) or any(", " in line for line in lines):
        return text
    return COMMA.sub(".", text)


def _plain_text(text: str) -> str:
    """Without quotes and the names of variables, with decimal points."""
    if NESTED.search(text):  # a row that was too long for its line goes on in the next
        text = INNERMOST.sub(lambda found: found[0].replace("\n", " "), text)
    return with_points(ASSIGNED.sub("", text.replace('"', "")))


def _without_comment(line: str) -> tuple[str, str]:
    """What stands before a comment, and the comment."""
    found = COMMENT.search(line)
    return (line, "") if found is None else (line[: found.start()], line[found.end() :])


def _words(plain: str) -> list[str]:
    """Numbers and words of a line; words in one cell are one. Stamps of a clock are left out."""
    cells = [each for cell in _cells(plain) if (each := cell.strip(AROUND))]
    ends = [cell.split() for cell in cells]
    whole = all(len(words) == 1 or _number(words[-1]) is None for words in ends)
    words = cells if whole and len(cells) > 1 else SPLIT.split(plain)
    return [word for word in words if word and not _is_clock(word)]


def _is_clock(word: str) -> bool:
    return CLOCK.match(word) is not None and not re.search(r"[A-Za-z]{2}", word)


def _is_title(words: list[str]) -> bool:
    return len(words) > 1 and sum(_number(word) is not None for word in words) < 3


def _cells(line: str) -> list[str]:
    """Words of a head: `X [mm]` is one where commas or semicolons separate."""
    separator = next((mark for mark in SEPARATORS if mark in line), None)
    return [cell for cell in line.strip().split(separator) if cell.strip()]


def _cells_under(header: Header, line: str) -> list[str]:
    """Of a row with a cell for every column of the head; empty where there is none."""
    cells = [cell.strip() for cell in _cells(line)]
    return cells if len(cells) == header.width else []


def _row_of_cells(number: int, header: Header, cells: list[str]) -> Row:
    try:
        return header.row_of_cells(cells)
    except ValueError as error:
        raise ValueError(f"line {number}: {error}") from error


def _commented(comment: str) -> Header | None:
    """A head behind a hash is believed only where it names a whole quaternion."""
    found = read_header(_cells(comment)) if comment.strip() else None
    return found if found is not None and found.said.rotation == "quat-wxyz" else None


def _text_row(number: int, words: list[str]) -> Numbers:
    values = [_number(word) for word in words]
    wordy = [index for index, value in enumerate(values) if value is None]
    if len(wordy) > 1 or (wordy and wordy[0] not in (0, 1, len(words) - 1)):
        raise ValueError(f"line {number}: {words[wordy[-1]]!r} is not a number")
    name = words[wordy[0]].strip("\"'") if wordy else None
    numbers = [value for value in values if value is not None]
    # a name behind its number: the number counts the rows
    return (numbers[1:] if wordy == [1] else numbers), name


def _assembled(rows: list[Numbers], header: Header | None, under_head: list[Row]) -> list[Row]:
    if rows and len(rows[0][0]) == 1 and rows[0][1] is None:
        rows = rows[1:]  # how many follow
    if under_head and rows:
        raise ValueError("some rows have a number for each column of the head and some have not")
    if {len(numbers) for numbers, _ in rows if numbers} == {SIDE}:
        return _blocks(rows)
    if header is not None:
        return under_head or [header.row(numbers, name) for numbers, name in rows]
    while _counted([numbers for numbers, _ in rows]):
        rows = [(numbers[1:], name) for numbers, name in rows]
    return [Row(numbers, name) for numbers, name in rows]


def _blocks(rows: list[Numbers]) -> list[Row]:
    """Matrices of three or four rows, each with its picture's name above it, or none."""
    names = [name for numbers, name in rows if not numbers]
    matrix = np.array([numbers for numbers, _ in rows if numbers])
    height = SIDE if _is_whole(matrix) else SIDE - 1
    if len(matrix) % height or any(name for numbers, name in rows if numbers):
        raise ValueError("rows of 4 numbers are matrices where 3 or 4 of them follow each other")
    blocks = matrix.reshape(-1, height * SIDE).tolist()
    if names and len(names) != len(blocks):
        raise ValueError(f"{len(names)} names but {len(blocks)} matrices")
    return [Row(block, name) for block, name in zip_longest(blocks, names)]


def _is_whole(matrix: Array) -> bool:
    """Whether every fourth row (of (n, 4)) ends a matrix, by rows or by columns."""
    ends = matrix[SIDE - 1 :: SIDE]
    by_rows = np.allclose(ends, LAST_ROW, atol=0.01)
    return len(matrix) % SIDE == 0 and (by_rows or bool((ends[:, -1] == 1).all()))


def _counted(rows: list[list[float]]) -> bool:
    """Whether the first column is a counter or a stamp: it grows, and no pose has so many."""
    sizes = {len(row) for row in rows}
    if len(rows) < 2 or len(sizes) != 1:
        return False
    size = sizes.pop()
    if not all(after[0] > before[0] for before, after in pairwise(rows)):
        return False
    if size == 7:
        table = np.array(rows)
        return not (are_quaternions(table[:, -QUATERNION_ENDS:]) or are_quaternions(table[:, :4]))
    return size not in POSE_SIZES and size - 1 in (*POSE_SIZES, 8)


def _number(word: str) -> float | None:
    try:
        return float(word)
    except ValueError:
        return None
