"""Posed pictures with depth as NeRF tools write them: the same scan, whoever wrote it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from tests.kits.layouts_kit import write_mad
from tests.kits.small_scan import small_bracket
from voxgate.export.golden.golden import Golden, load_golden
from voxgate.runtime.cli import app
from voxgate.runtime.errors import ScanError


def write_posed(folder: Path, golden: Golden, mm_per_unit: float) -> dict[str, Any]:
    """The golden views in OpenGL's axes and another unit; depth in tenths of a millimetre."""
    folder.mkdir()
    frames = []
    for number, view in enumerate(golden.views):
        depth_mm = view.depth_mm
        assert depth_mm is not None
        cv2.imwrite(str(folder / f"{number}.png"), view.image)
        counts = np.rint(np.nan_to_num(depth_mm, nan=0.0) * 10).astype(np.uint16)
        cv2.imwrite(str(folder / f"{number}_depth.png"), counts)
        x, y, z, p = view.part_from_camera[:3].T
        matrix = np.eye(4)
        matrix[:3] = np.stack([x, -y, -z, p / mm_per_unit], axis=1)
        frames.append(
            {
                "file_path": str(number),
                "depth_file_path": f"{number}_depth.png",
                "transform_matrix": matrix.tolist(),
            }
        )
    k = golden.scan.calibration.camera_matrix
    said: dict[str, Any] = {
        "fl_x": k[0, 0], "fl_y": k[1, 1], "cx": k[0, 2] + 0.5, "cy": k[1, 2] + 0.5,
        "depth_unit_scale_factor": 0.1 / mm_per_unit, "frames": frames,
    }  # fmt: skip
    (folder / "transforms.json").write_text(json.dumps(said))
    return said


@pytest.fixture(scope="module")
def golden() -> Golden:
    return load_golden(small_bracket() / "golden")


def convert(source: Path, out: Path, *more: str) -> Any:
    return CliRunner().invoke(app, ["convert", str(source), "--out", str(out), *more])


def test_posed_pictures_become_another_part(golden: Golden, tmp_path: Path) -> None:
    write_posed(tmp_path / "posed", golden, 10.0)
    done = convert(tmp_path / "posed", tmp_path / "scan", "--unit-mm", "10")
    assert done.exit_code == 0, done.output + str(done.exception)
    found = load_golden(tmp_path / "scan")
    assert len(found.views) == len(golden.views)
    for one, other in zip(found.views, golden.views, strict=True):
        np.testing.assert_array_equal(one.image, other.image)
        assert np.abs(one.part_from_camera - other.part_from_camera).max() < 1e-3
        assert one.depth_mm is not None
        assert other.depth_mm is not None
        assert np.nanmax(np.abs(one.depth_mm - other.depth_mm)) < 0.1
    lens = found.scan.calibration.camera_matrix - golden.scan.calibration.camera_matrix
    assert np.abs(lens).max() < 1e-6


