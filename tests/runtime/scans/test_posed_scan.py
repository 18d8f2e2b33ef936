"""A tray is played from other places than it was seen from, or leaves its copy behind."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.kits.tray_of_parts import Tray, regular, write
from voxgate.runtime.errors import ScanError
from voxgate.runtime.nouns import View
from voxgate.runtime.scans.open_scan import open_scan
from voxgate.runtime.scans.placed import placed
from voxgate.runtime.scans.posed_scan import as_scans, scene_as_scan
from voxgate.runtime.scenes.open_scene import open_scene
from voxgate.runtime.sync.synchronizer import Synchronizer

LENS = (-0.1, 0.02, 0.001, -0.001, 0.0)


def test_a_scene_is_played_from_elsewhere_or_through_another_lens(tmp_path: Path) -> None:
    folder = write(Tray(regular(1), views=3, distortion=LENS), tmp_path / "tray")
    scene = open_scene(folder)
    with as_scans([folder, tmp_path]) as (scan, untouched):
        assert untouched == tmp_path
        assert scan.name == "tray"
        read = open_scan(scan, None)
        views = list(placed(read, Synchronizer(read.calibrations, 25_000_000)))
        assert read.calibration.distortion.tolist() == list(LENS)
    assert not scan.exists()
    for view, seen in zip(views, scene.views, strict=True):
        assert isinstance(view, View)
        np.testing.assert_allclose(view.part_from_camera, seen.world_from_camera, atol=1e-6)
        np.testing.assert_array_equal(view.image, seen.image)


def test_a_scene_as_a_scan_takes_the_place_of_another_folder(tmp_path: Path) -> None:
    folder = write(Tray(regular(1), views=1), tmp_path / "tray")
    with pytest.raises(ScanError, match="exists"):
        scene_as_scan(folder, tmp_path)
