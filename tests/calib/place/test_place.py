"""Where sensor and part are: by dots, by touch, by a board, by CAD; and whether a scan agrees."""

from __future__ import annotations

import json
import shutil
import struct
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.kits import rig
from tests.kits.calib_kit import bump, calib, off, pose, refused, write_pictures, write_poses
from tests.kits.repository import BRACKET
from tests.kits.small_scan import small_bracket
from voxgate.benchmarks.calibration.calib_cell import SIZE_PX, Camera, lens, make_cell
from voxgate.calib.board.board import Board, Kind
from voxgate.calib.board.board_print import raster
from voxgate.calib.calibration_file import CalibrationFile, Step, updated
from voxgate.calib.numerics.kabsch import absolute_orientation
from voxgate.calib.numerics.least_squares import Array
from voxgate.calib.numerics.twist import inverse, motion
from voxgate.calib.place.cloud import read_cloud
from voxgate.calib.place.points import Cloud
from voxgate.calib.place.scan_surface import scan_in_base
from voxgate.calib.place.sensor import Pairs, locate_sensor, points_in_cloud
from voxgate.calib.robot_poses.pose_forms import PoseForm
from voxgate.calib.steps.part_step import CellFacts
from voxgate.runtime.errors import CalibrationError
from voxgate.runtime.geometry.calibration import Calibration
from voxgate.runtime.transforms import Transform, apply

pytestmark = pytest.mark.slow

DOTS = Board(Kind.DOTS, 4, 11, 20, 14)
CAMERA_FROM_SENSOR = motion(np.array([0.05, -0.12, 0.02, 95, 4, -12]))


# --- absolute orientation ------------------------------------------------------------------------

twists = st.lists(st.floats(-1, 1), min_size=6, max_size=6).map(
    lambda values: motion(np.array(values) * [1.7, 1.7, 1.7, 500, 500, 500])
)


@given(twists, st.integers(0, 1000))
def test_absolute_orientation_is_exact_and_shrugs_off_one_wrong_pair(
    a_from_b: Transform, seed: int
) -> None:
    points = np.random.default_rng(seed).uniform(-100, 100, (12, 3))
    image = apply(a_from_b, points)
    assert absolute_orientation(image, points).a_from_b == pytest.approx(a_from_b, abs=1e-6)
    image[3] += 40.0
    assert off(absolute_orientation(image, points).a_from_b, a_from_b)[0] < 1.0


def test_points_on_a_line_are_refused() -> None:
    line = np.outer(np.arange(5.0), [1, 2, 3])
    with pytest.raises(CalibrationError, match="on one line"):
        absolute_orientation(line, line)


# --- sensor --------------------------------------------------------------------------------------


def scanned(board: Board, camera_from_board: Transform, seed: int) -> Cloud:
    """What the 3D sensor sees of the board: points every 0.6 mm with grey and 0.05 mm noise."""
    generator = np.random.default_rng(seed)
    picture = raster(board, 1 / 0.6, 10.0)
    row, column = np.mgrid[0 : picture.shape[0], 0 : picture.shape[1]]
    low = -10.0 - (board.feature_mm / 2 if not board.squares else 0.0)
    flat = np.stack([(column.ravel() + 0.5) * 0.6 + low, (row.ravel() + 0.5) * 0.6 + low], axis=1)
    points = np.column_stack([flat, generator.normal(0, 0.05, len(flat))])
    sensor_from_board = inverse(CAMERA_FROM_SENSOR[None])[0] @ camera_from_board
    return Cloud(apply(sensor_from_board, points), picture.ravel().astype(float))


@pytest.mark.parametrize("board", [DOTS, Board(Kind.CHARUCO, 8, 6, 30, 22, "5x5_50")])
def test_board_is_found_in_a_cloud_with_grey_values(board: Board) -> None:
    at = motion(np.array([0.3, -0.2, 1.0, -40, -30, 500]))
    found = points_in_cloud(scanned(board, at, 0), board)
    assert found is not None
    assert len(found) > 0.9 * len(board.points_mm)
    truth = apply(inverse(CAMERA_FROM_SENSOR[None])[0] @ at, board.points_mm)
    numbers = sorted(found)
    wrong = np.linalg.norm(np.array([found[n] for n in numbers]) - truth[numbers], axis=1)
    assert wrong.max() < 0.3


