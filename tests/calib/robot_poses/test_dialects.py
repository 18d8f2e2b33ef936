"""Poses as further controllers, loggers and libraries write them: read rightly, or refused in words
that help."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.kits.robot_rows import (
    DATA,
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
    assert_readable,
    euler,
    lines,
    numbered,
)
from voxgate.calib.handeye.choice import choose
from voxgate.calib.numerics.least_squares import Array
from voxgate.calib.robot_poses.pose_file import matching, read_poses
from voxgate.runtime.errors import CalibrationError

ZYZ = np.column_stack([MM, euler("ZYZ")])
ROS = XYZW / METRES
TARGET = "[[{1:.3f},{2:.3f},{3:.3f}],[{4:.6f},{5:.6f},{6:.6f},{7:.6f}]"
REST = ",\n   [0,0,-1,0],[9E+09,9E+09,9E+09,9E+09,9E+09,9E+09]]"
SIX = "{1:.4f},{2:.4f},{3:.4f},{4:.4f},{5:.4f},{6:.4f}"
KRL = "{{X {1:.3f},Y {2:.3f},Z {3:.3f},A {4:.4f},B {5:.4f},C {6:.4f}}}\n"
RAPID_TOOL = (
    " PERS tooldata cam:=[TRUE,[[0,0,100],[1,0,0,0]],[1,[0,0,1],[1,0,0,0],0,0,0]];\n"
    ' PERS wobjdata w:=[FALSE,TRUE,"",[[0,0,0],[1,0,0,0]],[[0,0,0],[1,0,0,0]]];\n'
)
REGISTER = (
    "     [1,{0}] =   'look {0}'   Group: 1   Config: N U T, 0, 0, 0\n"
    "  X: {1:9.3f}   Y: {2:9.3f}   Z: {3:9.3f}\n  W: {4:9.4f}   P: {5:9.4f}   R: {6:9.4f}\n"
)
JOB = "/JOB\n//NAME LOOK\n//POS\n///NPOS 12,0,0,0,0,0\n///TOOL 0\n///POSTYPE ROBOT\n///RECTAN\n"
ECHOED = (
    "At time {0}.123\n- Translation: [{1:.6f}, {2:.6f}, {3:.6f}]\n"
    "- Rotation: in Quaternion [{4:.6f}, {5:.6f}, {6:.6f}, {7:.6f}]\n"
    "            in RPY (radian) [0.1, 0.2, 0.3]\n"
)
TOPIC = "%time,field.header.seq,field.header.frame_id," + ",".join(
    [f"field.pose.position.{axis}" for axis in "xyz"]
    + [f"field.pose.orientation.{axis}" for axis in "xyzw"]
)
ATTRIBUTES = '<R><I X="{1:.4f}" Y="{2:.4f}" Z="{3:.4f}" A="{4:.4f}" B="{5:.4f}" C="{6:.4f}"/></R>'
XYZ, RPY = ("x", "y", "z"), ("roll", "pitch", "yaw")
RTDE = "timestamp " + " ".join(f"actual_TCP_pose_{axis}" for axis in range(6)) + "\n"


def cells(first: str, rows: Array, separator: str = ",") -> str:
    return "".join(
        first.format(i) + separator + lines(row[None], separator) for i, row in enumerate(rows)
    )


def keyed(names: tuple[str, ...], row: Array) -> dict[str, float]:
    return dict(zip(names, row.tolist(), strict=True))


def elements(names: tuple[str, ...], row: Array) -> str:
    return "".join(f"<{name}>{value:.6f}</{name}>" for name, value in keyed(names, row).items())


def opencv(name: str, matrix: Array) -> str:
    data = ", ".join(f"{value:.9f}" for value in matrix.ravel())
    rows, columns = matrix.shape
    return (
        f"{name}: !!opencv-matrix\n   rows: {rows}\n   cols: {columns}\n   dt: d\n"
        f"   data: [ {data} ]\n"
    )


PENDANT = ("rx", "ry", "rz")
TEXTS: dict[str, Callable[[], str]] = {
    # robots' programs
    "rapid.mod": lambda: (
        RAPID_TOOL + numbered("  LOCAL CONST robtarget p{0}:=" + TARGET + REST + ";\n", WXYZ)
    ),
    "rapid_pose.mod": lambda: numbered("PERS pose p{0}:=" + TARGET + "];\n", WXYZ),
    "rapid_move.mod": lambda: numbered("  MoveL " + TARGET + REST + ",v100,fine,tool0;\n", WXYZ),
    "krl_tool.dat": lambda: (
        "TOOL_DATA[1]={X 0.0,Y 0.0,Z 120.0,A 0.0,B 0.0,C 0.0}\n"
        + numbered("DECL E6POS XP{0}=" + KRL, KUKA)
    ),
    "registers.va": lambda: "[*POSREG*]$POSREG  Storage: SHADOW\n" + numbered(REGISTER, WPR),
    "job.jbi": lambda: JOB + numbered("C{0:05d}=" + SIX + "\n", WPR) + "//INST\nNOP\nEND\n",
    "as.pg": lambda: ".TRANS\n" + cells("p{0}", ZYZ, " ") + ".END\n",
    "melfa.txt": lambda: numbered("P{0}=(" + SIX + ")(7,0)\n", WPR),
    "spel.pts": lambda: numbered("P{0} = XY(" + SIX + ") /0\n", WPR),
    "doosan.txt": lambda: numbered("posx(" + SIX + ")\n", ZYZ),
    # tables
    "turn_first.txt": lambda: lines(np.column_stack([WXYZ[:, 3:], MM]), " "),
    "topic.csv": lambda: (
        TOPIC
        + "\n"
        + "".join(
            f"{1600000000 + i},{i},base_link," + lines(row[None]) for i, row in enumerate(ROS)
        )
    ),
    "rtde.csv": lambda: RTDE + lines(np.column_stack([np.arange(12) * 0.008, UR]), " "),
    "quoted.csv": lambda: (
        '"Bild";"X";"Y";"Z";"A";"B";"C"\n'
        + "".join(
            f'"img{i}.png";' + ";".join(f'"{value:.4f}"' for value in row).replace(".", ",") + "\n"
            for i, row in enumerate(KUKA)
        )
    ),
    "percent.txt": lambda: "% x y z w p r\n" + lines(WPR, " "),
    "clock.csv": lambda: "time;X;Y;Z;A;B;C\n" + cells("12:03:{0:02d}", KUKA, ";"),
    "date.csv": lambda: cells("2024-05-01 12:03:{0:02d}", KUKA),
    "simulator.csv": lambda: "Name,X,Y,Z,Rot Z,Rot Y',Rot X''\n" + cells("Target {0}", KUKA),
    "name_of_words.csv": lambda: "name,x,y,z,a,b,c\n" + cells("img {0}.png", KUKA),
    "long_names.csv": lambda: (
        "tcp.position.x,tcp.position.y,tcp.position.z,"
        "tcp.rotation.x,tcp.rotation.y,tcp.rotation.z,tcp.rotation.w\n" + lines(ROS)
    ),
    "matlab.m": lambda: "T = [ " + ";\n".join(lines(row[None], " ").strip() for row in WPR) + " ];",
    "code.txt": lambda: "".join(f"T = np.array({pose.tolist()})\n" for pose in POSES),
    "code_of_blocks.txt": lambda: "".join(f"{pose!r}\n" for pose in POSES),
    "three_by_four.txt": lambda: "\n".join(lines(pose[:3], " ") for pose in POSES),
    "printed.txt": lambda: "\n".join(str(pose) for pose in POSES),
    "blocks_with_names.txt": lambda: "".join(
        f"img{i}.png\n" + lines(pose, " ") for i, pose in enumerate(POSES)
    ),
    "tf_echo.txt": lambda: numbered(ECHOED, ROS),
    # documents
    "log.xml": lambda: "<log>" + numbered(ATTRIBUTES, KUKA) + "</log>",
    "elements.xml": lambda: (
        "<poses>"
        + "".join(
            f'<pose name="img{i}.png">{elements(("x", "y", "z", *PENDANT), row)}</pose>'
            for i, row in enumerate(np.column_stack([MM, ROTVEC]))
        )
        + "</poses>"
    ),
    "prefixed.json": lambda: json.dumps(
        {
            str(i): {
                "cam_K": [1, 0, 0] * 3,
                "robot_R": p[:3, :3].tolist(),
                "robot_t": p[:3, 3].tolist(),
            }
            for i, p in enumerate(POSES)
        }
    ),
    "long_keys.json": lambda: json.dumps(
        [
            {"rotation_matrix": p[:3, :3].tolist(), "translation_vector": p[:3, 3].tolist()}
            for p in POSES
        ]
    ),
    "roll.json": lambda: json.dumps(
        [{"position": keyed(XYZ, row[:3]), "orientation": keyed(RPY, row[3:])} for row in WPR]
    ),
    "vector.json": lambda: json.dumps(
        [{"translation": keyed(XYZ, row[:3]), "rotation": keyed(PENDANT, row[3:])} for row in UR]
    ),
    "columns.json": lambda: json.dumps(
        {axis: KUKA[:, i].tolist() for i, axis in enumerate("xyzabc")}
    ),
    "stacks.json": lambda: json.dumps(
        {
            "R_gripper2base": TURNS.tolist(),
            "t_gripper2base": MM.tolist(),
            "R_target2cam": TURNS[::-1].tolist(),
            "t_target2cam": MM[::-1].tolist(),
        }
    ),
    "numbered.yml": lambda: (
        "%YAML:1.0\n---\n"
        + "".join(
            opencv(f"R_{i}", pose[:3, :3]) + opencv(f"t_{i}", pose[:3, 3:])
            for i, pose in enumerate(POSES)
        )
    ),
}


@pytest.mark.parametrize("name", list(TEXTS))
def test_poses_are_read_as_others_write_them(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_text(TEXTS[name](), encoding="utf-8")
    assert_readable(path)


HALCON = """# 3D POSE PARAMETERS: rotation and translation

