"""A folder that is no scene ends in a traceback, or is taken for one."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import OpenEXR
import pytest
from typer.testing import CliRunner

from tests.kits.tray_of_parts import HEIGHT_PX, WIDTH_PX, Tray, regular, write
from voxgate.runtime.cli import app
from voxgate.runtime.errors import ScanError
from voxgate.runtime.scenes.open_scene import open_scene

Said = dict[str, Any]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A scene of two views, written by the kit."""
    return write(Tray(regular(1), views=2), tmp_path / "scene")


def _spoil(folder: Path, change: Callable[[Said], object]) -> None:
    path = folder / "scene.json"
    said = json.loads(path.read_text("utf-8"))
    change(said)
    path.write_text(json.dumps(said), "utf-8")


SPOILT: dict[str, tuple[Callable[[Said], object], str]] = {
    "metres": (lambda said: said.update(units="m"), "units"),
    "no matrix": (lambda said: said.pop("K"), "K"),
    "no views": (lambda said: said.update(views=[]), "views"),
    "distorted": (lambda said: said.update(distortion=[0.1, 0]), "k1 k2 p1 p2 k3"),
    "mirrored": (
        lambda said: said["views"][1]["T_world_cam"].__setitem__(0, [-1, 0, 0, 0]),
        "views.1.T_world_cam",
    ),
    "other size": (lambda said: said["image_size"].update(width=99), "expected 99"),
    "no picture": (lambda said: said["views"][0].update(image="gone.png"), "gone.png"),
    "picture as depth": (lambda said: said["views"][0].update(depth="00.png"), "16 bits"),
}


@pytest.mark.parametrize("name", SPOILT)
def test_a_scene_that_cannot_be_read_does_not_say_what_to_do(name: str, folder: Path) -> None:
    change, words = SPOILT[name]
    _spoil(folder, change)
    with pytest.raises(ScanError, match=words) as error:
        open_scene(folder)
    assert "\n" not in str(error.value)


def test_a_folder_without_a_scene_is_taken_for_one(tmp_path: Path) -> None:
    with pytest.raises(ScanError, match=r"scene\.json"):
        open_scene(tmp_path)
    with pytest.raises(ScanError, match="no such folder"):
        open_scene(tmp_path / "gone")


def test_a_published_scene_is_read_with_the_wrong_unit_or_background(tmp_path: Path) -> None:
    """camera-from-world poses in metres; the largest depth is the background."""
    source = write(Tray(regular(1), views=1), tmp_path / "own")
    own = open_scene(source)
    folder = tmp_path / "published"
    (folder / "RGB").mkdir(parents=True)
    (folder / "depth_exr").mkdir()
    (folder / "RGB" / "0000.png").write_bytes((source / "00.png").read_bytes())
    depth = (own.views[0].depth_mm / 1000).astype(np.float32)
    depth[:4] = 65.5
    OpenEXR.File({"compression": OpenEXR.ZIP_COMPRESSION}, {"V": depth}).write(
        str(folder / "depth_exr" / "0000.exr")
    )
    pose = np.linalg.inv(own.views[0].world_from_camera)
    pose[:3, 3] /= 1000
    camera = {"K": own.camera_matrix.tolist(), "poses": [{"rotation": pose.tolist()}]}
    (folder / "scene3d.metadata.json").write_text(json.dumps({"camera": camera}), "utf-8")
    read = open_scene(folder)
    assert np.allclose(read.views[0].world_from_camera, own.views[0].world_from_camera, atol=1e-6)
    assert np.isnan(read.views[0].depth_mm[:4]).all()
    assert np.nanmax(np.abs(read.views[0].depth_mm[4:] - own.views[0].depth_mm[4:])) < 0.01
    assert read.views[0].image.shape == (HEIGHT_PX, WIDTH_PX)


@pytest.mark.slow
def test_the_command_exits_with_another_code_than_its_outcome(tmp_path: Path) -> None:
    folder = write(Tray(regular(1), views=6), tmp_path / "one")
    picture = tmp_path / "tray.png"
    result = CliRunner().invoke(app, ["scene", str(folder), "--json", "--picture", str(picture)])
    said = json.loads(result.stdout)
    assert (result.exit_code, said["outcome"]) == (3, "INDETERMINATE")
    assert said["reasons"] == ["too_few_instances"]
    assert [each["odd"] for each in said["instances"]] == [None]
    assert picture.read_bytes().startswith(b"\x89PNG")
    wrong = CliRunner().invoke(app, ["scene", str(tmp_path / "gone"), "--json"])
    assert wrong.exit_code != 0


def test_a_distorted_scene_is_looked_at_as_if_its_lens_were_straight(folder: Path) -> None:
    lens = [-0.2, 0.05, 0.001, -0.002, 0.01]
    _spoil(folder, lambda said: said.update(distortion=lens))
    scene = open_scene(folder)
    rays = scene.rays()
    seen = np.stack([rays.x, rays.y, np.ones_like(rays.x)], axis=-1).astype(np.float64)
    eye, still = np.zeros(3), np.zeros(3)
    pixels, _ = cv2.projectPoints(
        seen.reshape(-1, 3), eye, still, scene.camera_matrix, np.array(lens)
    )
    v, u = np.mgrid[0:HEIGHT_PX, 0:WIDTH_PX]
    np.testing.assert_allclose(
        pixels.reshape(-1, 2), np.stack([u, v], -1).reshape(-1, 2), atol=2e-3
    )