def test_list_of_dot_centres_in_any_order_is_numbered() -> None:
    at = motion(np.array([0.3, -0.2, 2.0, -40, -30, 500]))
    truth = apply(at, DOTS.points_mm)
    shuffled = np.random.default_rng(0).permutation(truth)
    found = points_in_cloud(Cloud(shuffled), DOTS)
    assert found is not None
    assert np.array([found[n] for n in range(len(truth))]) == pytest.approx(truth)


def test_cloud_without_grey_values_is_refused() -> None:
    with pytest.raises(CalibrationError, match="needs grey values"):
        points_in_cloud(Cloud(np.random.default_rng(0).normal(size=(1000, 3))), DOTS)


def views(count: int) -> list[Pairs]:
    generator = np.random.default_rng(0)
    found = []
    for number in range(count):
        at = motion(np.array([*generator.normal(0, 0.3, 3), 0, 0, 500]))
        in_camera = apply(at, DOTS.points_mm)
        in_sensor = apply(inverse(CAMERA_FROM_SENSOR[None])[0], in_camera)
        in_camera = in_camera + generator.normal(0, 0.05, in_camera.shape)
        found.append(Pairs(f"{number}.png", in_camera, in_sensor))
    return found


def test_sensor_is_checked_on_views_that_were_not_used() -> None:
    found = locate_sensor(views(8))
    assert off(found.fit.a_from_b, CAMERA_FROM_SENSOR)[0] < 0.1
    assert found.held == ("3.png", "7.png")
    assert 0 < found.held_mm.max() < 0.4


def test_view_with_a_moved_board_is_named() -> None:
    seen = views(8)
    seen[1] = Pairs("moved.png", seen[1].camera_mm + 3.0, seen[1].sensor_mm)
    found = locate_sensor(seen)
    assert "moved.png" in found.bad[0]
    assert off(found.fit.a_from_b, CAMERA_FROM_SENSOR)[0] < 0.1


def test_cloud_in_metres_is_noticed() -> None:
    seen = [Pairs(v.name, v.camera_mm, v.sensor_mm / 1000) for v in views(4)]
    with pytest.raises(CalibrationError, match="m instead of mm"):
        locate_sensor(seen)


@pytest.mark.nightly  # its sums are tried by day, its pictures in board/
def test_sensor_command_from_pictures_and_ply(tmp_path: Path) -> None:
    out, words = _sensor_command(tmp_path)
    summary = calib(*words)
    assert summary["figures"]["held_out_views"] == 1
    assert summary["figures"]["held_out_mm"] < 1.0
    found = np.array(json.loads(out.read_text())["T_cam_sensor"])
    assert off(found, CAMERA_FROM_SENSOR)[0] < 1.0
    (tmp_path / "clouds" / "3.ply").unlink()
    assert "no cloud is named after 3.png" in refused(*words)


@pytest.mark.nightly
def test_pixels_of_a_sensor_are_lost_or_taken_unseen(tmp_path: Path) -> None:
    out, words = _sensor_command(tmp_path)
    pixels = tmp_path / "pixels.json"
    told = rig.document()["sensor"]
    del told["T_cam_sensor"]
    pixels.write_text(json.dumps(told))
    calib(*words, "--pixels", pixels)
    assert json.loads(out.read_text())["sensor"] == told
    pixels.write_text(json.dumps(told | {"distortion": [0.1]}))
    assert "pixels.json: sensor.distortion must be 5" in refused(*words, "--pixels", pixels)


def _sensor_command(tmp_path: Path) -> tuple[Path, list[object]]:
    """Where its calibration goes, and the words, with pictures and clouds of a few views."""
    camera = Camera(lens(), DOTS)
    (tmp_path / "images").mkdir()
    (tmp_path / "clouds").mkdir()
    (tmp_path / "board.json").write_text(DOTS.to_json())
    (tmp_path / "lens.json").write_text(json.dumps(lens_file()))
    for number in range(5):
        at = pose("dots", 20.0 * number, 10.0 + 5 * number)
        cv2.imwrite(str(tmp_path / "images" / f"{number}.png"), camera.render(at, number))
        write_ply(tmp_path / "clouds" / f"{number}.ply", scanned(DOTS, at, number))
    out = tmp_path / "calibration.json"
    words: list[object] = ["sensor", tmp_path / "images", tmp_path / "clouds", "--out", out]
    words += ["--board", tmp_path / "board.json", "--calibration", tmp_path / "lens.json"]
    return out, words


