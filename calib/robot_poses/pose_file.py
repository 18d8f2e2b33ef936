"""Robot poses from files: tables (.csv, .txt), JSON, JSON lines, 4x4 blocks, a folder of them.

A row may begin or end with the name of its picture; a header is understood when it names the
quaternion's components. What the numbers mean is `pose_forms`'s business.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from voxgate.calib.numerics.least_squares import Array
from voxgate.runtime.errors import CalibrationError

MAX_BYTES = 16 << 20
MAX_ROWS = 10_000
SPLIT = re.compile(r"[\s,;\[\](){}]+")
POSE_SIZES = (6, 7, 12, 16)
QUATERNION_NAMES = ("qw", "qx", "qy", "qz")
POSITION_KEYS = ("p_mm", "p", "position", "translation", "t")
WXYZ_KEYS = ("q_wxyz", "q", "quaternion_wxyz")
XYZW_KEYS = ("q_xyzw", "quaternion", "orientation")
NAME_KEYS = ("image", "file", "name", "picture")
MATRIX_KEYS = ("matrix", "pose", "transform", "T_base_flange", "base_from_flange")


@dataclass(frozen=True, slots=True, eq=False)
class PoseTable:
    """Rows of numbers (n, 6 | 7 | 12 | 16); names of their pictures, when the file has them.

    form: what the file itself says of the rotation, for instance by its header.
    """

    numbers: Array
    names: tuple[str, ...] | None = None
    rotation: str | None = None


@dataclass(frozen=True, slots=True)
class _Row:
    numbers: list[float]
    name: str | None = None
    rotation: str | None = None


def read_poses(path: Path) -> PoseTable:
    """Every pose in a file, or in the files of a folder in the order of their names.

    Raises CalibrationError: file, line, and what a pose looks like.
    """
    try:
        if path.is_dir():
            files = sorted(file for file in path.iterdir() if file.is_file())
            rows = [_only(file) for file in files if file.suffix in (".txt", ".csv", ".json")]
        else:
            rows = _rows(path)
        return _table(rows)
    except FileNotFoundError as error:
        raise CalibrationError(f"{path}: no such file; robot poses stand in a table") from error
    except (OSError, ValueError) as error:
        raise CalibrationError(f"{path}: {error}") from error


def _only(file: Path) -> _Row:
    rows = _rows(file)
    if len(rows) != 1:
        raise ValueError(f"{file.name} has {len(rows)} poses, one file per picture has one")
    return _Row(rows[0].numbers, file.stem, rows[0].rotation)


def _rows(path: Path) -> list[_Row]:
    content = path.read_bytes()
    if len(content) > MAX_BYTES:
        raise ValueError(f"larger than {MAX_BYTES} bytes, so not a table of poses")
    text = content.decode("utf-8-sig")
    if text.lstrip()[:1] in ("{", "["):
        return _json_rows(text)
    return _text_rows(text)


def _table(rows: Sequence[_Row]) -> PoseTable:
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
    names = tuple(row.name for row in rows if row.name is not None)
    if names and len(names) != len(rows):
        raise ValueError("some rows name their picture and some do not")
    if len(set(names)) != len(names):
        raise ValueError("two rows name the same picture")
    return PoseTable(numbers, names or None, rows[0].rotation)


# --- text ----------------------------------------------------------------------------------------


def _text_rows(text: str) -> list[_Row]:
    header: list[str] | None = None
    rows: list[tuple[int, _Row]] = []
    for number, line in enumerate(text.splitlines(), start=1):
        words = [word for word in SPLIT.split(line.split("#")[0]) if word]
        if not words:
            continue
        values = [_number(word) for word in words]
        numeric = [value for value in values if value is not None]
        if len(numeric) < 3 and len(words) > 1:
            if rows:
                raise ValueError(f"line {number}: not a pose: {line.strip()[:60]}")
            header = [word.lower().strip("\"'") for word in words]
            continue
        rows.append((number, _text_row(number, words, values)))
    return _assembled(rows, header)


def _text_row(number: int, words: list[str], values: list[float | None]) -> _Row:
    wordy = [index for index, value in enumerate(values) if value is None]
    if len(wordy) > 1 or (wordy and wordy[0] not in (0, len(words) - 1)):
        raise ValueError(f"line {number}: {words[wordy[-1]]!r} is not a number")
    name = words[wordy[0]].strip("\"'") if wordy else None
    return _Row([value for value in values if value is not None], name)


def _assembled(rows: list[tuple[int, _Row]], header: list[str] | None) -> list[_Row]:
    found = [row for _, row in rows]
    if found and len(found[0].numbers) == 1 and found[0].name is None:
        found = found[1:]  # how many follow
    sizes = {len(row.numbers) for row in found}
    if sizes == {4} and len(found) % 4 == 0 and all(row.name is None for row in found):
        return _blocks(found, 4)
    named = header is not None and set(QUATERNION_NAMES) <= set(header)
    if named and header is not None:
        return [_by_header(row, header) for row in found]
    return [_without_index(row, found) for row in found]


def _blocks(rows: list[_Row], height: int) -> list[_Row]:
    return [
        _Row([value for row in rows[start : start + height] for value in row.numbers])
        for start in range(0, len(rows), height)
    ]


def _by_header(row: _Row, header: list[str]) -> _Row:
    columns = [word for word in header if word not in NAME_KEYS]
    if len(columns) != len(row.numbers):
        raise ValueError(f"the header names {len(columns)} columns, a row has {len(row.numbers)}")
    by_name = dict(zip(columns, row.numbers, strict=True))
    position = next(
        (
            names
            for names in (("x", "y", "z"), ("tx", "ty", "tz"), ("px", "py", "pz"))
            if set(names) <= set(by_name)
        ),
        None,
    )
    if position is None:
        raise ValueError(f"the header has no x, y, z: {' '.join(header)}")
    numbers = [by_name[name] for name in (*position, *QUATERNION_NAMES)]
    return _Row(numbers, row.name, "quat-wxyz")


def _without_index(row: _Row, rows: list[_Row]) -> _Row:
    """Without a leading counter or stamp that grows from row to row."""
    size = len(row.numbers)
    grows = all(after.numbers[0] > before.numbers[0] for before, after in pairwise(rows))
    index = size - 1 in POSE_SIZES and grows and len(rows) > 1
    if size == 7 and abs(np.linalg.norm(row.numbers[3:]) - 1) < 0.02:
        index = False
    return _Row(row.numbers[1:], row.name, row.rotation) if index else row


def _number(word: str) -> float | None:
    try:
        return float(word)
    except ValueError:
        return None


# --- JSON ----------------------------------------------------------------------------------------


def _json_rows(text: str) -> list[_Row]:
    try:
        data = json.loads(text)
    except json.JSONDecodeError:
        data = [json.loads(line) for line in text.splitlines() if line.strip()]
    if isinstance(data, dict):
        lists = [value for value in data.values() if isinstance(value, list)]
        data = data.get("poses", lists[0] if len(lists) == 1 else [data])
    if not isinstance(data, list):
        raise ValueError("expected a list of poses")
    if data and all(isinstance(value, (int, float)) for value in data):
        data = [data]
    return [_json_row(index, item) for index, item in enumerate(data, start=1)]


def _json_row(index: int, item: object) -> _Row:
    if isinstance(item, list):
        return _Row(_flat(index, item))
    if not isinstance(item, dict):
        raise ValueError(f"pose {index} is neither a list nor an object")
    name = next((str(item[key]) for key in NAME_KEYS if key in item), None)
    for key in MATRIX_KEYS:
        if key in item:
            return _Row(_flat(index, item[key]), name)
    position = next((item[key] for key in POSITION_KEYS if key in item), None)
    for keys, rotation in ((WXYZ_KEYS, "quat-wxyz"), (XYZW_KEYS, "quat-xyzw"), (("r",), None)):
        for key in keys:
            if key in item and position is not None:
                return _Row(_flat(index, [position, item[key]]), name, rotation)
    raise ValueError(
        f"pose {index}: expected {POSITION_KEYS[0]} and {WXYZ_KEYS[0]}, or matrix, got "
        + ", ".join(map(str, item))
    )


def _flat(index: int, value: object) -> list[float]:
    if isinstance(value, dict):
        keys = ("x", "y", "z", "w") if "w" in value else ("x", "y", "z")
        value = [value.get(key) for key in keys]
    if isinstance(value, list):
        return [number for each in value for number in _flat(index, each)]
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError(f"pose {index}: {value!r} is not a number")
    return [float(value)]


def matching(table: PoseTable, pictures: Sequence[str]) -> list[int]:
    """For every picture, by file name, the number of its row.

    Rows without names belong to the pictures in order; then there must be as many.
    Raises CalibrationError for a picture without a row.
    """
    if table.names is None:
        if len(table.numbers) != len(pictures):
            raise CalibrationError(
                f"{len(pictures)} pictures but {len(table.numbers)} poses, and the poses do not "
                "name their pictures: add a first column with the file names"
            )
        return list(range(len(pictures)))
    rows = {Path(name).stem: row for row, name in enumerate(table.names)}
    missing = [name for name in pictures if Path(name).stem not in rows]
    if missing:
        raise CalibrationError(f"no pose is named after {missing[0]} ({len(missing)} pictures)")
    return [rows[Path(name).stem] for name in pictures]
