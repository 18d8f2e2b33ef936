"""What the head of a table says: which column is what, and in which unit."""

from __future__ import annotations

import re
from dataclasses import dataclass

from voxgate.calib.robot_poses.rows import Row, Said

UNIT_WORDS = {"mm": "mm", "m": "m", "cm": "cm", "in": "inch", "inch": "inch"}
ANGLE_WORDS = {"deg": True, "degrees": True, "°": True, "rad": False, "radians": False}
NAME_WORDS = ("image", "file", "name", "picture", "filename", "img")
PARENT = re.compile(
    r"^(pose|transform|position|translation|orientation|rotation|pos|quat|rot|tcp|robot|flange|ee"
    r"|tool|field)[._ ]+"
)
TURN = re.compile(r"^(orientation|rotation|quat|quaternion|rot)[._ ]+([wxyz])'*$")
UNIT = re.compile(r"[\[(/]\s*([a-z°]+)\s*[\])]?$|_(mm|m|cm|in|inch|deg|rad)$")
POSITIONS = (("x", "y", "z"), ("tx", "ty", "tz"), ("px", "py", "pz"))
ROTATIONS: dict[tuple[str, ...], str | None] = {
    ("qw", "qx", "qy", "qz"): "quat-wxyz",
    ("q0", "q1", "q2", "q3"): "quat-wxyz",
    ("q1", "q2", "q3", "q4"): "quat-wxyz",
    ("rx", "ry", "rz"): None,  # a rotation vector, or three angles
    ("w", "p", "r"): "wpr",
    ("roll", "pitch", "yaw"): "wpr",
    ("a", "b", "c"): None,
    ("o", "a", "t"): "zyz",
    ("alpha", "beta", "gamma"): None,
}


@dataclass(frozen=True, slots=True)
class Header:
    """columns: names of the numbers, without those of the picture's name; order: where the pose's
    numbers stand among them; said: form and units. places and name_at: where the pose's numbers
    and the picture's name stand among all of the table's columns, `width` of them."""

    columns: tuple[str, ...]
    order: tuple[int, ...]
    said: Said
    places: tuple[int, ...]
    name_at: int | None
    width: int

    def row(self, numbers: list[float], name: str | None) -> Row:
        """The pose's numbers in their usual order. Raises ValueError."""
        if len(numbers) != len(self.columns):
            raise ValueError(
                f"the header names {len(self.columns)} columns, a row has {len(numbers)}"
            )
        return Row([numbers[column] for column in self.order], name, self.said)

    def row_of_cells(self, cells: list[str]) -> Row:
        """A row whose other columns may be words. Raises ValueError."""
        name = None if self.name_at is None else cells[self.name_at]
        return Row([float(cells[place]) for place in self.places], name, self.said)


def read_header(words: list[str]) -> Header | None:
    """What the words mean; None where they name no position and rotation."""
    plain = _angles_where_no_w([_plain(word) for word in words])
    columns = tuple(name for name, _ in plain if name not in NAME_WORDS)
    units = {name: unit for name, unit in plain}
    if len(set(columns)) != len(columns):
        return None
    position = next((names for names in POSITIONS if set(names) <= set(columns)), None)
    rotation = next((names for names in ROTATIONS if set(names) <= set(columns)), None)
    if position is None or rotation is None:
        return None
    every = [name for name, _ in plain]
    pose = (*position, *rotation)
    said = Said(
        ROTATIONS[rotation],
        ANGLE_WORDS.get(units[rotation[0]]),
        UNIT_WORDS.get(units[position[0]]),
    )
    return Header(
        columns,
        tuple(columns.index(name) for name in pose),
        said,
        tuple(every.index(name) for name in pose),
        next((at for at, name in enumerate(every) if name in NAME_WORDS), None),
        len(every),
    )


def _angles_where_no_w(plain: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """`rotation x` is of a quaternion only beside `rotation w`."""
    if any(name == "qw" for name, _ in plain):
        return plain
    names = {"qx": "rx", "qy": "ry", "qz": "rz"}
    return [(names.get(name, name), unit) for name, unit in plain]


def _plain(word: str) -> tuple[str, str]:
    """The bare name and its unit: `X [mm]`, `x_mm` and `pos.x` are all x."""
    text = word.strip().strip("\"'").strip().lower()
    found = UNIT.search(text)
    unit = (found[1] or found[2]) if found else ""
    if found:
        text = text[: found.start()].strip()
    while (turn := TURN.match(text)) is None and PARENT.match(text):
        text = PARENT.sub("", text)
    return f"q{turn[2]}" if turn else text.replace("_", "").replace(" ", ""), unit
