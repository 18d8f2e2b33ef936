"""Poses in documents: JSON, YAML and XML all give a tree of objects, lists, numbers and words."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from voxgate.calib.robot_poses.header import read_header
from voxgate.calib.robot_poses.rows import POSE_SIZES, Row, Said
from voxgate.runtime.common.text import natural

POSITION_KEYS = ("p_mm", "p", "position", "translation", "t", "xyz", "pos", "tvec", "origin")
WXYZ_KEYS = ("q_wxyz", "quaternion_wxyz")
XYZW_KEYS = ("q_xyzw", "quaternion_xyzw")
QUATERNION_KEYS = ("q", "quaternion", "orientation", "quat")
TURN_KEYS = ("r", "rotation", "rvec", "rot", "rotvec", "R", "euler", "rpy", *QUATERNION_KEYS)
NAME_KEYS = ("image", "file", "name", "picture", "filename", "image_file", "file_name")
MATRIX_KEYS = ("matrix", "pose", "transform", "T_base_flange", "base_from_flange")
LISTS = ("poses", "samples", "transforms", "robot_poses", "data", "frames", "measurements")
ROBOTS = re.compile(
    r"hand_world|robot|effector|gripper|flange|tcp|tool0|end_?eff|\bee\b|hand|base_(t|to|from)_",
    re.I,
)
OTHERS = re.compile(r"object|board|target|marker|camera|optic|track|sensor|tag|header|covar", re.I)
SUFFIX = re.compile(r"\.(png|jpe?g|bmp|tiff?|pgm|zdf|ply)$", re.I)
DEEPEST = 12


def tree_rows(tree: Any, depth: int = 0) -> list[Row]:
    """Every pose in a document. Raises ValueError: what it has instead of poses."""
    if depth > DEEPEST:
        raise ValueError("nested too deeply for poses")
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
    key = next((key for key in MATRIX_KEYS if isinstance(item.get(key), list)), None)
    return None if key is None else Row(_flat(index, item[key]))


def _pair(index: int, item: Mapping[str, Any]) -> Row | None:
    position = next((item[key] for key in POSITION_KEYS if key in item), None)
    if position is None:
        return None
    for keys, rotation in ((WXYZ_KEYS, "quat-wxyz"), (XYZW_KEYS, "quat-xyzw"), (TURN_KEYS, None)):
        for key in keys:
            if key in item:
                turn = item[key]
                labelled = isinstance(turn, Mapping) and "w" in turn
                shift, numbers = _flat(index, position), _flat(index, turn)
                if len(numbers) == 9:  # a rotation matrix beside a position
                    rows = [[*numbers[3 * r : 3 * r + 3], shift[r]] for r in range(3)]
                    return Row([value for row in rows for value in row])
                return Row([*shift, *numbers], None, Said("quat-xyzw" if labelled else rotation))
    return None


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
    if isinstance(value, Mapping):
        if {"rows", "cols", "data"} <= set(value):
            return _flat(index, value["data"])
        keys = ("x", "y", "z", "w") if "w" in value else ("x", "y", "z")
        value = [value.get(key) for key in keys]
    if isinstance(value, list):
        return [number for each in value for number in _flat(index, each)]
    if not _is_number(value):
        raise ValueError(f"pose {index}: {value!r} is not a number")
    return [float(value)]


def _instead(index: int, item: Mapping[str, Any]) -> str:
    keys = ", ".join(map(str, list(item)[:8]))
    return f"pose {index}: expected p_mm and q_wxyz, or matrix, got {keys}"