def test_rig_is_whole_when_its_part_is_placed(tmp_path: Path) -> None:
    """The unit of depth is the sensor's then: one of the camera's, left over, would be refused."""
    document = rig.document()
    document["units"]["depth_unit_mm"] = 0.1
    for key in ("T_base_part", "part"):
        del document[key]
    base = CalibrationFile(tmp_path / "calibration.json", document)
    numbers = {"part": "boxes", "T_base_part": np.eye(4), **CellFacts("boxes").merged(base)}
    data = updated(base, Step("part", numbers, {}, {}, (), {}), forced=False)
    assert Calibration.from_text(json.dumps(data)).digest == data["digest"]
    assert data["digest"] == rig.calibration().digest


def lens_file() -> dict[str, object]:
    return {
        "schema_version": 1,
        "image_size": {"width": SIZE_PX[0], "height": SIZE_PX[1]},
        "K": lens().matrix.tolist(),
        "distortion": lens().distortion.tolist(),
    }


def write_ply(path: Path, cloud: Cloud) -> None:
    assert cloud.grey is not None
    kind = np.dtype([("x", "<f4"), ("y", "<f4"), ("z", "<f4"), ("intensity", "u1")])
    rows = np.zeros(len(cloud.points), kind)
    for axis, column in zip("xyz", cloud.points.T, strict=True):
        rows[axis] = column
    rows["intensity"] = cloud.grey
    header = (
        f"ply\nformat binary_little_endian 1.0\nelement vertex {len(rows)}\nproperty float x\n"
        "property float y\nproperty float z\nproperty uchar intensity\nend_header\n"
    )
    path.write_bytes(header.encode() + rows.tobytes())


# --- files ---------------------------------------------------------------------------------------


