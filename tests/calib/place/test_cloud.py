"""A cloud or a mesh in any dialect is the same shape, and a damaged one is one line."""

from __future__ import annotations

import struct
import tempfile
from contextlib import suppress
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxgate.calib.place.cloud import read_cloud
from voxgate.calib.place.pcd import lzf
from voxgate.calib.place.points import Cloud
from voxgate.runtime.errors import CalibrationError

HEAD = "ply\nformat ascii 1.0\nelement vertex 4\nproperty float x\nproperty float y\n"
HEAD += "property float z\n"
SQUARE = "0 0 0\n1 0 0\n1 1 0\n0 1 0\n"
FACE = "element face {}\nproperty list uchar int vertex_indices\nend_header\n"
FIELDS = "VERSION 0.7\nFIELDS x y z rgb\nSIZE 4 4 4 4\nTYPE F F F F\nCOUNT 1 1 1 1\n"
FIELDS += "WIDTH 2\nHEIGHT 1\n"
POINTS = np.array([[0, 0, 1], [1, 0, 2]], np.float32)
COLOUR = struct.unpack("<f", struct.pack("<I", (10 << 16) | (20 << 8) | 30))[0]
GREY = 0.299 * 10 + 0.587 * 20 + 0.114 * 30


def read(folder: Path, name: str, content: bytes | str) -> Cloud:
    path = folder / name
    path.write_bytes(content.encode("latin-1") if isinstance(content, str) else content)
    return read_cloud(path)


def corners(mesh: Cloud) -> set[frozenset[tuple[float, ...]]]:
    assert mesh.triangles is not None
    return {frozenset(map(tuple, face)) for face in mesh.points[mesh.triangles].tolist()}


HALVES = {
    frozenset({(0, 0, 0), (1, 0, 0), (1, 1, 0)}),
    frozenset({(0, 0, 0), (1, 1, 0), (0, 1, 0)}),
}
SOLID = "SOLID x\nFACET NORMAL 0 0 1\nOUTER LOOP\nVERTEX 0 0 0\nVERTEX 1 0 0\nVERTEX 1 1 0\n"
SOLID += "ENDLOOP\nENDFACET\nFACET NORMAL 0 0 1\nOUTER LOOP\nVERTEX 0 0 0\nVERTEX 1 1 0\n"
SOLID += "VERTEX 0 1 0\nENDLOOP\nENDFACET\nENDSOLID\n"
BINARY_HEAD = HEAD.replace("ascii", "binary_little_endian") + FACE.format(2)
VERTICES = struct.pack("<12f", 0, 0, 0, 1, 0, 0, 1, 1, 0, 0, 1, 0)
BINARY_STL = b"solid made by a program".ljust(80) + struct.pack("<I", 2)
for face in (((0, 0, 0), (1, 0, 0), (1, 1, 0)), ((0, 0, 0), (1, 1, 0), (0, 1, 0))):
    BINARY_STL += struct.pack("<12fH", 0, 0, 1, *np.ravel(face).tolist(), 0)
