"""Poses in documents: JSON, YAML and XML all give a tree of objects, lists, numbers and words."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from voxgate.calib.robot_poses.gathered import (
    OTHERS,
    POSITIONS,
    ROBOTS,
    TURNS,
    bare,
    of_others,
    one_by_one,
)
from voxgate.calib.robot_poses.header import read_header
from voxgate.calib.robot_poses.rows import POSE_SIZES, Row, Said
from voxgate.runtime.common.text import natural

WXYZ_KEYS = ("q_wxyz", "quaternion_wxyz")
XYZW_KEYS = ("q_xyzw", "quaternion_xyzw")
NAME_KEYS = ("image", "file", "name", "picture", "filename", "image_file", "file_name")
MATRIX_KEYS = ("matrix", "pose", "transform", "T_base_flange", "base_from_flange")
LISTS = ("poses", "samples", "transforms", "robot_poses", "data", "frames", "measurements")
AXES: dict[tuple[str, ...], str | None] = {
    ("x", "y", "z", "w"): "quat-xyzw",
    ("qx", "qy", "qz", "qw"): "quat-xyzw",
    ("x", "y", "z"): None,
    ("rx", "ry", "rz"): None,
    ("roll", "pitch", "yaw"): "wpr",
    ("w", "p", "r"): "wpr",
    ("a", "b", "c"): None,
    ("alpha", "beta", "gamma"): None,
}
"""Numbers under keys of their own, and the rotation that they say."""
SUFFIX = re.compile(r"\.(png|jpe?g|bmp|tiff?|pgm|zdf|ply)$", re.I)
DEEPEST = 12


def tree_rows(tree: Any, depth: int = 0) -> list[Row]:
    """Every pose in a document. Raises ValueError: what it has instead of poses."""
    if depth > DEEPEST:
        raise ValueError("nested too deeply for poses")
    if isinstance(tree, Mapping):
        tree = one_by_one(tree)
    if isinstance(tree, Mapping):
        return _of_mapping(tree, depth)
    if not isinstance(tree, list):
        raise ValueError("expected a list of poses")
    if _is_pose_list(tree):
        return [Row(_flat(1, tree))]
    return [_row(index, item, depth) for index, item in enumerate(tree, start=1)]


def _of_mapping(tree: Mapping[str, Any], depth: int) -> list[Row]:
    found = _row_of(1, tree, depth)
    if found is not None:
        return [found]
    for key in LISTS:
        if isinstance(tree.get(key), (list, Mapping)):
            return tree_rows(tree[key], depth + 1)
    named = {
        str(key): row
        for key, value in tree.items()
        if not OTHERS.search(str(key)) and (row := _try_row(value, depth)) is not None
    }
    if named:
        return [
            Row(row.numbers, row.name or name, row.said)
            for name, row in sorted(named.items(), key=lambda item: natural(item[0]))
        ]
    deeper = [value for value in tree.values() if isinstance(value, (list, Mapping)) and value]
    if len(deeper) != 1:
        raise ValueError(_instead(1, tree))
    return tree_rows(deeper[0], depth + 1)


def _row(index: int, item: Any, depth: int) -> Row:
    if isinstance(item, list):
        return Row(_flat(index, item))
    if not isinstance(item, Mapping):
        raise ValueError(f"pose {index} is neither a list nor an object")
    found = _row_of(index, item, depth)
    if found is None:
        raise ValueError(_instead(index, item))
    return found


def _try_row(value: Any, depth: int) -> Row | None:
    try:
        row = _row(1, value, depth)
    except ValueError:
        return None
    return row if len(row.numbers) in POSE_SIZES else None


def _row_of(index: int, item: Mapping[str, Any], depth: int) -> Row | None:
    """The pose that an object is, or wraps; None where it is none."""
    if depth > DEEPEST:
        return None
    name = next((str(item[key]) for key in NAME_KEYS if isinstance(item.get(key), str)), None)
    inner = _matrix(index, item) or _pair(index, item) or _named_numbers(item)
    inner = inner or _wrapped(item, depth)
    return None if inner is None else Row(inner.numbers, name or inner.name, inner.said)


def _matrix(index: int, item: Mapping[str, Any]) -> Row | None:
    if {"rows", "cols", "data"} <= set(item):  # OpenCV's own way
        return Row(_flat(index, item["data"]))
    key = next((key for key in MATRIX_KEYS if _is_nested(item.get(key))), None)
    return None if key is None else Row(_flat(index, item[key]))


def _is_nested(value: Any) -> bool:
    """Whether it is a list of numbers, or of such lists."""
    return isinstance(value, list) and not any(isinstance(each, Mapping) for each in value)


def _pair(index: int, item: Mapping[str, Any]) -> Row | None:
    """A position under one key and a rotation under another."""
    position = _under(item, POSITIONS)
    if position is None:
        return None
    shift = _flat(index, position)
    for key, rotation in (
        *((key, "quat-wxyz") for key in WXYZ_KEYS),
        *((key, "quat-xyzw") for key in XYZW_KEYS),
    ):
        if key in item:
            return Row([*shift, *_flat(index, item[key])], None, Said(rotation))
    turn = _under(item, TURNS)
    if turn is None:
        return None
    numbers, axes = _flat(index, turn), _axes(turn)
    if len(numbers) == 9:  # a rotation matrix beside a position
        rows = [[*numbers[3 * r : 3 * r + 3], shift[r]] for r in range(3)]
        return Row([value for row in rows for value in row])
    return Row([*shift, *numbers], None, Said(AXES[axes] if axes else None))


def _under(item: Mapping[str, Any], keys: tuple[str, ...]) -> Any:
    """What stands under the first of the keys, however it is spelt; None where nothing does."""
    found = {
        bare(str(key)): value
        for key, value in item.items()
        if isinstance(value, (list, Mapping)) and not of_others(str(key))
    }
    return next((found[key] for key in keys if key in found), None)


def _named_numbers(item: Mapping[str, Any]) -> Row | None:
    """x, y, z and three angles or a quaternion, each under its own key."""
    numbers = {str(key): value for key, value in item.items() if _is_number(value)}
    header = read_header(list(numbers))
    if header is None:
        return None
    return header.row([float(numbers[key]) for key in numbers], None)


def _wrapped(item: Mapping[str, Any], depth: int) -> Row | None:
    """A pose one floor down: of several the robot's, by its key."""
    inner = {
        str(key): row
        for key, value in item.items()
        if isinstance(value, (list, Mapping)) and (row := _try_row(value, depth + 1)) is not None
    }
    own = [key for key in inner if not OTHERS.search(key)] or list(inner)
    robots = [key for key in own if ROBOTS.search(key)]
    chosen = robots if len(robots) == 1 else own
    if len(chosen) != 1 or SUFFIX.search(chosen[0]):
        return None
    return inner[chosen[0]]


