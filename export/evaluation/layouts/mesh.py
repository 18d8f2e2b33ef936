"""A triangle mesh from a PLY file, text or little-endian binary."""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
import numpy.typing as npt

from voxgate.runtime.errors import ScanError

MAX_BYTES = 1 << 32
TYPES = {
    **{"char": "i1", "int8": "i1", "uchar": "u1", "uint8": "u1", "short": "<i2", "int16": "<i2"},
    **{"ushort": "<u2", "uint16": "<u2", "int": "<i4", "int32": "<i4", "uint": "<u4"},
    **{"uint32": "<u4", "float": "<f4", "float32": "<f4", "double": "<f8", "float64": "<f8"},
}
CORNERS = 3


@dataclass(frozen=True, slots=True, eq=False)
class Mesh:
    """points (n, 3) float64, mm; triangles (m, 3) int64, numbers of points."""

    points: npt.NDArray[np.float64]
    triangles: npt.NDArray[np.int64]

    def only(self, kept: npt.NDArray[np.bool_]) -> Mesh:
        """Without the points (n,) that are not kept, nor the triangles that touch them."""
        number = np.cumsum(kept) - 1
        whole = kept[self.triangles].all(axis=1)
        return Mesh(self.points[kept], number[self.triangles[whole]])


@dataclass(frozen=True, slots=True)
class _Element:
    """fields: as numpy names them; a list is three corners behind their number."""

    name: str
    count: int
    fields: list[tuple[str, str]]


def read_ply(path: Path) -> Mesh:
    """Raises ScanError: file and reason."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ValueError(f"larger than {MAX_BYTES} bytes")
        mesh = _mesh(path.read_bytes())
        if not len(mesh.triangles) or not 0 <= mesh.triangles.min() <= mesh.triangles.max() < len(
            mesh.points
        ):
            raise ValueError("needs triangles, of points that are there")
        if not np.isfinite(mesh.points).all():
            raise ValueError("a point is not finite")
    except OSError as error:
        raise ScanError(f"{path}: {error.strerror}") from error
    except (ValueError, IndexError, KeyError) as error:
        raise ScanError(
            f"{path}: not a mesh that we read ({error}): save it as PLY, triangles only, in mm"
        ) from error
    return mesh


def _mesh(content: bytes) -> Mesh:
    head, _, body = content.partition(b"end_header\n")
    lines = [line.split() for line in head.decode("latin-1").splitlines()]
    if lines[:1] != [["ply"]]:
        raise ValueError("its first line is not `ply`")
    form = next(words[1] for words in lines if words[:1] == ["format"])
    if form not in ("ascii", "binary_little_endian"):
        raise ValueError(f"format {form}")
    stream, found = BytesIO(body), {}
    for element in _elements(lines):
        found[element.name] = (_text if form == "ascii" else _binary)(stream, element)
    vertex, face = found["vertex"], found["face"]
    if (face["of"] != CORNERS).any():
        raise ValueError("a face has not three corners")
    points = np.stack([vertex[axis] for axis in "xyz"], axis=1).astype(np.float64)
    corners = np.stack([face[f"corner{n}"] for n in range(CORNERS)], axis=1)
    return Mesh(points, corners.astype(np.int64))


def _elements(lines: list[list[str]]) -> list[_Element]:
    found: list[_Element] = []
    for words in lines:
        if words[:1] == ["element"]:
            found.append(_Element(words[1], int(words[2]), []))
        elif words[:2] == ["property", "list"]:
            corner = TYPES[words[3]]
            corners = [(f"corner{n}", corner) for n in range(CORNERS)]
            found[-1].fields.extend([("of", TYPES[words[2]]), *corners])
        elif words[:1] == ["property"]:
            found[-1].fields.append((words[2], TYPES[words[1]]))
    return found


def _binary(stream: BytesIO, element: _Element) -> npt.NDArray[np.void]:
    kind = np.dtype(element.fields)
    content = stream.read(kind.itemsize * element.count)
    return np.frombuffer(content, kind, element.count)


def _text(stream: BytesIO, element: _Element) -> npt.NDArray[np.void]:
    rows = [tuple(stream.readline().split()) for _ in range(element.count)]
    return np.array(rows, np.dtype(element.fields))