MESHES: dict[str, bytes | str] = {
    "triangles.ply": HEAD + FACE.format(2) + SQUARE + "3 0 1 2\n3 0 2 3\n",
    "quad.ply": HEAD + FACE.format(1) + SQUARE + "4 0 1 2 3\n",
    "crlf.ply": (HEAD + "comment Größe\n" + FACE.format(1) + SQUARE + "4 0 1 2 3\n").replace(
        "\n", "\r\n"
    ),
    "trailing.ply": BINARY_HEAD.encode()
    + VERTICES
    + struct.pack("<B3iB3i", 3, 0, 1, 2, 3, 0, 2, 3)
    + b"more behind it",
    "quad_binary.ply": BINARY_HEAD.replace("face 2", "face 1").encode()
    + VERTICES
    + struct.pack("<B4i", 4, 0, 1, 2, 3),
    "mixed_binary.ply": BINARY_HEAD.replace("face 2", "face 3").encode()
    + VERTICES
    + struct.pack("<B3iB4iB2i", 3, 0, 1, 2, 4, 0, 1, 2, 3, 2, 0, 1),
    "upper.stl": SOLID,
    "binary.stl": BINARY_STL + b"\0\0\0",
    "byte_mark.ply": b"\xef\xbb\xbf" + (HEAD + FACE.format(1) + SQUARE + "4 0 1 2 3\n").encode(),
    "strip.ply": HEAD
    + FACE.format(1).replace("face", "tristrips").replace("uchar", "int")
    + SQUARE.replace("1 1 0\n0 1 0\n", "0 1 0\n1 1 0\n")
    + "4 1 3 0 2\n",
    "named_solid.stl": b"solid with a vertex".ljust(80) + BINARY_STL[80:],
    "quad.obj": "# o\nv 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\nvn 0 0 1\nf 1//1 2//1 3//1 4//1\n",
    "backwards.obj": "v 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\nf -4 -3 -2\nf -4/1 -2/2 -1/3\n",
}


@pytest.mark.parametrize("name", MESHES)
def test_mesh_is_the_same_in_every_dialect(name: str, tmp_path: Path) -> None:
    assert corners(read(tmp_path, name, MESHES[name])) == HALVES


def packed(columns: bytes) -> bytes:
    """Literal runs alone."""
    runs = b"".join(
        bytes([len(columns[i : i + 32]) - 1]) + columns[i : i + 32]
        for i in range(0, len(columns), 32)
    )
    return struct.pack("<II", len(runs), len(columns)) + runs


def columns() -> bytes:
    rgb = np.full(2, COLOUR, np.float32)
    return bytes(POINTS.T.copy().tobytes() + rgb.tobytes())


ROWS = "".join(f"{x} {y} {z} {COLOUR:.9g}\n" for x, y, z in POINTS.tolist())
INTERLEAVED = np.column_stack([POINTS, np.full(2, COLOUR, np.float32)]).astype("<f4").tobytes()
CLOUDS: dict[str, bytes | str] = {
    "ascii.pcd": FIELDS + "DATA ascii\n" + ROWS,
    "binary.pcd": (FIELDS + "POINTS 2\nDATA binary\n").encode() + INTERLEAVED,
    "compressed.pcd": (FIELDS + "DATA binary_compressed\n").encode() + packed(columns()),
    "xyzrgb.txt": "0 0 1 10 20 30\n1 0 2 10 20 30\n",
    "decimal_comma.txt": "0,0;0,0;1,0;10;20;30\n1,0;0,0;2,0;10;20;30\n",
    "with_normals.asc": "//X Y Z R G B Nx Ny Nz\n0 0 1 10 20 30 0 0 -1\n1 0 2 10 20 30 0 0 1\n",
    "colour_first.csv": "R,G,B,X,Y,Z\n10,20,30,0,0,1\n10,20,30,1,0,2\n",
    "capitals.ply": "PLY\n"
    + HEAD[4:].replace("vertex 4", "vertex 3")
    + "property uchar red\nproperty uchar green\nproperty uchar blue\nend_header\n"
    + "0 0 1 10 20 30\n-nan(ind) -nan(ind) -nan(ind) 0 0 0\n1 0 2 10 20 30\n",
    "counted.pts": "2\n0 0 1 10 20 30\n1 0 2 10 20 30\n",
    "zivid.ply": HEAD.replace("vertex 4", "vertex 3").replace("ascii 1.0", "ascii 1.0\nobj_info w")
    + "property uchar red\nproperty uchar green\nproperty uchar blue\nend_header\n"
    + "0 0 1 10 20 30\nnan nan nan 9 9 9\n1 0 2 10 20 30\n",
    "grid.ply": HEAD.replace("vertex 4", "vertex 2")
    + f"property float intensity\nelement range_grid 3\n{FACE.format(0).split(chr(10), 1)[1]}"
    + f"0 0 1 {GREY}\n1 0 2 {GREY}\n1 0\n0\n1 1\n",
}


