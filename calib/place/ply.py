"""PLY files, text and binary, as scanners and CAD programs write them.

Faces may have any number of corners; elements that are neither points nor faces (a range grid,
edges, a camera) are stepped over; bytes behind the last element do not matter.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from voxgate.calib.numerics.least_squares import Array
from voxgate.calib.place.points import Cloud, Triangles, fan, from_columns, number, strip

TYPES = {
    "char": "i1", "int8": "i1", "uchar": "u1", "uint8": "u1", "short": "i2", "int16": "i2",
    "ushort": "u2", "uint16": "u2", "int": "i4", "int32": "i4", "uint": "u4", "uint32": "u4",
    "float": "f4", "float32": "f4", "double": "f8", "float64": "f8",
}  # fmt: skip
FORMATS = {"ascii": "", "binary_little_endian": "<", "binary_big_endian": ">"}
BYTE_MARK = b"\xef\xbb\xbf"
STRIPS = "tristrips"
FACES = ("face", "faces", STRIPS)
CORNERS = ("vertex_indices", "vertex_index")


@dataclass(frozen=True, slots=True)
class _Property:
    """length: type of a list's length, None for one value."""

    name: str
    of: str
    length: str | None = None


@dataclass(slots=True)
class _Element:
    name: str
    count: int
    properties: list[_Property] = field(default_factory=list)

    @property
    def lists(self) -> bool:
        """Whether its rows may differ in size."""
        return any(each.length for each in self.properties)


Columns = dict[str, Array]
Polygons = list[Triangles]


def ply_cloud(content: bytes) -> Cloud:
    """Points, grey and triangles. Raises ValueError."""
    content = content.removeprefix(BYTE_MARK)
    ends = re.search(rb"end_header[ \t]*(?:\r?\n|\r)", content[: 1 << 20])
    if content[:3].lower() != b"ply" or ends is None:
        raise ValueError("does not begin with ply and a header")
    header = content[: ends.end()].decode("latin-1").splitlines()
    form = next((line.split()[1] for line in header if re.match(r"format\s+\S", line)), None)
    if form not in FORMATS:
        raise ValueError(f"its header has no line `format {' | '.join(FORMATS)} 1.0`")
    elements = _elements(header)
    body = content[ends.end() :]
    if form == "ascii":
        words = body.decode("latin-1").split()
        return _assembled(elements, _Text(words))
    return _assembled(elements, _Binary(body, FORMATS[form]))


def _elements(header: list[str]) -> list[_Element]:
    found: list[_Element] = []
    for line in header:
        words = line.split()
        if words[:1] == ["element"] and len(words) == 3:
            count = int(words[2])
            if count < 0:
                raise ValueError(f"{words[1]} has {count} rows")
            found.append(_Element(words[1], count))
        elif words[:1] == ["property"] and found:
            found[-1].properties.append(_property(words))
    return found


def _property(words: list[str]) -> _Property:
    listed = words[1:2] == ["list"]
    if len(words) != (5 if listed else 3) or not set(words[1 + listed : -1]) <= set(TYPES):
        raise ValueError(f"cannot be read: {' '.join(words)}")
    of = TYPES[words[-2]]
    return _Property(words[-1], of, TYPES[words[2]] if listed else None)


class _Text:
    """Numbers one after the other, as words."""

    def __init__(self, words: list[str]) -> None:
        self._words, self._at = words, 0

    def table(self, element: _Element) -> Columns:
        """Rows of one size."""
        names = [each.name for each in element.properties]
        rows = self._numbers(len(names) * element.count)
        rows = rows.reshape(element.count, len(names))
        return {name: rows[:, column] for column, name in enumerate(names)}

    def value(self, of: str) -> float:
        """The next number."""
        return float(self._numbers(1)[0])

    def values(self, of: str, count: int) -> Array:
        """The next few."""
        return self._numbers(count)

    def _numbers(self, count: int) -> Array:
        words = self._take(count)
        try:
            return np.array(words, np.float64)
        except ValueError:
            return np.array([number(word) for word in words])

    def _take(self, count: int) -> list[str]:
        found = self._words[self._at : self._at + count]
        if count < 0 or len(found) < count:
            raise ValueError("ends before its last element")
        self._at += count
        return found


class _Binary:
    """Numbers one after the other, as bytes."""

    def __init__(self, body: bytes, order: str) -> None:
        self._body, self._order, self._at = body, order, 0

    def table(self, element: _Element) -> Columns:
        """Rows of one size."""
        kind = np.dtype([(each.name, self._order + each.of) for each in element.properties])
        rows = self._read(kind, element.count)
        return {each.name: rows[each.name].astype(np.float64) for each in element.properties}

    def value(self, of: str) -> float:
        """The next number."""
        return float(self._read(np.dtype(self._order + of), 1)[0])

    def values(self, of: str, count: int) -> Array:
        """The next few."""
        return np.asarray(self._read(np.dtype(self._order + of), count), np.float64)

    def uniform(self, element: _Element) -> Triangles | None:
        """All faces at once where each has as many corners as the first; None where not."""
        lists = [each for each in element.properties if each.length]
        if len(lists) != 1 or not element.count:
            return None
        start = self._at
        before = element.properties.index(lists[0])
        ahead = sum(np.dtype(each.of).itemsize for each in element.properties[:before])
        length = np.dtype(self._order + str(lists[0].length))
        corners = int(np.frombuffer(self._body, length, 1, self._at + ahead)[0])
        kind = np.dtype(
            [part for each in element.properties for part in self._parts(each, corners)]
        )
        if corners < 3 or start + kind.itemsize * element.count > len(self._body):
            return None
        rows = np.frombuffer(self._body, kind, element.count, start)
        if (rows[f"{lists[0].name}#"] != corners).any():
            return None
        self._at += kind.itemsize * element.count
        return fan(rows[lists[0].name].reshape(element.count, corners).astype(np.int64))

    def _parts(self, each: _Property, corners: int) -> list[tuple[str, str, tuple[int, ...]]]:
        if each.length is None:
            return [(each.name, self._order + each.of, ())]
        return [
            (f"{each.name}#", self._order + each.length, ()),
            (each.name, self._order + each.of, (corners,)),
        ]

    def _read(self, kind: np.dtype[np.generic], count: int) -> Any:
        if count < 0 or self._at + kind.itemsize * count > len(self._body):
            raise ValueError("ends before its last element")
        found = np.frombuffer(self._body, kind, count, self._at)
        self._at += kind.itemsize * count
        return found


def _assembled(elements: list[_Element], source: _Text | _Binary) -> Cloud:
    vertices: Columns = {}
    triangles: Triangles | None = None
    for element in elements:
        if not element.lists:
            columns = source.table(element)
            if element.name == "vertex":
                vertices = {name.lower(): values for name, values in columns.items()}
            continue
        found = _polygons(element, source)
        if element.name in FACES:
            triangles = found
    return from_columns(vertices, triangles)


def _polygons(element: _Element, source: _Text | _Binary) -> Triangles:
    if (
        element.name != STRIPS
        and isinstance(source, _Binary)
        and (uniform := source.uniform(element)) is not None
    ):
        return uniform
    found: Polygons = []
    for _ in range(element.count):
        for each in element.properties:
            if each.length is None:
                source.value(each.of)
                continue
            values = source.values(each.of, int(source.value(each.length)))
            if each.name in CORNERS and len(values) > 2:
                whole = values.astype(np.int64)
                found.append(strip(whole) if element.name == STRIPS else fan(whole[None]))
    return np.concatenate(found) if found else np.empty((0, 3), np.int64)