def test_mesh_is_the_same_in_every_file_form(tmp_path: Path) -> None:
    corners = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1.0]])
    faces = np.array([[0, 1, 2], [0, 1, 3]])
    text = "\n".join(" ".join(map(str, row)) for row in corners)
    (tmp_path / "a.ply").write_text(
        "ply\nformat ascii 1.0\nelement vertex 4\nproperty float x\nproperty float y\n"
        "property float z\nelement face 2\nproperty list uchar int vertex_indices\nend_header\n"
        f"{text}\n3 0 1 2\n3 0 1 3\n"
    )
    body = b"".join(
        struct.pack("<12fH", 0, 0, 1, *corners[face].ravel().tolist(), 0) for face in faces
    )
    (tmp_path / "b.stl").write_bytes(b"x" * 80 + struct.pack("<I", 2) + body)
    facets = "".join(
        "facet normal 0 0 1\nouter loop\n"
        + "".join(f"vertex {x} {y} {z}\n" for x, y, z in corners[face].tolist())
        + "endloop\nendfacet\n"
        for face in faces
    )
    (tmp_path / "c.stl").write_text(f"solid x\n{facets}endsolid x\n")
    for name in ("a.ply", "b.stl", "c.stl"):
        mesh = read_cloud(tmp_path / name)
        assert mesh.triangles is not None
        assert mesh.points[mesh.triangles] == pytest.approx(corners[faces])


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.ply", b"plywood"),
        ("b.ply", b"ply\nformat ascii 1.0\nelement vertex 2\nproperty float x\nend_header\n1\n"),
        ("c.stl", b"solid nothing"),
        ("d.csv", b"1 2\n"),
        ("e.txt", b"1 2 nan\n"),
    ],
)
def test_file_that_is_no_cloud_is_one_line(name: str, content: bytes, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(CalibrationError, match="not a point cloud that we read"):
        read_cloud(tmp_path / name)


# --- part ----------------------------------------------------------------------------------------


@cache
def example() -> Calibration:
    return Calibration.load(BRACKET / "calibration.json")


def unplaced(folder: Path) -> Path:
    """The example's calibration without its part."""
    data = json.loads((BRACKET / "calibration.json").read_text())
    for key in ("T_base_part", "part", "views"):
        data.pop(key)
    path = folder / "unplaced.json"
    path.write_text(json.dumps(data))
    return path


@pytest.mark.parametrize(
    ("mounting", "carried"), [("eye_to_hand", True), ("eye_to_hand", False), ("eye_in_hand", True)]
)
def test_a_part_before_a_standing_camera_is_completed_as_of_one_on_the_robot(
    tmp_path: Path, mounting: str, carried: bool
) -> None:
    base = json.loads(unplaced(tmp_path).read_text()) | {"mounting": mounting}
    base.pop("digest", None)
    if mounting == "eye_to_hand":
        base["T_base_cam"] = base.pop("T_flange_cam")
    (tmp_path / "base.json").write_text(json.dumps(base))
    part_mm = np.random.default_rng(0).uniform([-90, -60, 0], [90, 60, 130], (8, 3))
    table = np.column_stack([part_mm, apply(example().mounting.part, part_mm)])
    touched, out = tmp_path / "touched.csv", tmp_path / "calibration.json"
    touched.write_text("\n".join(",".join(f"{value:.4f}" for value in row) for row in table))
    words = ["part", "--calibration", tmp_path / "base.json", "--part", "bracket"]
    words += ["--touched", touched, "--out", out, *(["--carried"] if carried else [])]
    if mounting == "eye_in_hand":
        assert "nothing moves" in refused(*words)
        return
    calib(*words)
    known = Calibration.load(out).mounting
    assert (known.fixed, known.carried) == (True, carried)
    assert off(known.part, example().mounting.part)[0] < 0.1


def test_touched_points_complete_the_calibration(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    part_mm = generator.uniform([-90, -60, 0], [90, 60, 130], (8, 3))
    base_mm = apply(example().mounting.part, part_mm) + generator.normal(0, 0.03, (8, 3))
    table = np.column_stack([part_mm, base_mm])
    (tmp_path / "touched.csv").write_text(
        "\n".join(",".join(f"{value:.4f}" for value in row) for row in table)
    )
    out = tmp_path / "calibration.json"
    words = ["part", "--calibration", unplaced(tmp_path), "--part", "bracket"]
    words += ["--touched", tmp_path / "touched.csv", "--out", out]
    summary = calib(*words)
    loaded = Calibration.load(out)
    assert loaded.digest == summary["digest"]
    assert loaded.forced == ()
    assert off(loaded.mounting.part, example().mounting.part)[0] < 0.1


def test_touched_points_in_metres_are_refused(tmp_path: Path) -> None:
    points = np.random.default_rng(0).uniform(0, 0.15, (5, 3))
    table = np.column_stack([points, apply(motion(np.array([0, 0, 0.3, 0.7, 0, 0.1])), points)])
    (tmp_path / "touched.csv").write_text("\n".join(",".join(map(str, row)) for row in table))
    words = ["part", "--calibration", unplaced(tmp_path), "--part", "bracket"]
    assert "if they are in m" in refused(*words, "--touched", tmp_path / "touched.csv")


def test_edited_file_is_refused_and_a_forced_one_says_so(tmp_path: Path) -> None:
    rows = np.array([[0, 0, 0, 700, 0, 100], [100, 0, 0, 800, 0, 100], [0, 90, 0, 700, 95, 100]])
    (tmp_path / "touched.txt").write_text(
        "\n".join(" ".join(map(str, row)) for row in rows.tolist())
    )
    out = tmp_path / "calibration.json"
    words = ["part", "--calibration", unplaced(tmp_path), "--part", "bracket"]
    words += ["--touched", tmp_path / "touched.txt", "--out", out]
    calib(*words, code=1)
    assert not out.exists()
    calib(*words, "--force")
    assert Calibration.load(out).forced == ("part",)
    data = json.loads(out.read_text())
    data["K"][0][0] += 1.0
    out.write_text(json.dumps(data))
    with pytest.raises(CalibrationError, match="edited after it was made"):
        Calibration.load(out)


def test_board_on_the_fixture_places_the_part(tmp_path: Path) -> None:
    cell = make_cell(7, 5)
    made = write_pictures(tmp_path / "fixture", cell)
    write_poses(made / "poses.csv", cell.reported, PoseForm("zyx"))
    base = lens_file() | {"T_flange_cam": cell.x.tolist(), "mounting": "eye_in_hand"}
    (made / "handeye.json").write_text(json.dumps(base))
    part_from_board = motion(np.array([np.pi, 0, 0.3, 20, 30, 5]))
    (made / "place.txt").write_text(
        "\n".join(" ".join(f"{value:.9f}" for value in row) for row in part_from_board)
    )
    out = made / "calibration.json"
    words = ["part", "--calibration", made / "handeye.json", "--part", "x", "--out", out]
    words += ["--images", made / "images", "--poses", made / "poses.csv"]
    words += ["--board", made / "board.json", "--part-from-board", made / "place.txt"]
    assert "--depth-unit-mm, --tick-hz, --readout-ms" in refused(*words)
    calib(*words, "--depth-unit-mm", 0.05, "--tick-hz", 10**9, "--readout-ms", 18)
    truth = cell.z @ inverse(part_from_board[None])[0]
    wrong_mm, wrong_deg = off(Calibration.load(out).mounting.part, truth)
    assert wrong_mm < 0.5
    assert wrong_deg < 0.1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "choose one"),
        (["--images", "x"], "also needs --poses and --board"),
        (["--scan", "x"], "also needs --cad"),
        (["--touched", "{}/missing.csv"], "no such file"),
    ],
)
def test_part_that_is_half_told_is_refused(words: list[str], message: str, tmp_path: Path) -> None:
    given = [word.format(tmp_path) for word in words]
    found = refused("part", "--calibration", unplaced(tmp_path), "--part", "x", *given)
    assert message in found


