"""Meshes of CAD programs: STL, text and binary, and OBJ."""

from __future__ import annotations

import struct

import numpy as np

from voxgate.calib.place.points import Cloud, fan

HEAD, ROW = 84, 50
RECORD = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("extra", "<u2")])


def stl_mesh(content: bytes) -> Cloud:
    """Three corners per triangle. Raises ValueError."""
    count = struct.unpack("<I", content[80:HEAD])[0] if len(content) >= HEAD else 0
    text = content[:HEAD].lstrip()[:5].lower() == b"solid" and b"vertex" in content[:4096].lower()
    size = HEAD + ROW * count
    if count and (len(content) == size or (not text and len(content) > size)):
        corners = np.frombuffer(content, RECORD, count, HEAD)["corners"].reshape(-1, 3)
    else:
        corners = _written(content)
    if not len(corners) or len(corners) % 3:
        raise ValueError("an STL has three corners per triangle")
    return Cloud(corners.astype(np.float64), None, np.arange(len(corners)).reshape(-1, 3))


def _written(content: bytes) -> np.typing.NDArray[np.float64]:
    lines = (line.split() for line in content.decode("latin-1").splitlines())
    rows = [words[1:4] for words in lines if words and words[0].lower() == "vertex"]
    if any(len(row) != 3 for row in rows):
        raise ValueError("a vertex of an STL has three numbers")
    return np.array(rows, np.float64)


def obj_mesh(content: bytes) -> Cloud:
    """Corners and faces; faces count corners from 1, or backwards from the last one so far.

    Raises ValueError.
    """
    points: list[list[float]] = []
    triangles = []
    for line in content.decode("latin-1").replace("\\\n", " ").splitlines():
        words = line.split()
        if words[:1] == ["v"]:
            if len(words) < 4:
                raise ValueError(f"a corner has three numbers: {line.strip()[:40]}")
            points.append([float(word) for word in words[1:4]])
        elif words[:1] == ["f"]:
            corners = [int(word.split("/")[0]) for word in words[1:]]
            numbers = [each - 1 if each > 0 else len(points) + each for each in corners]
            triangles.append(fan(np.array([numbers])))
    faces = np.concatenate(triangles) if triangles else None
    if faces is not None and not len(faces):
        raise ValueError("it has no face of three corners")
    if faces is not None and (faces.min() < 0 or faces.max() >= len(points)):
        raise ValueError("a face names a corner that is not there")
    return Cloud(np.array(points, np.float64).reshape(-1, 3), None, faces)
