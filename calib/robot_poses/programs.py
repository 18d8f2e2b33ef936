"""Poses in robots' own programs: KUKA KRL, Fanuc LS and position registers, ABB RAPID, Universal
Robots' script, Yaskawa JBI, Kawasaki AS, and points that are set by a call of six numbers."""

from __future__ import annotations

import re

from voxgate.calib.robot_poses.rows import Row, Said

NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
NUMBERS = rf"{NUMBER}(?:\s*,\s*{NUMBER})*"
LIST = rf"\[\s*({NUMBERS})\s*\]"
ABB = re.compile(rf"\[\s*{LIST}\s*,\s*{LIST}")
ABB_POSES = re.compile(r"\brobtarget\b|\b(?:pers|const|var)\s+pose\b|\bmove[ljc]\w*\s*\[", re.I)
ABB_OTHERS = re.compile(r"\b(?:tooldata|wobjdata|loaddata|jointtarget)\b", re.I)
UR = re.compile(rf"\bp\s*{LIST}")
KUKA = re.compile(r"(?:([$\w]+)(?:\[\d*\])?\s*=\s*)?\{([^{}]*)\}")
KUKA_OTHERS = re.compile(r"(?:TOOL_DATA|BASE_DATA|LOAD_DATA|\$TOOL|\$BASE)$", re.I)
KUKA_AXES = re.compile(r"\bA1\b.*\bA6\b", re.I | re.S)
KUKA_FRAME = re.compile(rf"^\s*(?:\w+:)?\s*X\s+{NUMBER}", re.I)
FANUC = re.compile(r"\bP\[[^\]]*\]\s*\{([^{}]*)\}")
FANUC_REGISTER = re.compile(r"\[\d+,\d+\]\s*=")
AXES = re.compile(
    rf"(?<![A-Za-z0-9_])([A-Za-z])\s*[=:]?\s+?({NUMBER})|(?<!\w)([A-Za-z])\s*[=:]\s*({NUMBER})"
)
YASKAWA = re.compile(rf"(?m)^(?:[BE]?C|P)\d+\s*=\s*({NUMBERS})\s*$")
KAWASAKI = re.compile(r"(?msi)^\.TRANS\b[^\n]*\n(.*?)^\.END")
# P1=(..)(7,0), P1 = XY(..), posx(..)
CALL = re.compile(rf"(?m)^[ \t]*(?:(?:\w+[ \t]*=[ \t]*[A-Za-z]*|[A-Za-z]+)\(\s*({NUMBERS})\s*\))")


def program_rows(text: str) -> list[Row]:
    """Every pose of a program, in its order; empty when the text is none.

    Raises ValueError for positions that are joint angles.
    """
    for read in (_fanuc, _registers, _kuka, _abb, _yaskawa, _kawasaki, _ur, _calls):
        found = read(text)
        if found:
            return found
    return []


def _joints(which: str) -> ValueError:
    return ValueError(
        f"{which} by joints, and no file says how long the robot's arms are: show it as Cartesian "
        "on the pendant and save again"
    )


def _fanuc(text: str) -> list[Row]:
    blocks = FANUC.findall(text)
    rows = [_row(block, "XYZWPR", Said("wpr", degrees=True, unit="mm")) for block in blocks]
    if None in rows:
        raise _joints(
            f"position {rows.index(None) + 1} of the program has no X Y Z W P R: it is given"
        )
    return [row for row in rows if row is not None]


def _registers(text: str) -> list[Row]:
    """Those that are set; the others are `Uninitialized`."""
    if "POSREG" not in text:
        return []
    said = Said("wpr", degrees=True, unit="mm")
    found = [_row(block, "XYZWPR", said) for block in FANUC_REGISTER.split(text)[1:]]
    return [row for row in found if row is not None]


def _kuka(text: str) -> list[Row]:
    said = Said("zyx", degrees=True, unit="mm")
    blocks = [block for name, block in KUKA.findall(text) if not KUKA_OTHERS.match(name)]
    rows = [row for block in blocks if (row := _row(block, "XYZABC", said)) is not None]
    if not rows and any(KUKA_AXES.search(block) for block in blocks):
        raise _joints("its positions are given")
    if not rows and any(KUKA_FRAME.match(block) for block in blocks):
        raise ValueError("a position of KUKA's has X Y Z A B C, these have fewer")
    return rows


def _abb(text: str) -> list[Row]:
    if not ABB_POSES.search(text):
        if "jointtarget" in text.lower():
            raise _joints("its targets are given")
        return []
    found = [
        _numbers(first) + _numbers(second)
        for statement in text.split(";")
        if not ABB_OTHERS.search(statement)
        for first, second in ABB.findall(statement)
    ]
    return [Row(pose, None, Said("quat-wxyz", unit="mm")) for pose in found if len(pose) == 7]


def _yaskawa(text: str) -> list[Row]:
    if "///POSTYPE" not in text:
        return []
    said = Said("wpr", degrees=True, unit="mm")
    parts = [part.partition("///PULSE")[0] for part in text.split("///RECTAN")[1:]]
    rows = [_numbers(found) for part in parts for found in YASKAWA.findall(part)]
    if not rows:
        raise _joints("the job's positions are pulses: they are given")
    return [Row(numbers[:6], None, said) for numbers in rows if len(numbers) >= 6]


def _kawasaki(text: str) -> list[Row]:
    if re.search(r"(?mi)^\.JOINTS\b", text) and not KAWASAKI.search(text):
        raise _joints("its points are given")
    said = Said("zyz", degrees=True, unit="mm")
    rows = [line.split()[1:7] for part in KAWASAKI.findall(text) for line in part.splitlines()]
    return [Row([float(word) for word in row], None, said) for row in rows if len(row) == 6]


def _ur(text: str) -> list[Row]:
    found = [_numbers(inside) for inside in UR.findall(text)]
    said = Said("rotvec", degrees=False, unit="m")
    return [Row(numbers, None, said) for numbers in found if len(numbers) == 6]


def _calls(text: str) -> list[Row]:
    if re.search(r"\bposj\s*\(", text):
        raise _joints("its positions are given")
    found = [_numbers(inside) for inside in CALL.findall(text)]
    return [Row(numbers) for numbers in found if len(numbers) == 6]


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