# --- CAD and verify, on the example scans at a quarter of their size -----------------------------


@pytest.fixture(scope="module")
def small() -> Path:
    return small_bracket()


@pytest.mark.nightly  # ten seconds; by day the parts of test_cad.py are laid onto theirs
def test_golden_scan_is_laid_onto_its_cad(small: Path, tmp_path: Path) -> None:
    """The mesh is made of the golden scan itself, moved: small triangles on what it measured."""
    data = json.loads((small / "calibration.json").read_text())
    base_from_part = np.array(data.pop("T_base_part"))
    data.pop("views", None)
    (tmp_path / "unplaced.json").write_text(json.dumps(data))
    surface = scan_in_base(small / "golden", CalibrationFile.load(tmp_path / "unplaced.json"))
    part_from_base = inverse(base_from_part[None])[0]
    points = apply(part_from_base, surface.points)
    on_part = points[:, 2] > 4.0
    normals = surface.normals[on_part] @ part_from_base[:3, :3].T
    write_splats(tmp_path / "cad.stl", points[on_part], normals)
    out = tmp_path / "calibration.json"
    summary = calib(
        *("part", "--calibration", tmp_path / "unplaced.json", "--part", "bracket"),
        *("--scan", small / "golden", "--cad", tmp_path / "cad.stl", "--out", out),
    )
    wrong_mm, wrong_deg = off(Calibration.load(out).mounting.part, base_from_part)
    assert wrong_mm < 0.3
    assert wrong_deg < 0.2
    assert summary["figures"]["rms_mm"] < 0.3


def write_splats(path: Path, points: Array, normals: Array) -> None:
    """A binary STL with one triangle of 3 mm on every point, facing along its normal."""
    across = np.cross(normals, np.where(np.abs(normals[:, :1]) < 0.9, [[1.0, 0, 0]], [[0, 1.0, 0]]))
    across /= np.linalg.norm(across, axis=1, keepdims=True)
    along = np.cross(normals, across)
    turns = [(np.cos(a), np.sin(a)) for a in (0, 2 * np.pi / 3, 4 * np.pi / 3)]
    corners = np.stack([points + 1.5 * (c * across + s * along) for c, s in turns], axis=1)
    kind = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("extra", "<u2")])
    rows = np.zeros(len(points), kind)
    rows["normal"], rows["corners"] = normals, corners
    path.write_bytes(b"x" * 80 + struct.pack("<I", len(points)) + rows.tobytes())


def test_scan_agrees_with_its_own_calibration(small: Path) -> None:
    found = calib("verify", small / "good")
    assert found["accepted"]
    assert found["drift_mm"] < 0.25
    assert len(found["views"]) == 12