def test_poses_without_depth_are_one_line(tmp_path: Path) -> None:
    folder = write_mad(tmp_path / "mad")
    frames = [{"file_path": "train/good/0.png", "transform_matrix": np.eye(4).tolist()}]
    said = {"camera_angle_x": 0.7, "frames": frames}
    (folder / "01Gorilla" / "transforms.json").write_text(json.dumps(said))
    done = convert(folder, tmp_path / "scan", "--part", "01Gorilla")
    assert isinstance(done.exception, ScanError)
    assert "no depth_file_path" in str(done.exception)
    assert not (tmp_path / "scan").exists()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"k1": 0.1}, "undistort"),
        ({"frames": []}, "no frames"),
        ({"fl_x": None}, "camera_angle_x"),
        ({"fl_x": 0}, "needs fl_x and fl_y"),
        ({"fl_y": -300.0}, "needs fl_x and fl_y"),
        ({"fl_x": True, "fl_y": True}, "needs fl_x and fl_y"),
        ({"fl_x": None, "camera_angle_x": 0.0}, "camera_angle_x, radians"),
        ({"fl_x": None, "camera_angle_x": 45}, "camera_angle_x, radians"),
        ({"depth_unit_scale_factor": 0}, "depth_unit_scale_factor is 0"),
        ({"depth_unit_scale_factor": -0.001}, "above 0"),
        ({"depth_unit_scale_factor": "0.001"}, "depth_unit_scale_factor is '0.001'"),
        ({"w": 800, "h": 600}, "800 x 600"),
        ({"camera_model": "OPENCV_FISHEYE"}, "OPENCV_FISHEYE"),
        ({"is_fisheye": True}, "is_fisheye"),
        ({"frames": [{"file_path": "0", "depth_file_path": "99.png"}]}, "no such file"),
        ({"frames": [{"file_path": "0", "depth_file_path": "0_depth.png"}]}, "transform_matrix"),
    ],
)
def test_a_file_of_poses_that_does_not_fit_is_one_line(
    change: dict[str, Any], words: str, golden: Golden, tmp_path: Path
) -> None:
    said = write_posed(tmp_path / "posed", golden, 1000.0)
    (tmp_path / "posed" / "transforms.json").write_text(json.dumps(said | change))
    done = convert(tmp_path / "posed", tmp_path / "scan")
    assert isinstance(done.exception, ScanError), done.output
    assert words in str(done.exception)
    assert "\n" not in str(done.exception)


def test_a_frame_without_a_depth_becomes_a_scan_that_no_one_learns_from(
    golden: Golden, tmp_path: Path
) -> None:
    said = write_posed(tmp_path / "posed", golden, 1000.0)
    depth = tmp_path / "posed" / said["frames"][3]["depth_file_path"]
    cv2.imwrite(str(depth), np.zeros(golden.views[0].image.shape, np.uint16))
    done = convert(tmp_path / "posed", tmp_path / "scan")
    assert isinstance(done.exception, ScanError), done.output
    assert "frames.3" in str(done.exception)
    assert "no pixel has a depth: leave the frame out" in str(done.exception)


def test_every_picture_of_another_lens_is_taken_for_the_first_ones(
    golden: Golden, tmp_path: Path
) -> None:
    said = write_posed(tmp_path / "posed", golden, 1000.0)
    lens = {name: said.pop(name) for name in ("fl_x", "fl_y", "cx", "cy")}
    for frame in said["frames"]:
        frame |= lens
    (tmp_path / "posed" / "transforms.json").write_text(json.dumps(said))
    done = convert(tmp_path / "posed", tmp_path / "scan")
    assert done.exit_code == 0, done.output + str(done.exception)
    found = load_golden(tmp_path / "scan").scan.calibration.camera_matrix
    assert np.abs(found - golden.scan.calibration.camera_matrix).max() < 1e-6
    said["frames"][5]["fl_x"] += 3.0
    (tmp_path / "posed" / "transforms.json").write_text(json.dumps(said))
    done = convert(tmp_path / "posed", tmp_path / "other")
    assert isinstance(done.exception, ScanError), done.output
    assert "frames.5: another fl_x" in str(done.exception)
    assert not (tmp_path / "other").exists()


def test_a_smaller_picture_among_others_becomes_a_scan_that_no_one_reads(
    golden: Golden, tmp_path: Path
) -> None:
    write_posed(tmp_path / "posed", golden, 1000.0)
    for name in ("4.png", "4_depth.png"):
        whole = cv2.imread(str(tmp_path / "posed" / name), cv2.IMREAD_UNCHANGED)
        assert whole is not None
        cv2.imwrite(str(tmp_path / "posed" / name), whole[::2, ::2])
    done = convert(tmp_path / "posed", tmp_path / "scan")
    assert "frames.4: a picture of" in str(done.exception)
    assert not (tmp_path / "scan").exists()
