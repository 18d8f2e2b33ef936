"""Poses as programs print them line by line: ROS's tf_echo, HALCON's pose files."""

from __future__ import annotations

import re

from voxgate.calib.robot_poses.programs import LIST, NUMBER
from voxgate.calib.robot_poses.rows import Row, Said

TF = re.compile(
    rf"Translation:\s*{LIST}\s*-?\s*Rotation:\s*in\s+Quaternion\s*(?:\(xyzw\))?\s*{LIST}", re.I
)
THREE = rf"({NUMBER})\s+({NUMBER})\s+({NUMBER})\s*$"
HALCON_TURN = re.compile(rf"(?m)^r\s+{THREE}")
HALCON_SHIFT = re.compile(rf"(?m)^t\s+{THREE}")
HALCON_TYPE = re.compile(r"(?m)^f\s+(\d+)\s*$")
HALCON_TYPES = {"0": "xyz", "2": "zyx", "4": "rotvec"}


def printed_rows(text: str) -> list[Row]:
    """Every pose; empty where the text is no such printout."""
    return _tf(text) or _halcon(text)


def _tf(text: str) -> list[Row]:
    said = Said("quat-xyzw", unit="m")
    return [Row(_numbers(f"{p},{q}".split(",")), None, said) for p, q in TF.findall(text)]


def _halcon(text: str) -> list[Row]:
    turn, shift = HALCON_TURN.search(text), HALCON_SHIFT.search(text)
    if turn is None or shift is None:
        return []
    kind = HALCON_TYPE.search(text)
    rotation = HALCON_TYPES.get(kind[1]) if kind else None
    said = Said(rotation, degrees=rotation != "rotvec", unit="m")
    return [Row(_numbers([*shift.groups(), *turn.groups()]), None, said)]


def _numbers(words: list[str]) -> list[float]:
    return [float(word) for word in words]
