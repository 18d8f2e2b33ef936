"""Robot poses in every form; a wrong guess is noticed, a mistyped file is one line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.kits.calib_kit import rows, shot
from voxgate.calib.handeye.choice import choose
from voxgate.calib.numerics.least_squares import Array
from voxgate.calib.numerics.twist import inverse, motion
from voxgate.calib.robot_poses.pose_file import matching, read_poses
from voxgate.calib.robot_poses.pose_forms import (
    ROBOTS,
    ROTATIONS,
    UNIT_MM,
    PoseForm,
    flanges,
    to_numbers,
)
from voxgate.runtime.errors import CalibrationError

pytestmark = pytest.mark.slow

numbers = st.floats(-1, 1, allow_nan=False)
poses = st.lists(numbers, min_size=6, max_size=6).map(
    lambda values: motion(np.array(values) * [1.7, 1.7, 1.7, 900, 900, 900])
)


@given(
    poses, st.sampled_from(ROTATIONS), st.booleans(), st.sampled_from(list(UNIT_MM)), st.booleans()
)
def test_pose_survives_every_form(
    pose: Array, rotation: str, degrees: bool, unit: str, inverted: bool
) -> None:
    form = PoseForm(rotation, degrees, unit, inverted)
    assert flanges(to_numbers(pose, form)[None], form)[0] == pytest.approx(pose, abs=1e-6)


def about(axis: str, deg: float) -> Array:
    c, s = np.cos(np.radians(deg)), np.sin(np.radians(deg))
    return {
        "x": np.array([[1, 0, 0], [0, c, -s], [0, s, c]]),
        "y": np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]]),
        "z": np.array([[c, -s, 0], [s, c, 0], [0, 0, 1.0]]),
    }[axis]


@pytest.mark.parametrize(
    ("robot", "angles", "rotation"),
    [
        ("kuka", (10, 20, 30), about("z", 10) @ about("y", 20) @ about("x", 30)),
        ("fanuc", (10, 20, 30), about("z", 30) @ about("y", 20) @ about("x", 10)),
        ("yaskawa", (10, 20, 30), about("z", 30) @ about("y", 20) @ about("x", 10)),
        ("staubli", (10, 20, 30), about("x", 10) @ about("y", 20) @ about("z", 30)),
        ("kawasaki", (10, 20, 30), about("z", 10) @ about("y", 20) @ about("z", 30)),
        ("ur", (0, 0, np.pi / 6), about("z", 30)),
        ("abb", (np.cos(np.pi / 12), 0, 0, np.sin(np.pi / 12)), about("z", 30)),
        ("ros", (0, 0, np.sin(np.pi / 12), np.cos(np.pi / 12)), about("z", 30)),
    ],
)
def test_makers_angles_are_the_rotations_their_manuals_say(
    robot: str, angles: tuple[float, ...], rotation: Array
) -> None:
    form = ROBOTS[robot]
    pose = flanges(np.array([[1.0, 2.0, 3.0, *angles]]), form)[0]
    assert pose[:3, :3] == pytest.approx(rotation, abs=1e-9)
    assert pose[:3, 3] == pytest.approx(np.array([1, 2, 3]) * (1000 if form.unit == "m" else 1))


TABLE = np.array([[100, 200, 300, 0.5, 0.5, -0.5, 0.5], [110, 190, 310, 0.5, -0.5, 0.5, 0.5]])
FILES = {
    "spaces.txt": "# x y z w x y z\n100 200 300 .5 .5 -.5 .5\n110 190 310 .5 -.5 .5 .5\n",
    "semicolons.csv": "100;200;300;.5;.5;-.5;.5\n110;190;310;.5;-.5;.5;.5\n",
    "names.csv": "image,x,y,z,qw,qx,qy,qz\na.png,100,200,300,.5,.5,-.5,.5\n"
    "b.png,110,190,310,.5,-.5,.5,.5\n",
    "ros_header.csv": "t,x,y,z,qx,qy,qz,qw\n1.5,100,200,300,.5,-.5,.5,.5\n"
    "1.9,110,190,310,-.5,.5,.5,.5\n",
    "stamped.txt": "0.1 100 200 300 .5 .5 -.5 .5\n0.2 110 190 310 .5 -.5 .5 .5\n",
    "counted.txt": "2\n100 200 300 .5 .5 -.5 .5\n110 190 310 .5 -.5 .5 .5\n",
    "list.json": json.dumps(TABLE.tolist()),
    "objects.json": json.dumps(
        {"poses": [{"p_mm": row[:3], "q_wxyz": row[3:]} for row in TABLE.tolist()]}
    ),
    "lines.jsonl": "\n".join(
        json.dumps({"t_robot": 1, "p": row[:3], "q": row[3:]}) for row in TABLE.tolist()
    ),
}


@pytest.mark.parametrize("name", FILES)
def test_every_file_form_gives_the_same_poses(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(FILES[name])
    table = read_poses(tmp_path / name)
    assert table.numbers == pytest.approx(TABLE)
    if name == "names.csv":
        assert table.names == ("a.png", "b.png")
        assert table.rotation == "quat-wxyz"


def test_matrices_come_as_blocks_nested_lists_or_a_folder(tmp_path: Path) -> None:
    pose = motion(np.array([0.1, 0.2, 0.3, 1, 2, 3]))
    block = "\n".join(" ".join(f"{value:.9f}" for value in row) for row in pose)
    (tmp_path / "blocks.txt").write_text(f"{block}\n\n{block}\n")
    (tmp_path / "nested.json").write_text(json.dumps([pose.tolist()] * 2))
    (tmp_path / "folder").mkdir()
    for stem in ("a", "b"):
        (tmp_path / "folder" / f"{stem}.txt").write_text(block)
    for name in ("blocks.txt", "nested.json", "folder"):
        table = read_poses(tmp_path / name)
        assert flanges(table.numbers, PoseForm("matrix")) == pytest.approx(
            np.array([pose, pose]), abs=1e-6
        )
    assert read_poses(tmp_path / "folder").names == ("a", "b")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("1 2 3 4 5\n", "rows have"),
        ("1 2 3 4 5 6\n1 2 3 4 5 6 7\n", "rows have"),
        ("1 2 3 4 5 six\nb 1 2 3 4 5 6\n", "rows have"),
        ("1 2 3 a b 6\n", "is not a number"),
        ("1 2 3 nan 5 6\n", "must be finite"),
        ("", "no pose in it"),
        ('{"poses": [{"x": 1}]}', "expected p_mm and q_wxyz"),
        ('[[1, 2, "3", 4, 5, 6]]', "is not a number"),
        ("a.png 1 2 3 4 5 6\na.png 1 2 3 4 5 6\n", "same picture"),
    ],
)
def test_table_that_is_no_table_is_one_line(content: str, words: str, tmp_path: Path) -> None:
    path = tmp_path / "poses.txt"
    path.write_text(content)
    with pytest.raises(CalibrationError, match=words) as caught:
        read_poses(path)
    assert str(path) in str(caught.value)


def test_rows_are_found_by_name_or_by_order(tmp_path: Path) -> None:
    path = tmp_path / "poses.csv"
    path.write_text("b.png,1,2,3,4,5,6\na.png,1,2,3,4,5,6\n")
    assert matching(read_poses(path), ["a.jpg", "b.jpg"]) == [1, 0]
    with pytest.raises(CalibrationError, match=r"no pose is named after c\.png"):
        matching(read_poses(path), ["c.png"])
    path.write_text("1,2,3,4,5,6\n1,2,3,4,5,7\n")
    assert matching(read_poses(path), ["a.png", "b.png"]) == [0, 1]
    with pytest.raises(CalibrationError, match="3 pictures but 2 poses"):
        matching(read_poses(path), ["a.png", "b.png", "c.png"])


MEANT = [
    PoseForm("rotvec", degrees=False, unit="m"),
    PoseForm("zyx"),
    PoseForm("wpr"),
    PoseForm("xyz", degrees=False),
    PoseForm("zyz"),
    PoseForm("quat-xyzw", unit="m"),
    PoseForm("quat-wxyz"),
    PoseForm("matrix", unit="m"),
]


@pytest.mark.parametrize("meant", MEANT, ids=str)
def test_form_is_recognised_by_what_it_leaves(meant: PoseForm) -> None:
    data = shot(0, views=12)
    found = choose(rows(data.flanges, meant), (), True, data.seen, data.sightings.points_mm)
    poses = flanges(rows(data.flanges, meant), found.form)
    assert poses == pytest.approx(data.flanges, abs=1e-6)
    assert found.gap_mm < 0.5


@pytest.mark.parametrize(
    ("meant", "guessed", "words"),
    [
        (PoseForm("wpr"), PoseForm("zyx"), "--rotation wpr"),
        (PoseForm("quat-xyzw"), PoseForm("quat-wxyz"), "--rotation quat-xyzw"),
        (PoseForm("zyz", unit="m"), PoseForm("zyz"), "--unit m"),
        pytest.param(
            *(PoseForm("rotvec", degrees=False), PoseForm("rotvec"), "--angles rad"),
            marks=pytest.mark.nightly,
        ),
        pytest.param(
            *(PoseForm("wpr", inverted=True), PoseForm("wpr"), "--inverted"),
            marks=pytest.mark.nightly,
        ),
    ],
)
def test_wrong_guess_is_never_silently_accepted(
    meant: PoseForm, guessed: PoseForm, words: str
) -> None:
    data = shot(0, views=12)
    table = rows(data.flanges, meant)
    with pytest.raises(CalibrationError, match="if that is how they are meant") as caught:
        choose(table, (guessed,), True, data.seen, data.sightings.points_mm)
    assert words in str(caught.value)


def test_camera_in_the_wrong_place_is_noticed() -> None:
    data = shot(0, views=12, eye_in_hand=False)
    table = rows(data.flanges, PoseForm("wpr"))
    with pytest.raises(CalibrationError, match="--camera-on cell"):
        choose(table, (PoseForm("wpr"),), True, data.seen, data.sightings.points_mm)


@pytest.mark.parametrize("asked", [pytest.param((), marks=pytest.mark.nightly), (PoseForm("wpr"),)])
def test_rows_that_slipped_by_one_are_noticed(asked: tuple[PoseForm, ...]) -> None:
    data = shot(0)
    table = rows(data.flanges, PoseForm("wpr"))
    slipped = np.roll(table, 1, axis=0)
    with pytest.raises(CalibrationError, match=r"1 rows apart|do not belong together"):
        choose(slipped, asked, True, data.seen, data.sightings.points_mm)


def test_inverse_of_many_is_that_of_each() -> None:
    poses = shot(0).flanges
    assert inverse(poses) == pytest.approx(np.linalg.inv(poses), abs=1e-9)