# Used representation type:
f 0

# Rotation angles [deg] or Rodriguez vector:
r {3:.6f} {4:.6f} {5:.6f}

# Translation vector (x y z [m]):
t {0:.9f} {1:.9f} {2:.9f}
"""


def test_a_folder_holds_a_pose_a_file_in_other_ways(tmp_path: Path) -> None:
    ways: dict[str, tuple[str, Callable[[int], str]]] = {
        "halcon": (".dat", lambda i: HALCON.format(*(MM[i] / 1000), *(euler("XYZ")[i] % 360))),
        "three": (".txt", lambda i: lines(POSES[i, :3], " ")),
        "zivid": (".yaml", lambda i: f"FloatMatrix:\n  Data:\n    {POSES[i].tolist()}\n"),
    }
    for way, (suffix, text) in ways.items():
        (tmp_path / way).mkdir()
        for number in range(12):
            (tmp_path / way / f"pos{number}{suffix}").write_text(text(number))
        assert_readable(tmp_path / way)


def test_rotation_vectors_beside_positions_are_read_from_archives(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", rvecs=ROTVEC[:, :, None], tvecs=MM[:, :, None])
    np.savez(tmp_path / "b.npz", **{f"arr_{i}": row for i, row in enumerate(UR)})
    for name in ("a.npz", "b.npz"):
        assert_readable(tmp_path / name)


def test_pictures_are_found_by_names_of_another_computers_folders(tmp_path: Path) -> None:
    (tmp_path / "poses.csv").write_text(
        "image,x,y,z,qw,qx,qy,qz\n" + cells("C:\\data\\img{0}.png", WXYZ[::-1])
    )
    assert matching(read_poses(tmp_path / "poses.csv"), ["img1.png", "img10.png"]) == [1, 10]


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.jbi", b"/JOB\n//POS\n///POSTYPE PULSE\n///PULSE\nC00000=1,2,3,4,5,6\n", "joints"),
        ("a.dat", b"DECL E6AXIS XP1={A1 0.0,A2 -90.0,A3 90.0,A4 0,A5 9,A6 0}\n", "joints"),
        ("a.mod", b"CONST jointtarget j1:=[[0,0,0,0,0,0],[9E9,9E9,9E9,9E9,9E9,9E9]];\n", "joints"),
        ("a.as", b".JOINTS\n#p1 1 2 3 4 5 6\n.END\n", "joints"),
        ("a.xlsx", b"PK\x03\x04" + bytes(40), "save it as CSV"),
        ("a.mat", b"MATLAB 5.0 MAT-file, Platform: GLNXA64" + bytes(99), "table"),
        ("a.bag", b"#ROSBAG V2.0\n" + bytes(range(256)) * 4, "table"),
        ("a.txt", b"{X 1, Y 2, Z 3}\n", "X Y Z A B C"),
    ],
)
def test_what_holds_no_poses_is_refused_with_what_to_do(
    name: str, content: bytes, words: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(CalibrationError, match=words) as caught:
        read_poses(tmp_path / name)
    assert "\n" not in str(caught.value)


@pytest.mark.nightly
@pytest.mark.slow
def test_rotation_before_position_is_named_where_no_form_fits() -> None:
    table = np.column_stack([ROTVEC, MM])
    with pytest.raises(CalibrationError, match="rotation stands before the position"):
        choose(table, (), True, DATA.seen, DATA.sightings.points_mm)
