"""Point clouds and meshes from files: PLY (text and binary), STL, tables of x y z [grey]."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from voxgate.calib.numerics.least_squares import Array
from voxgate.calib.robot_poses.text_table import SPLIT
from voxgate.runtime.errors import CalibrationError

MAX_BYTES = 1 << 30
PLY_TYPES = {
    "char": "i1", "int8": "i1", "uchar": "u1", "uint8": "u1", "short": "i2", "int16": "i2",
    "ushort": "u2", "uint16": "u2", "int": "i4", "int32": "i4", "uint": "u4", "uint32": "u4",
    "float": "f4", "float32": "f4", "double": "f8", "float64": "f8",
}  # fmt: skip
GREY_NAMES = ("intensity", "scalar_intensity", "grey", "gray", "green", "g", "red")


@dataclass(frozen=True, slots=True, eq=False)
class Cloud:
    """points (n, 3) in the file's unit; grey (n,) or None; triangles (m, 3) or None."""

    points: Array
    grey: Array | None = None
    triangles: npt.NDArray[np.int64] | None = None


def read_cloud(path: Path) -> Cloud:
    """Read a cloud or a mesh. Raises CalibrationError: file and reason."""
    try:
        content = path.read_bytes()
        if len(content) > MAX_BYTES:
            raise ValueError(f"larger than {MAX_BYTES} bytes")
        suffix = path.suffix.lower()
        if suffix == ".ply":
            found = _ply(content)
        elif suffix == ".stl":
            found = _stl(content)
        else:
            found = _table(content.decode("utf-8-sig"))
        if not np.isfinite(found.points).all() or not len(found.points):
            raise ValueError("needs finite points, at least one")
        return found
    except FileNotFoundError as error:
        raise CalibrationError(f"{path}: no such file") from error
    except (OSError, ValueError, KeyError, IndexError, struct.error) as error:
        raise CalibrationError(f"{path}: not a point cloud that we read ({error})") from error


def _table(text: str) -> Cloud:
    rows = []
    for line in text.splitlines():
        words = [word for word in SPLIT.split(line.split("#")[0]) if word]
        try:
            numbers = [float(word) for word in words]
        except ValueError:
            continue  # a header
        if numbers:
            rows.append(numbers)
    if not rows or {len(row) for row in rows} - {3, 4}:
        raise ValueError("rows must be x y z or x y z grey")
    table = np.array(rows, np.float64)
    return Cloud(table[:, :3], table[:, 3] if table.shape[1] == 4 else None)


def _stl(content: bytes) -> Cloud:
    count = struct.unpack("<I", content[80:84])[0] if len(content) >= 84 else 0
    if len(content) == 84 + 50 * count:
        kind = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("extra", "<u2")])
        corners = np.frombuffer(content, kind, count, 84)["corners"].reshape(-1, 3)
    else:
        lines = content.decode("ascii", "strict").splitlines()
        words = [line.split() for line in lines if line.strip().startswith("vertex")]
        corners = np.array([[float(value) for value in word[1:4]] for word in words])
    if not len(corners) or len(corners) % 3:
        raise ValueError("an STL has three corners per triangle")
    return Cloud(corners.astype(np.float64), None, np.arange(len(corners)).reshape(-1, 3))


# --- PLY -----------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Element:
    name: str
    count: int
    properties: list[tuple[str, str, str | None]]  # name, type, type of a list's length


def _ply(content: bytes) -> Cloud:
    end = content.index(b"end_header\n") + len(b"end_header\n")
    header = content[:end].decode("ascii").split("\n")
    if header[0].strip() != "ply":
        raise ValueError("does not begin with ply")
    form = next(line.split()[1] for line in header if line.startswith("format"))
    elements = _elements(header)
    if form == "ascii":
        return _ply_text(elements, content[end:].decode("ascii").split())
    return _ply_binary(elements, content[end:], "<" if form == "binary_little_endian" else ">")


def _elements(header: list[str]) -> list[_Element]:
    found: list[_Element] = []
    for line in header:
        words = line.split()
        if words[:1] == ["element"]:
            found.append(_Element(words[1], int(words[2]), []))
        elif words[:2] == ["property", "list"]:
            found[-1].properties.append((words[4], words[3], words[2]))
        elif words[:1] == ["property"]:
            found[-1].properties.append((words[2], words[1], None))
    return found


def _ply_binary(elements: list[_Element], body: bytes, order: str) -> Cloud:
    at = 0
    vertices: dict[str, Array] = {}
    triangles = None
    for element in elements:
        if any(length for _, _, length in element.properties):
            # every face of a triangle mesh has three corners: rows of one size
            kind = np.dtype(
                [
                    item
                    for name, of, length in element.properties
                    for item in (
                        [(f"{name}#", order + PLY_TYPES[length]), (name, order + PLY_TYPES[of], 3)]
                        if length
                        else [(name, order + PLY_TYPES[of])]
                    )
                ]
            )
            faces = np.frombuffer(body, kind, element.count, at)
            at += kind.itemsize * element.count
            name = next(name for name, _, length in element.properties if length)
            if element.count and (faces[f"{name}#"] != 3).any():
                raise ValueError("faces must be triangles")
            triangles = faces[name].astype(np.int64)
        else:
            kind = np.dtype([(n, order + PLY_TYPES[of]) for n, of, _ in element.properties])
            rows = np.frombuffer(body, kind, element.count, at)
            at += kind.itemsize * element.count
            if element.name == "vertex":
                vertices = {n: rows[n].astype(np.float64) for n in kind.names or ()}
    return _assembled(vertices, triangles)


def _ply_text(elements: list[_Element], words: list[str]) -> Cloud:
    at = 0
    vertices: dict[str, Array] = {}
    triangles = None
    for element in elements:
        width = sum(4 if length else 1 for _, _, length in element.properties)
        rows = np.array(words[at : at + width * element.count], np.float64)
        rows = rows.reshape(element.count, width)
        at += width * element.count
        if element.name == "vertex":
            names = [name for name, _, _ in element.properties]
            vertices = {name: rows[:, column] for column, name in enumerate(names)}
        elif element.name == "face":
            if (rows[:, 0] != 3).any():
                raise ValueError("faces must be triangles")
            triangles = rows[:, 1:4].astype(np.int64)
    return _assembled(vertices, triangles)


def _assembled(vertices: dict[str, Array], triangles: npt.NDArray[np.int64] | None) -> Cloud:
    points = np.stack([vertices[axis] for axis in "xyz"], axis=1)
    grey = next((vertices[name] for name in GREY_NAMES if name in vertices), None)
    if triangles is not None and len(triangles):
        if triangles.min() < 0 or triangles.max() >= len(points):
            raise ValueError("a face names a corner that is not there")
        return Cloud(points, grey, triangles)
    return Cloud(points, grey)