def test_bumped_camera_is_told_by_how_much(small: Path, tmp_path: Path) -> None:
    moved = motion(np.array([0.004, 0.0, 0.0, 0.8, 0.0, 0.0]))
    folder = bump(small / "good", tmp_path / "bumped", moved)
    found = calib("verify", folder, code=1)
    assert "drift_max_mm" in found["missed"][0]
    correction = np.array(found["camera_from_before"])
    wrong_mm, wrong_deg = off(correction, moved)
    assert wrong_mm < 0.5
    assert wrong_deg < 0.08
    assert calib("verify", folder, "--limit", "drift_max_mm=5")["accepted"]


@pytest.mark.parametrize(("one", "other"), [(0, 1), (2, 7)])
def test_two_exchanged_views_are_named(small: Path, tmp_path: Path, one: int, other: int) -> None:
    folder = exchange(small / "good", tmp_path / "exchanged", one, other)
    found = calib("verify", folder, code=1)
    assert any("seen_through_max" in missed for missed in found["missed"])
    past = {view["frame_id"]: view["seen_through"] for view in found["views"]}
    loudest = sorted(past, key=lambda frame: -past[frame])[:2]
    frames = [json.loads(line) for line in (folder / "frames.jsonl").read_text().splitlines()]
    assert sorted(loudest) == sorted(frames[number]["frame_id"] for number in (one, other))


def exchange(scan: Path, out: Path, one: int, other: int) -> Path:
    """The pictures and depth of two frames under each other's pose."""
    shutil.copytree(scan, out)
    shutil.copy(scan.parent / "calibration.json", out.parent / "calibration.json")
    lines = (out / "frames.jsonl").read_text().splitlines()
    frames = [json.loads(line) for line in lines]
    for name in ("image", "depth"):
        frames[one][name], frames[other][name] = frames[other][name], frames[one][name]
    (out / "frames.jsonl").write_text("".join(json.dumps(frame) + "\n" for frame in frames))
    return out


def _in_metres(document: dict[str, Any]) -> None:
    for row in document["T_flange_cam"][:3]:
        row[3] /= 1000


def _inverted(document: dict[str, Any]) -> None:
    document["T_flange_cam"] = np.linalg.inv(document["T_flange_cam"]).tolist()


def _transposed(document: dict[str, Any]) -> None:
    pose = np.array(document["T_flange_cam"])
    pose[:3, :3] = pose[:3, :3].T.copy()
    document["T_flange_cam"] = pose.tolist()


def _depth_in_metres(document: dict[str, Any]) -> None:
    document["units"]["depth_unit_mm"] /= 1000


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (_in_metres, "T_flange_cam has its shift in m, not in mm"),
        *(
            pytest.param(spoil, said, marks=pytest.mark.nightly)
            for spoil, said in (
                (_inverted, "T_flange_cam is the other way round"),
                (_transposed, "T_flange_cam has its rotation transposed"),
                (_depth_in_metres, "units.depth_unit_mm is in m"),
            )
        ),
    ],
)
def test_a_wrong_calibration_is_put_down_to_the_scan(
    small: Path, tmp_path: Path, spoil: Callable[[dict[str, Any]], None], said: str
) -> None:
    """Views that meet nowhere are no part that is seen from too few sides."""
    document = json.loads((small / "calibration.json").read_text())
    document.pop("digest", None)
    spoil(document)
    (tmp_path / "calibration.json").write_text(json.dumps(document))
    told = refused("verify", small / "good", "--calibration", tmp_path / "calibration.json")
    assert said in told


def test_a_ring_that_shows_no_shift_is_left_to_be_found_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sensor above the camera looks down on flat faces, and meets them again where it moves along
    them."""
    above = motion(np.array([-np.radians(30), 0.0, 0.0, 6.0, -200.0, 30.0]))
    monkeypatch.setattr(rig, "camera_from_sensor", lambda: above)
    told = refused("verify", rig.write(tmp_path / "ring", rig.ring()))
    assert "moved by 0.5 mm along its own x" in told
    assert "another height" in told


def test_verify_of_no_scan_is_one_line(tmp_path: Path) -> None:
    assert "no such folder" in refused("verify", tmp_path / "nowhere")
