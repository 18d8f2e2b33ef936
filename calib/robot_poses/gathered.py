"""Documents that gather poses by kind of number, not one by one: columns, stacks, numbered keys."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from voxgate.calib.robot_poses.header import read_header

NUMBERED = re.compile(r"^(.*?)[_ ]?(\d+)$")
BARE = re.compile(
    r"^(?:robot|tcp|flange|ee|end_?effector|gripper|hand|tool0?|base)_"
    r"|_(?:mm|m|cm)$|_[a-z0-9]+(?:2|_to_)[a-z0-9]+$|_?vec(?:tor)?s?$|_?mat(?:rix)?$"
)
POSITIONS = ("p", "position", "translation", "t", "xyz", "pos", "trans", "origin")
TURNS = ("r", "rotation", "rot", "euler", "rpy", "q", "quaternion", "orientation", "quat")
ROBOTS = re.compile(
    r"hand_world|robot|effector|gripper|flange|tcp|tool0|end_?eff|\bee\b|hand|base_(t|to|from)_",
    re.I,
)
OTHERS = re.compile(r"object|board|target|marker|camera|optic|track|sensor|tag|header|covar", re.I)


def bare(key: str) -> str:
    """`robot_t`, `t_gripper2base`, `tvec` and `translation_vector` by what they mean: `t` ..."""
    short = key if key == "T" else key.lower()  # a capital T is a matrix
    while (stripped := BARE.sub("", short)) != short and stripped:
        short = stripped
    return short


def of_others(key: str) -> bool:
    """Whether the key is of a board or a camera, and not of the robot."""
    return bool(re.search(r"cam|" + OTHERS.pattern, key, re.I)) and not ROBOTS.search(key)


def one_by_one(tree: Mapping[str, Any]) -> Mapping[str, Any] | list[Any]:
    """A list of objects, one a pose, where the document gathers them; else the document itself."""
    return _columns(tree) or _stacks(tree) or _numbered(tree) or tree


def _columns(tree: Mapping[str, Any]) -> list[Any]:
    """x, y, z ...: a list of numbers each, all of one length."""
    lists = {key: value for key, value in tree.items() if isinstance(value, list) and value}
    plain = {key: value for key, value in lists.items() if not isinstance(value[0], (list, dict))}
    if len({len(value) for value in plain.values()}) != 1 or read_header(list(plain)) is None:
        return []
    return [dict(zip(plain, row, strict=True)) for row in zip(*plain.values(), strict=True)]


def _stacks(tree: Mapping[str, Any]) -> list[Any]:
    """All rotations under one key, all positions under another."""
    lists = {key: value for key, value in tree.items() if isinstance(value, list) and value}
    own = {key: value for key, value in lists.items() if not of_others(key)}
    shifts = [value for key, value in own.items() if bare(key) in POSITIONS and _many(value, 3)]
    turns = [value for key, value in own.items() if bare(key) in TURNS and _many(value, 3, 4, 9)]
    if len(shifts) != 1 or len(turns) != 1 or len(shifts[0]) != len(turns[0]):
        return []
    return [{"t": t, "r": r} for t, r in zip(shifts[0], turns[0], strict=True)]


def _many(value: list[Any], *sizes: int) -> bool:
    """Whether it is a list of lists of so many numbers each, however nested."""
    try:
        array = np.array(value, np.float64)
    except (TypeError, ValueError):
        return False
    return array.ndim > 1 and array[0].size in sizes


def _numbered(tree: Mapping[str, Any]) -> list[Any]:
    """R_0, t_0, R_1, t_1 ...: by their numbers."""
    found = {key: NUMBERED.match(str(key)) for key in tree}
    groups: dict[int, dict[str, Any]] = {}
    for key, match in found.items():
        if match is not None and match[1]:
            groups.setdefault(int(match[2]), {})[match[1]] = tree[key]
    kinds = {tuple(sorted(group)) for group in groups.values()}
    if len(kinds) != 1 or len(next(iter(kinds))) < 2:
        return []
    return [groups[number] for number in sorted(groups)]
