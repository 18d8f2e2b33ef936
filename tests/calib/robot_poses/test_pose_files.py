"""The same twelve poses as controllers, drivers and libraries write them: none may be misread."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from tests.kits.calib_kit import shot
from tests.kits.robot_rows import (
    CM,
    KUKA,
    METRES,
    MM,
    POSES,
    ROTVEC,
    TURNS,
    UR,
    WPR,
    WXYZ,
    XYZW,
    assert_read,
    euler,
    lines,
    numbered,
    quaternions,
)
from voxgate.calib.handeye.choice import choose
from voxgate.calib.numerics.least_squares import Array
from voxgate.calib.robot_poses.pose_file import matching, read_poses
from voxgate.runtime.errors import CalibrationError

pytestmark = pytest.mark.slow


def opencv_yaml(name: str, pose: Array) -> str:
    data = ", ".join(f"{v:.9f}" for v in pose.ravel())
    head = f"%YAML:1.0\n---\n{name}: !!opencv-matrix\n"
    return f"{head}   rows: 4\n   cols: 4\n   dt: d\n   data: [ {data} ]\n"


def opencv_xml() -> str:
    poses = "".join(
        f'<pose_{i} type_id="opencv-matrix"><rows>4</rows><cols>4</cols><dt>d</dt><data>\n'
        f"{' '.join(f'{v:.9f}' for v in pose.ravel())}</data></pose_{i}>"
        for i, pose in enumerate(POSES)
    )
    return f'<?xml version="1.0"?>\n<opencv_storage>{poses}</opencv_storage>\n'


def ros(row: Array, position: str, rotation: str) -> dict[str, object]:
    x, y, z = (row[:3] / 1000).tolist()
    qx, qy, qz, qw = row[3:].tolist()
    return {position: {"x": x, "y": y, "z": z}, rotation: {"x": qx, "y": qy, "z": qz, "w": qw}}


def easy_handeye() -> str:
    out = "parameters:\n  eye_on_hand: true\nsamples:\n"
    for row in XYZW:
        shift = "{{x: {:.9f}, y: {:.9f}, z: {:.9f}}}".format(*tuple(row[:3] / 1000))
        turn = "{{x: {:.9f}, y: {:.9f}, z: {:.9f}, w: {:.9f}}}".format(*tuple(row[3:]))
        robot = f"- robot:\n    translation: {shift}\n    rotation: {turn}\n"
        out += robot + "  optical:\n    translation: {x: 0.1, y: 0.2, z: 0.5}\n"
        out += "    rotation: {x: 0, y: 0, z: 0, w: 1}\n"
    return out


FANUC = """P[{0}:"look"]{{
   GP1:
	UF : 0, UT : 1,	CONFIG : 'N U T, 0, 0, 0',
	X =   {1:.3f}  mm,	Y =   {2:.3f}  mm,	Z =  {3:.3f}  mm,
	W =   {4:.4f} deg,	P =   {5:.4f} deg,	R =  {6:.4f} deg
}};
"""
ABB = (
    "  CONST robtarget p{0}:=[[{1:.3f},{2:.3f},{3:.3f}],[{4:.6f},{5:.6f},{6:.6f},{7:.6f}],"
    "[0,0,-1,0],[9E9,9E9,9E9,9E9,9E9,9E9]];\n"
)
FRAME = "{{X {1:.3f}, Y {2:.3f}, Z {3:.3f}, A {4:.4f}, B {5:.4f}, C {6:.4f}}}\n"
KRL = "DECL E6POS XP{0}={{X {1:.3f},Y {2:.3f},Z {3:.3f},A {4:.4f},B {5:.4f},C {6:.4f},S 6,T 27}}\n"
SCRIPT = "pose{0} = p[{1:.6f}, {2:.6f}, {3:.6f}, {4:.6f}, {5:.6f}, {6:.6f}]\n"
ECHO = """position:
  x: {1:.9f}
  y: {2:.9f}
  z: {3:.9f}
orientation:
  x: {4:.9f}
  y: {5:.9f}
  z: {6:.9f}
  w: {7:.9f}
