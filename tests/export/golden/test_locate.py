"""A picture without a robot is found by the golden scan: within a millimetre, or not at all."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from tests.kits.repository import BRACKET
from tests.kits.small_scan import small_bracket, write_small_scans
from voxgate.export.golden.gloss import part_points
from voxgate.export.golden.golden import Golden, load_golden
from voxgate.export.golden.locate import Locator
from voxgate.runtime.cli import app
from voxgate.runtime.errors import ScanError
from voxgate.runtime.transforms import Transform, angle_deg, apply, distance_mm, invert

pytestmark = pytest.mark.slow
MOST_MM, MOST_DEG = 2.0, 1.0


@pytest.fixture(scope="module")
def golden() -> Golden:
    """Four views of it: enough to be alike, few enough for a day's tests."""
    whole = load_golden(BRACKET / "golden", whole=True)
    return replace(whole, views=whole.views[:4])


@pytest.mark.nightly  # by day which view it is, below: where is known in large pictures only
def test_a_picture_of_another_part_is_placed_elsewhere_than_by_its_robot(golden: Golden) -> None:
    """The good part stands a little elsewhere: the same little for every one of its pictures."""
    other = load_golden(BRACKET / "good", whole=True)
    locator = Locator(golden)
    moved = []
    for number in (0, 2, 3):
        view = other.views[number]
        found = locator.locate(view.image)
        assert found.frame_id == golden.views[number].frame_id
        assert found.residual_px < 2.0
        moved.append(found.part_from_camera @ invert(view.part_from_camera))
    for each in moved[1:]:
        assert distance_mm(moved[0], each) < MOST_MM
        assert angle_deg(moved[0], each) < MOST_DEG


def test_a_picture_of_nothing_is_placed_somewhere() -> None:
    whole = load_golden(small_bracket() / "golden", whole=True)
    golden = replace(whole, views=whole.views[:4])
    seen = golden.views[2]
    assert Locator(golden).locate(seen.image).frame_id == seen.frame_id
    noise = np.random.default_rng(3).integers(0, 256, golden.rays.x.shape, dtype=np.uint8)
    for picture in (noise, np.full_like(noise, 90)):
        with pytest.raises(ScanError, match="no pose explains"):
            Locator(golden).locate(picture)
    with pytest.raises(ScanError, match=r"is 10 x 8 px"):
        Locator(golden).locate(noise[:8, :10])


@pytest.fixture(scope="module")
def coarse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example of 200 x 150 px, 2 mm each, at night too."""
    return write_small_scans(tmp_path_factory.mktemp("coarse"), 4)


@pytest.mark.parametrize("number", [2, 3])
def test_a_pose_is_further_off_than_its_fit_says(number: int, coarse: Path) -> None:
    golden, good = (load_golden(coarse / name, whole=True) for name in ("golden", "good"))
    picture = good.views[number].image
    few = replace(golden, views=golden.views[number : number + 2])
    found = Locator(few, most_mm=10.0).locate(picture)
    stood = [_instance(BRACKET / name) for name in ("golden", "good")]
    truly = stood[0] @ invert(stood[1]) @ good.views[number].part_from_camera
    points = part_points(golden.views[number], golden.rays, golden.table_z_mm)[1]
    apart = apply(invert(found.part_from_camera), points) - apply(invert(truly), points)
    assert np.linalg.norm(apart, axis=1).mean() < 3 * found.uncertain_mm
    with pytest.raises(ScanError, match=r"certain to \d\.\d mm only .*: take finer pictures"):
        Locator(few).locate(picture)


def _instance(scan: Path) -> Transform:
    """Where the part of a scan really stands."""
    return np.array(json.loads((scan / "truth.json").read_text())["T_part_instance"])


def test_a_part_that_looks_alike_from_two_sides_is_placed_on_one_of_them(coarse: Path) -> None:
    golden = load_golden(coarse / "golden", whole=True)
    seen = golden.views[2]
    side = np.diag([-1.0, -1.0, 1.0, 1.0])  # the part turned by half
    alike = replace(seen, frame_id=99, part_from_camera=side @ seen.part_from_camera)
    locator = Locator(replace(golden, views=(seen, alike)))
    with pytest.raises(ScanError, match=r"two poses explain .* golden frame \d+ by .*, 99 by"):
        locator.locate(seen.image)


def test_the_command_says_a_pose_that_its_picture_cannot_tell(coarse: Path) -> None:
    picture = sorted((coarse / "good" / "images").iterdir())[2]
    asked = ["locate", str(picture), "--scan", str(coarse / "golden"), "--json"]
    done = CliRunner().invoke(app, asked)
    assert done.exit_code == 1
    assert "most: 1): " in json.loads(done.stdout)["error"]
    allowed = CliRunner().invoke(app, [*asked, "--most-mm", "5"])
    assert json.loads(allowed.stdout)["uncertain_mm"] > 1.0


@pytest.mark.nightly
def test_the_command_says_another_pose(golden: Golden) -> None:
    picture = next(iter(sorted(Path(BRACKET / "golden" / "images").iterdir())))
    asked = ["locate", str(picture), "--scan", str(BRACKET / "golden"), "--json"]
    done = CliRunner().invoke(app, asked)
    assert done.exit_code == 0, done.output + str(done.exception)
    said = json.loads(done.stdout)
    pose = np.array(said["part_from_camera"])
    assert distance_mm(pose, golden.views[0].part_from_camera) < 0.2
