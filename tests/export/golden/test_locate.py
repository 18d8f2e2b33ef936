"""A picture without a robot is found by the golden scan: within a millimetre, or not at all."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from tests.kits.repository import BRACKET
from tests.kits.small_scan import small_bracket
from voxgate.export.golden.golden import Golden, load_golden
from voxgate.export.golden.locate import Locator
from voxgate.runtime.cli import app
from voxgate.runtime.errors import ScanError
from voxgate.runtime.transforms import angle_deg, distance_mm, invert

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


@pytest.mark.nightly
def test_the_command_says_another_pose(golden: Golden) -> None:
    picture = next(iter(sorted(Path(BRACKET / "golden" / "images").iterdir())))
    asked = ["locate", str(picture), "--scan", str(BRACKET / "golden"), "--json"]
    done = CliRunner().invoke(app, asked)
    assert done.exit_code == 0, done.output + str(done.exception)
    said = json.loads(done.stdout)
    pose = np.array(said["part_from_camera"])
    assert distance_mm(pose, golden.views[0].part_from_camera) < 0.2