---
"""


def named(prefix: str, rows: Array) -> str:
    return "".join(f"{prefix.format(i)}," + lines(row[None]) for i, row in enumerate(rows))


def tum() -> str:
    stamps = 1.7e9 + np.arange(12)
    rows = np.column_stack([stamps, XYZW[:, :3] / 1000, XYZW[:, 3:]])
    return "# timestamp tx ty tz qx qy qz qw\n" + lines(rows, " ")


def moveit() -> str:
    def listed(matrix: Array) -> str:
        return "".join(f"    - {value}\n" for value in matrix.ravel().tolist())

    return "".join(
        f"- effector_wrt_world:\n{listed(pose)}  object_wrt_sensor:\n{listed(np.eye(4))}"
        for pose in POSES
    )


def tf() -> list[object]:
    head = {"seq": 1, "frame_id": "base"}
    return [
        {"header": head, "child_frame_id": "tool0", "transform": ros(r, "translation", "rotation")}
        for r in XYZW
    ]


def stamped() -> list[object]:
    head = {"stamp": {"secs": 1, "nsecs": 2}}
    return [{"header": head, "pose": ros(row, "position", "orientation")} for row in XYZW]


def opencv_one_file() -> str:
    bodies = [opencv_yaml(f"T{i}", pose).split("---\n")[1] for i, pose in enumerate(POSES)]
    return "%YAML:1.0\n---\n" + "".join(bodies)


TEXTS: dict[str, Callable[[], str]] = {
    "ur_script.txt": lambda: numbered(SCRIPT, UR),
    "kuka.dat": lambda: numbered(KRL, KUKA),
    "kuka.txt": lambda: numbered(FRAME, KUKA),
    "fanuc.ls": lambda: numbered(FANUC, WPR),
    "abb.mod": lambda: numbered(ABB, WXYZ),
    "tum.txt": tum,
    "angles_first.csv": lambda: "rx,ry,rz,x,y,z\n" + lines(np.column_stack([ROTVEC, MM])),
    "units.csv": lambda: "X [mm],Y [mm],Z [mm],A [deg],B [deg],C [deg]\n" + lines(KUKA),
    "x_mm.csv": lambda: "image,x_mm,y_mm,z_mm,qw,qx,qy,qz\n" + named("img_{}.png", WXYZ),
    "x_cm.csv": lambda: "x_cm,y_cm,z_cm,roll_deg,pitch_deg,yaw_deg\n" + lines(WPR * CM),
    "inches.csv": lambda: lines(np.column_stack([MM / 25.4, euler("xyz")])),
    "centimetres.csv": lambda: lines(np.column_stack([MM / 10, quaternions("xyzw")])),
    "decimal_comma.csv": lambda: "x;y;z;a;b;c\n" + lines(KUKA, ";").replace(".", ","),
    "decimal_comma.txt": lambda: lines(KUKA, "\t").replace(".", ","),
    "index_and_name.csv": lambda: named("{0},img{0}.png", UR),
    "index.csv": lambda: named("{}", UR),
    "columns.csv": lambda: lines(np.swapaxes(POSES, 1, 2).reshape(12, 16)),
    "columns12.csv": lambda: lines(np.swapaxes(POSES[:, :3], 1, 2).reshape(12, 12)),
    "turn_then_shift.csv": lambda: lines(np.column_stack([TURNS.reshape(12, 9), MM])),
    "by_name.json": lambda: json.dumps({f"img{i}.png": m.tolist() for i, m in enumerate(POSES)}),
    "key_wrong.json": lambda: json.dumps([{"t": r[:3], "q": r[3:]} for r in XYZW.tolist()]),
    "key_lies.json": lambda: json.dumps([{"p": r[:3], "q_wxyz": r[3:]} for r in XYZW.tolist()]),
    "ros.json": lambda: json.dumps([ros(row, "position", "orientation") for row in XYZW]),
    "tf.json": lambda: json.dumps({"transforms": tf()}),
    "stamped.json": lambda: json.dumps(stamped()),
    "echo.yaml": lambda: numbered(ECHO, XYZW / METRES),
    "easy_handeye.yaml": easy_handeye,
    "moveit.yaml": moveit,
    "opencv.yml": opencv_one_file,
    "opencv.xml": opencv_xml,
    "turn_and_shift.json": lambda: json.dumps(
        [{"R": pose[:3, :3].tolist(), "t": pose[:3, 3].tolist()} for pose in POSES]
    ),
}


@pytest.mark.parametrize("name", list(TEXTS))
def test_poses_are_read_as_they_are_written(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_text(TEXTS[name](), encoding="utf-8")
    assert_read(path)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-8-sig", "latin-1"])
def test_encoding_of_the_editor_does_not_matter(encoding: str, tmp_path: Path) -> None:
    path = tmp_path / "poses.csv"
    path.write_text("# angles in °\n" + lines(KUKA), encoding=encoding)
    assert_read(path)


def test_arrays_of_numpy_are_read(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", POSES)
    np.savez(tmp_path / "b.npz", POSES)
    np.savez(
        tmp_path / "c.npz",
        R_gripper2base=POSES[:, :3, :3],
        t_gripper2base=POSES[:, :3, 3:],
        R_target2cam=np.tile(np.eye(3), (12, 1, 1)),
        t_target2cam=np.zeros((12, 3, 1)),
    )
    np.save(tmp_path / "d.npy", np.moveaxis(POSES, 0, 2))
    for name in ("a.npy", "b.npz", "c.npz", "d.npy"):
        assert_read(tmp_path / name)


def test_folder_of_files_is_taken_as_a_person_counts(tmp_path: Path) -> None:
    for number, pose in enumerate(POSES, start=1):
        (tmp_path / f"pos{number}.yaml").write_text(opencv_yaml("PoseState", pose))
    (tmp_path / "._pos1.yaml").write_bytes(b"\0\5\26\7")
    assert_read(tmp_path)
    pictures = [f"img{number}.png" for number in range(1, 13)]
    assert matching(read_poses(tmp_path), pictures) == list(range(12))


def test_pictures_and_rows_meet_by_name_whatever_the_order(tmp_path: Path) -> None:
    (tmp_path / "poses.json").write_text(TEXTS["by_name.json"]())
    rows = matching(read_poses(tmp_path / "poses.json"), ["img10.jpg", "img2.jpg"])
    assert rows == [10, 2]


def test_row_whose_numbers_happen_to_have_length_one_keeps_its_index(tmp_path: Path) -> None:
    """z and a rotation vector of length one are no quaternion: all rows would have to be."""
    table = UR.copy()
    table[3, 2:] /= np.linalg.norm(table[3, 2:])
    path = tmp_path / "poses.txt"
    path.write_text("".join(f"{i} " + lines(row[None], " ") for i, row in enumerate(table)))
    assert read_poses(path).numbers == pytest.approx(table, abs=1e-5)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("P[1]{\n GP1:\n J1= 0.0 deg, J2= 1 deg\n};\n", "joints"),
        ("{X 1, Y 2, Z 3}\n", "X Y Z A B C"),
        ("<a><!ENTITY x 'y'></a>", "document type"),
        ("a: &x [1,2,3,4,5,6]\nb: *x\n", "aliases"),
        ("- x: 1\n- x: 2\n", "expected p_mm and q_wxyz"),
    ],
)
def test_file_that_is_no_pose_file_is_one_line(content: str, words: str, tmp_path: Path) -> None:
    path = tmp_path / "poses.dat"
    path.write_text(content)
    with pytest.raises(CalibrationError, match=words) as caught:
        read_poses(path)
    assert "\n" not in str(caught.value)


@pytest.mark.nightly
def test_rows_that_slipped_are_recognised_when_the_form_is_said_wrongly() -> None:
    data = shot(0)
    table = np.column_stack(
        [
            data.flanges[:, :3, 3],
            Rotation.from_matrix(data.flanges[:, :3, :3]).as_euler("ZYX", degrees=True),
        ]
    )
    with pytest.raises(CalibrationError, match="1 rows apart: read so, as zyx in degrees"):
        choose(np.roll(table, 1, axis=0), (), True, data.seen, data.sightings.points_mm)