def _is_pose_list(items: list[Any]) -> bool:
    """Whether the list itself is one pose: its numbers, or the rows of a matrix."""
    if all(_is_number(value) for value in items):
        return bool(items)
    rows = [value for value in items if isinstance(value, list)]
    return (
        bool(items)
        and len(rows) == len(items)
        and len(rows) in (3, 4)
        and all(len(row) == 4 and all(map(_is_number, row)) for row in rows)
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _flat(index: int, value: Any) -> list[float]:
    if isinstance(value, Mapping) and {"rows", "cols", "data"} <= set(value):
        return _flat(index, value["data"])
    if isinstance(value, Mapping):
        own = {str(key).lower(): each for key, each in value.items()}
        value = [own.get(axis) for axis in _axes(value) or ("x", "y", "z")]
    if isinstance(value, list):
        if not _is_nested(value):
            raise ValueError(f"pose {index}: expected numbers, got a list of objects")
        return [number for each in value for number in _flat(index, each)]
    if not _is_number(value):
        raise ValueError(f"pose {index}: {value!r} is not a number")
    return [float(value)]


def _axes(value: Any) -> tuple[str, ...] | None:
    """The names under which a mapping holds its numbers."""
    if not isinstance(value, Mapping):
        return None
    own = {str(key).lower() for key in value}
    return next((axes for axes in AXES if set(axes) <= own), None)


def _instead(index: int, item: Mapping[str, Any]) -> str:
    keys = ", ".join(map(str, list(item)[:8]))
    return f"pose {index}: expected p_mm and q_wxyz, or matrix, got {keys}"