@pytest.mark.parametrize("name", CLOUDS)
def test_cloud_is_the_same_in_every_dialect(name: str, tmp_path: Path) -> None:
    found = read(tmp_path, name, CLOUDS[name])
    assert found.points == pytest.approx(POINTS)
    assert found.grey == pytest.approx([GREY, GREY])


def test_organised_arrays_are_clouds_without_what_had_no_return(tmp_path: Path) -> None:
    organised = np.zeros((2, 3, 3), np.float32)
    organised[0, 1], organised[1, 2] = POINTS
    organised[1, 0] = np.nan
    np.save(tmp_path / "a.npy", organised)
    cv2.imwrite(str(tmp_path / "b.tiff"), organised[..., ::-1])
    np.save(tmp_path / "c.npy", np.moveaxis(np.tile(organised, (5, 5, 1)), 2, 0))
    named = np.array([tuple(point) for point in POINTS], [(axis, "f4") for axis in "xyz"])
    np.save(tmp_path / "d.npy", named)
    np.savez(tmp_path / "e.npz", xyz=organised, rgb=np.zeros((2, 3, 3), np.uint8))
    assert len(read_cloud(tmp_path / "c.npy").points) == 50
    for name in ("a.npy", "b.tiff", "d.npy", "e.npz"):
        assert read_cloud(tmp_path / name).points == pytest.approx(POINTS)


def test_copies_in_packed_data_may_run_into_themselves() -> None:
    """`ab`, then eleven bytes from two back; then three from the very start, far and short."""
    assert lzf(bytes([1]) + b"ab" + bytes([7 << 5, 2, 1]), 13) == b"ab" + b"ababababab" + b"a"
    assert lzf(bytes([2]) + b"xyz" + bytes([(1 << 5) | 0, 2]), 6) == b"xyzxyz"


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.ply", HEAD.replace("format ascii 1.0\n", "") + "end_header\n" + SQUARE, "no line"),
        ("b.ply", HEAD.replace("vertex 4", "vertex -1") + "end_header\n", "-1 rows"),
        ("c.ply", HEAD + FACE.format(1) + SQUARE + "3 0 1 9\n", "not there"),
        ("d.step", "ISO-10303-21;\n", "export it from the CAD program as STL"),
        ("e.stl", "ISO-10303-21;\n", "export it from the CAD program as STL"),
        ("f.pcd", FIELDS.replace("4 4 4 4", "3 4 4 4", 1) + "DATA binary\n", "not a point cloud"),
        ("g.pcd", FIELDS + "DATA binary\n", "ends before"),
        ("i.3mf", "PK", "export it as STL, PLY or OBJ"),
        ("j.e57", "ASTM-E57", "save it as PLY or PCD"),
        ("k.obj", "v 0 0 0\nv 1 0 0\nf 1 2\n", "no face of three corners"),
        ("l.pcd", FIELDS + "DATA ascii\n0 0 1 1\n", "ends before"),
        ("m.txt", "0,0;0,0;1,0;2;3\n", "x y z"),
        ("h.obj", "v 0 0 0\nf 1 2 3\n", "not there"),
    ],
)
def test_what_is_no_cloud_is_one_line(name: str, content: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(CalibrationError, match=words) as caught:
        read(tmp_path, name, content)
    assert "\n" not in str(caught.value)


DAMAGED = {**MESHES, **CLOUDS}


@given(st.sampled_from(sorted(DAMAGED)), st.integers(0, 400), st.integers(0, 255), st.booleans())
def test_damage_is_never_a_traceback(name: str, at: int, value: int, cut: bool) -> None:
    content = DAMAGED[name]
    whole = bytearray(content.encode("latin-1") if isinstance(content, str) else content)
    at %= len(whole)
    whole[at] = value
    with tempfile.TemporaryDirectory() as folder, suppress(CalibrationError):
        read(Path(folder), name, bytes(whole[:at] if cut else whole))
