"""Every published layout from a tiny folder: read, judged, and its gaps named."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import cast

import cv2
import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from typer.testing import CliRunner

from tests.kits import scene, tiny
from tests.kits.layouts_kit import (
    CAMERA,
    organised,
    write_mad,
    write_mvtec3d,
    write_scenes,
    write_sim3d,
)
from tests.kits.tiny import parts as tiny_parts
from voxgate.export.evaluation.cases import Picture, PictureCase, SceneCase, VolumeCase
from voxgate.export.evaluation.judges.picture_inputs import Standing, model_inputs
from voxgate.export.evaluation.layouts.mvtec3d import picture_of
from voxgate.export.evaluation.layouts.open_dataset import LAYOUTS, open_dataset
from voxgate.export.evaluation.layouts.sim3d import Instance, depth_map
from voxgate.export.evaluation.run.evaluate import Plan, evaluate
from voxgate.export.golden.golden import load_golden
from voxgate.export.packing.package import recipe_of, write_recipe
from voxgate.runtime.cli import app
from voxgate.runtime.common.crew import Crew
from voxgate.runtime.descriptors.fpfh import fpfh
from voxgate.runtime.errors import RecipeError, ScanError
from voxgate.runtime.geometry.rays import Rays
from voxgate.runtime.nouns import View
from voxgate.runtime.recipe.manifest import TensorSpec
from voxgate.runtime.recipe.sections.shapes import FpfhSection

WRITERS = {
    "sim3d": write_sim3d,
    "mvtec3d": write_mvtec3d,
    "mad": write_mad,
    "odd-one-out": write_scenes,
}


@pytest.mark.parametrize("layout", WRITERS)
def test_a_folder_is_known_by_its_looks(layout: str, tmp_path: Path) -> None:
    dataset = open_dataset(WRITERS[layout](tmp_path))
    assert dataset.layout == layout
    assert dataset.missing == ()


@pytest.mark.parametrize(
    ("layout", "gone", "named"),
    [
        ("sim3d", "container/bad_01/gt.npy", "gt.npy"),
        ("sim3d", "container/good_01/poses.json", "poses.json"),
        ("sim3d", "container/good_01/rgb/01_2.png", "rgb/01_2.png"),
        ("sim3d", "container/camera.json", "camera.json"),
        ("mvtec3d", "bagel/test/hole/gt/000.png", "gt/000.png"),
        ("mvtec3d", "bagel/test/good/rgb/001.png", "rgb/001.png"),
        ("mvtec3d", "bagel/train", "train/good"),
        ("mad", "01Gorilla/ground_truth/Burrs/0_mask.png", "no mask"),
        ("mad", "01Gorilla/transforms.json", "transforms.json"),
        ("odd-one-out", "cup_1-001/RGB/0000.png", "RGB"),
        ("odd-one-out", "cup_2-001", "no such folder"),
    ],
)
def test_an_incomplete_folder_says_what_is_missing(
    layout: str, gone: str, named: str, tmp_path: Path
) -> None:
    folder = WRITERS[layout](tmp_path)
    path = folder / gone
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    assert any(named in line for line in open_dataset(folder, layout).missing)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_an_empty_folder_in_a_named_layout_is_refused(layout: str, tmp_path: Path) -> None:
    with pytest.raises(ScanError, match="no complete case"):
        open_dataset(tmp_path, layout)


def test_a_layout_that_nobody_knows_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ScanError, match="unknown"):
        open_dataset(tmp_path, "mvtec2d")


def test_organised_points_keep_x_y_z_apart(tmp_path: Path) -> None:
    folder = write_mvtec3d(tmp_path)
    picture = picture_of(folder / "bagel" / "test" / "good" / "xyz" / "000.tiff")
    assert picture.depth_mm is not None
    assert picture.camera_matrix is not None
    expected = organised()[..., 2] * 1000
    measured = expected > 0
    assert np.allclose(picture.depth_mm[measured], expected[measured], atol=1e-3)
    assert np.isnan(picture.depth_mm[~measured]).all()
    assert np.allclose(picture.camera_matrix, np.array(CAMERA["K"]), atol=1e-2)


def test_mvtec_labels_and_masks(tmp_path: Path) -> None:
    cases = open_dataset(write_mvtec3d(tmp_path)).cases
    truths = {case.name: cast(PictureCase, case).truth() for case in cases}
    assert {name: truth.anomalous for name, truth in truths.items()} == {
        "bagel/good/000": False,
        "bagel/good/001": False,
        "bagel/hole/000": True,
    }
    assert truths["bagel/hole/000"].defect.sum() == 12


def test_mad_knows_where_the_object_is(tmp_path: Path) -> None:
    cases = open_dataset(write_mad(tmp_path)).cases
    truths = {case.name: cast(PictureCase, case).truth() for case in cases}
    part = truths["01Gorilla/good/0"].part
    assert part is not None
    assert part.sum() == 12 * 16
    assert truths["01Gorilla/Burrs/0"].anomalous


def test_scenes_have_boxes_and_odd_objects(tmp_path: Path) -> None:
    cases = open_dataset(write_scenes(tmp_path)).cases
    truth = cast(SceneCase, cases[0]).truth()
    assert cases[0].part == "unseen-test"
    assert truth.odd.tolist() == [False, True, False]  # a dash in a folder's name is none
    assert truth.boxes[1].tolist() == [1.0, 0.0, 0.5, 1.0, 0.5, 1.0]


def test_sim3d_instances_become_views_in_one_frame(tmp_path: Path) -> None:
    dataset = open_dataset(write_sim3d(tmp_path))
    assert [case.name for case in dataset.cases] == ["container/bad_01", "container/good_01"]
    bad = cast(VolumeCase, dataset.cases[0])
    views = [view for view in bad.arrivals() if isinstance(view, View)]
    assert views[1].part_from_camera[0, 3] - views[0].part_from_camera[0, 3] == 2.0
    truth, grid = bad.truth(), bad.grid()
    assert truth.anomalous
    assert truth.defect_ijk.tolist() == np.argwhere(np.load(bad.source / "gt.npy")).tolist()
    points = grid.centres_mm(truth.surface_ijk)
    assert points[:, 2].min() > 1.5  # above what the runtime takes for the table
    assert len(truth.surface_ijk) > 25


TILT = Rotation.from_euler("y", 12.0, degrees=True).as_matrix()


@pytest.mark.parametrize("parted", [False, True])
def test_sim3d_poses_of_the_sensor_are_not_taken_for_the_cameras(
    tmp_path: Path, parted: bool
) -> None:
    camera_from_sensor = np.eye(4)
    camera_from_sensor[:3, :3], camera_from_sensor[0, 3] = TILT, 90.0
    cameras = [scene.camera(azimuth) for azimuth in (0.0, 35.0)]
    sensors = [camera @ camera_from_sensor for camera in cameras]
    root = write_sim3d(tmp_path) / "container"
    given = [np.linalg.inv(sensors[0]) @ sensor for sensor in sensors]
    poses = {"views": [pose.tolist() for pose in given]}
    (root / "good_01" / "poses.json").write_text(json.dumps(poses))
    written = json.loads((root / "camera.json").read_text())
    written["T_pc"] = camera_from_sensor.tolist()
    if parted:
        written |= {"R_pc": TILT.tolist(), "T_pc": [90.0, 0.0, 0.0]}
    (root / "camera.json").write_text(json.dumps(written))
    one, other = _views(root.parent, "container/good_01")
    moved = np.linalg.inv(one.part_from_camera) @ other.part_from_camera
    np.testing.assert_allclose(moved, np.linalg.inv(cameras[0]) @ cameras[1], atol=1e-9)


def test_sim3d_sensor_that_is_no_place_is_refused(tmp_path: Path) -> None:
    root = write_sim3d(tmp_path) / "container"
    written = json.loads((root / "camera.json").read_text())
    (root / "camera.json").write_text(json.dumps(written | {"T_pc": [90.0, 0.0, 0.0]}))
    with pytest.raises(ScanError, match="T_pc must be camera_from_sensor"):
        _views(root.parent, "container/good_01")


def test_sim3d_views_without_leading_zeros_keep_their_order(tmp_path: Path) -> None:
    """C10 comes after C2: a pose belongs to the view of its number."""
    root = write_sim3d(tmp_path) / "container" / "good_01"
    depth, picture = np.load(root / "depth" / "00.npy"), root / "rgb" / "00_2.png"
    for number in range(1, 12):
        np.save(root / "depth" / f"C{number}.npy", depth + number)
        shutil.copy(picture, root / "rgb" / f"C{number}_2.png")
    for name in ("00", "01"):
        (root / "depth" / f"{name}.npy").unlink()
    eye = np.eye(4)
    (root / "poses.json").write_text(json.dumps({"views": [eye.tolist()] * 11}))
    views = _views(tmp_path, "container/good_01")
    nearest = [float(np.nanmin(scene.depth(view))) for view in views]
    assert nearest == sorted(nearest)


def _views(folder: Path, name: str) -> list[View]:
    case = next(each for each in open_dataset(folder).cases if each.name == name)
    assert isinstance(case, Instance)
    return [view for view in case.arrivals() if isinstance(view, View)]


def test_sim3d_names_can_be_replaced(tmp_path: Path) -> None:
    folder = write_sim3d(tmp_path)
    for instance in ("good_01", "bad_01", "container_real"):
        place = folder / "container" / instance
        (place / "poses.json").rename(place / "trajectory.json")
    (folder / "sim3d_layout.json").write_text(json.dumps({"poses": "trajectory.json"}))
    assert len(open_dataset(folder).cases) == 2
    (folder / "sim3d_layout.json").write_text(json.dumps({"pose": "trajectory.json"}))
    with pytest.raises(ScanError, match="unknown"):
        open_dataset(folder)


def test_the_training_instance_becomes_a_golden_scan(tmp_path: Path) -> None:
    folder = write_sim3d(tmp_path / "sim3d")
    out = tmp_path / "golden"
    result = CliRunner().invoke(
        app, ["convert", str(folder), "--part", "container", "--out", str(out), "--json"]
    )
    assert json.loads(result.stdout)["views"] == 2
    golden = load_golden(out)
    case = cast(VolumeCase, open_dataset(folder).cases[0])
    assert golden.scan.calibration.digest == case.calibrations()[""].digest  # recipes fit the tests
    assert golden.grid == case.grid()
    first = next(view for view in case.arrivals() if isinstance(view, View))
    assert np.allclose(golden.views[0].part_from_camera, first.part_from_camera, atol=1e-6)
    assert golden.views[0].depth_mm is not None
    assert first.depth_mm is not None
    assert np.nanmax(np.abs(golden.views[0].depth_mm - first.depth_mm)) < 0.03


def test_the_voxels_asked_for_are_not_those_of_the_recipe(tmp_path: Path) -> None:
    folder = write_sim3d(tmp_path / "sim3d")
    asked = ["convert", str(folder), "--part", "container", "--voxel-mm", "3"]
    done = CliRunner().invoke(app, [*asked, "--out", str(tmp_path / "coarse")])
    assert done.exit_code == 0, done.exception
    grid = cast(VolumeCase, open_dataset(folder).cases[0]).grid()
    for golden in (load_golden(tmp_path / "coarse"), load_golden(tmp_path / "coarse", voxel_mm=3)):
        assert (golden.grid.voxel_mm, golden.grid.origin_mm) == (3.0, grid.origin_mm)
        box_mm = np.multiply(golden.grid.shape, 3.0) - np.multiply(grid.shape, grid.voxel_mm)
        assert ((box_mm >= 0) & (box_mm < 3.0)).all()
    assert load_golden(tmp_path / "coarse", voxel_mm=4).grid.voxel_mm == 4.0
    refused = CliRunner().invoke(
        app,
        ["convert", str(tmp_path / "coarse"), "--voxel-mm", "2", "--out", str(tmp_path / "x.mcap")],
    )
    assert refused.exit_code != 0


@pytest.mark.parametrize(("write", "part"), [(write_mvtec3d, "bagel"), (write_sim3d, "container")])
def test_a_class_that_is_not_there_leaves_one_guessing(
    write: Callable[[Path], Path], part: str, tmp_path: Path
) -> None:
    command = ["convert", str(write(tmp_path / "set")), "--out", str(tmp_path / "scan")]
    done = CliRunner().invoke(app, [*command, "--part", "bagle"])
    assert "no class 'bagle'" in str(done.exception)
    assert f"it has ['{part}']" in str(done.exception)


def test_a_class_of_mvtec_becomes_a_scan_of_one_view(tmp_path: Path) -> None:
    folder = write_mvtec3d(tmp_path / "mvtec")
    out = tmp_path / "golden"
    result = CliRunner().invoke(app, ["convert", str(folder), "--part", "bagel", "--out", str(out)])
    assert result.exit_code == 0, result.exception
    assert len(load_golden(out).views) == 1


def test_pictures_are_judged_from_stored_maps(tmp_path: Path) -> None:
    folder = write_mvtec3d(tmp_path / "mvtec")
    dataset = open_dataset(folder)
    for case in dataset.cases:
        truth = cast(PictureCase, case).truth()
        path = tmp_path / "scores" / f"{case.name}.npz"
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez(path, map=truth.defect.astype(np.float32))
    found = evaluate(Plan(source=tmp_path / "scores", folder=folder, store=tmp_path / "store"))
    (bagel,) = found.types
    assert bagel.figures == {
        "image AUROC": 1.0,
        "AU-PRO@0.3": 1.0,
        "pixel AUROC": 1.0,
        "segmentation pixel AUROC": 1.0,
        "FPR@95TPR": 0.0,
    }
    assert set(bagel.over_limits) >= {0.01, 0.3, 1.0}


def test_a_box_is_not_turned_with_its_object(tmp_path: Path) -> None:
    scene = tmp_path / "scenes" / "one"
    (scene / "RGB").mkdir(parents=True)
    (scene / "RGB" / "0000.png").write_bytes(b"")
    quarter = [[0, -1, 0, 0], [1, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]
    objects = [
        {"path": "a.blend", "bbox": [[0, 0, 0.05], [0.1, 0.4, 0.1]], "rotation_matrix": quarter},
        {
            "path": "a.blend",
            "bbox": [[1, 0, 0.05], [0.1, 0.4, 0.1]],
            "rotation_euler": [0, 0, np.pi / 4],
        },
    ]
    (scene / "scene3d.metadata.json").write_text(json.dumps({"objects": objects}), "utf-8")
    (found,) = open_dataset(tmp_path / "scenes").cases
    boxes = cast(SceneCase, found).truth().boxes
    assert boxes[0] == pytest.approx([0, 0, 0.05, 0.4, 0.1, 0.1])
    assert boxes[1, 3:] == pytest.approx([0.5 / np.sqrt(2), 0.5 / np.sqrt(2), 0.1])


def test_scenes_are_judged_from_stored_boxes(tmp_path: Path) -> None:
    folder = write_scenes(tmp_path / "toys")
    for case in open_dataset(folder).cases:
        truth = cast(SceneCase, case).truth()
        path = tmp_path / "scores" / f"{case.name}.npz"
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez(path, boxes=truth.boxes, score=truth.odd.astype(float))
    found = evaluate(Plan(source=tmp_path / "scores", folder=folder, store=tmp_path / "store"))
    assert found.types[0].figures == {"AUC": 1.0, "accuracy": 1.0}


def test_missing_scores_are_named(tmp_path: Path) -> None:
    folder = write_mad(tmp_path / "mad")
    (tmp_path / "scores").mkdir()
    with pytest.raises(ScanError, match=r"01Gorilla/.*npz: no such file"):
        evaluate(Plan(source=tmp_path / "scores", folder=folder, store=tmp_path / "store"))


def test_scenes_need_a_scene_detector(tmp_path: Path) -> None:
    from voxgate.export.evaluation.judges.judge import judge_for
    from voxgate.export.packing.package import recipe_of
    from voxgate.runtime.config.settings import DEFAULTS

    dataset = open_dataset(write_scenes(tmp_path))
    with pytest.raises(RecipeError, match="need a recipe of trays"):
        judge_for(dataset, recipe_of(tiny_parts()), DEFAULTS)


def test_the_rendered_instance_is_what_synth2real_learns_from(tmp_path: Path) -> None:
    folder = write_sim3d(tmp_path / "sim3d")
    arguments = ["convert", str(folder), "--part", "container", "--setup", "synth2real"]
    result = CliRunner().invoke(app, [*arguments, "--out", str(tmp_path / "synth")])
    assert result.exit_code == 0, result.exception
    assert len(load_golden(tmp_path / "synth").views) == 2


def test_an_exr_that_cannot_be_read_says_what_to_store(tmp_path: Path) -> None:
    (tmp_path / "00_depth.exr").write_bytes(b"v/1\x01 no picture")
    with pytest.raises(ScanError, match=r"00_depth\.npy"):
        depth_map(tmp_path / "00_depth.exr")


def test_a_picture_of_mvtec_loses_its_colours_on_the_way_to_the_golden_scan(
    tmp_path: Path,
) -> None:
    """The data set has red, green and blue; so have the models that were trained on it."""
    folder = write_mvtec3d(tmp_path / "mvtec")
    xyz = next(folder.glob("*/train/good/xyz/*.tiff"))
    bgr = cv2.imread(str(xyz.parent.parent / "rgb" / f"{xyz.stem}.png"))
    stored = np.asarray(bgr)[..., ::-1]
    np.testing.assert_array_equal(picture_of(xyz).image, stored)
    out = tmp_path / "golden"
    asked = ["convert", str(folder), "--part", "bagel", "--out", str(out)]
    assert CliRunner().invoke(app, asked).exit_code == 0
    (view,) = load_golden(out).views
    assert view.colour is not None
    np.testing.assert_array_equal(view.colour, stored)


@pytest.mark.parametrize("channels", [1, 3])
def test_a_recipe_gets_the_channels_of_a_picture_that_its_graph_takes(channels: int) -> None:
    colours = np.random.default_rng(3).integers(0, 256, (*tiny.SHAPE[2:], 3), dtype=np.uint8)
    image = TensorSpec(name="image", dtype="uint8", shape=(1, channels, *tiny.SHAPE[2:]))
    found = model_inputs(tiny.manifest(inputs=(image,)), Picture(colours), "bagel")["image"]
    if channels == 3:
        np.testing.assert_array_equal(found[0], colours.transpose(2, 0, 1))
    else:
        assert np.abs(found[0, 0] - colours @ np.array([0.299, 0.587, 0.114])).max() <= 0.51


def test_a_recipe_in_colour_takes_a_grey_picture() -> None:
    image = TensorSpec(name="image", dtype="uint8", shape=(1, 3, *tiny.SHAPE[2:]))
    grey = Picture(np.zeros(tiny.SHAPE[2:], np.uint8))
    with pytest.raises(RecipeError, match=r"image is \(1, .* takes \(3, "):
        model_inputs(tiny.manifest(inputs=(image,)), grey, "bagel")


def test_a_recipe_of_descriptors_cannot_be_judged_on_an_organised_cloud(tmp_path: Path) -> None:
    """MVTec 3D-AD tells its camera by its points: descriptors are as the box makes them."""
    picture = picture_of(next(write_mvtec3d(tmp_path).glob("*/train/good/xyz/*.tiff")))
    assert picture.depth_mm is not None
    height, width = picture.depth_mm.shape
    section = FpfhSection(normal_radius_mm=40.0, feature_radius_mm=60.0, step_px=2)
    shape = (1, 33, -(-height // 2), -(-width // 2))
    inputs = (TensorSpec(name="fpfh", dtype="float32", shape=shape),)
    asked = tiny.manifest(inputs=inputs, fpfh=section)
    found = model_inputs(asked, picture, "bagel")["fpfh"]
    fx, fy, cx, cy = np.asarray(picture.camera_matrix)[[0, 1, 0, 1], [0, 1, 2, 2]]
    v, u = np.mgrid[:height, :width]
    rays = Rays(((u - cx) / fx).astype(np.float32), ((v - cy) / fy).astype(np.float32), np.zeros(9))
    with Crew(1) as crew:
        want = fpfh(picture.depth_mm, rays, section, crew)
    assert np.count_nonzero(want)
    np.testing.assert_allclose(found[0], want, atol=0.5)


def test_a_recipe_that_compares_cannot_be_judged_on_a_camera_that_stands() -> None:
    """Of one viewpoint the golden view is known; of several nobody says which one it is."""
    recipe = recipe_of(tiny_parts())
    picture = Picture(np.zeros(tiny.SHAPE[2:], np.uint8))
    assert Standing.of(recipe) is None
    with pytest.raises(RecipeError, match="a picture without a pose has none"):
        model_inputs(recipe.manifest, picture, "bagel", Standing.of(recipe))
    alone = replace(recipe, plan=replace(recipe.plan, views=recipe.plan.views[:1]))
    found = model_inputs(recipe.manifest, picture, "bagel", Standing.of(alone))
    np.testing.assert_array_equal(found["reference"][0, 0], recipe.reference[0].image)


def test_a_recipe_that_calls_the_part_otherwise_cannot_be_judged(tmp_path: Path) -> None:
    folder, recipe = write_mvtec3d(tmp_path / "mvtec"), tmp_path / "recipe"
    write_recipe(recipe, tiny_parts())
    with pytest.raises(ScanError, match=r"recipes for \['tiny'\].*--part"):
        evaluate(Plan(source=recipe, folder=folder, store=tmp_path / "store"))
    named = Plan(source=recipe, folder=folder, store=tmp_path / "store", parts=("bagel",))
    with pytest.raises(ScanError, match="bagel/good/000: recipe tiny wants"):
        evaluate(named)
