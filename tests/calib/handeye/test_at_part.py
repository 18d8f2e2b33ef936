"""A standard deviation in radians says nothing to who inspects: what it does at the part does."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.kits.calib_kit import lens_found, shot, usual
from voxgate.benchmarks.calibration.calib_cell import SIZE_PX
from voxgate.calib.board.sightings import Sighting, Sightings
from voxgate.calib.gates import HANDEYE, for_voxels
from voxgate.calib.handeye.at_part import at_part_mm, pose_to_add, robot_at_part_mm, two_numbers
from voxgate.calib.handeye.handeye import HandEye, Options, Shot, calibrate_handeye
from voxgate.calib.handeye.outliers import Expected, OutlierPose
from voxgate.calib.numerics.least_squares import Array
from voxgate.calib.numerics.twist import inverse
from voxgate.calib.robot_poses.pose_forms import PoseForm
from voxgate.runtime.transforms import apply

pytestmark = pytest.mark.slow


def solved(data: Shot) -> HandEye:
    return calibrate_handeye(data, usual(0).lens, Options(), _unexplained)


def _unexplained(view: int, expected: Expected) -> OutlierPose:
    return OutlierPose(str(view), 0.0, 0.0, "")


def test_error_at_the_part_is_what_moves_there() -> None:
    """Against draws of the camera's place, which know nothing of derivatives."""
    found = solved(shot(0, views=12))
    generator = np.random.default_rng(0)
    draws = generator.multivariate_normal(np.zeros(6), found.covariance, 400)
    middle = found.shot.sightings.points_mm.mean(axis=0)
    points = np.array([apply(seen, middle[None])[0] for seen in found.shot.seen])
    off = np.array([_moved(draw, points) - points for draw in draws])
    assert at_part_mm(found) == pytest.approx(np.sqrt((off**2).sum(axis=2).mean()), rel=0.1)


@pytest.mark.nightly
def test_lens_and_place_that_make_up_for_each_other_are_no_error_at_the_part() -> None:
    """Fitted together, a principal point to the left and a camera that looks to the right see the
    same: the claim at the part is far below what the turn alone would do there. Against cells whose
    truth is known."""
    off_mm, claimed_mm = [], []
    for seed in range(4):
        cell, lens = usual(seed), lens_found(seed)
        data = shot(seed)
        found = calibrate_handeye(data, lens.lens, Options(refine_lens=True), _unexplained)
        middle = data.sightings.points_mm.mean(axis=0)
        points = np.array([apply(seen, middle[None])[0] for seen in cell.camera_from_board])
        rays = found.lens.normalised(cell.lens.project(points))
        again = np.column_stack([rays, np.ones(len(rays))]) * points[:, 2:]
        off_mm.append(np.linalg.norm(apply(found.x, again) - apply(cell.x, points), axis=1))
        claimed_mm.append(at_part_mm(found))
    ratio = np.sqrt((np.array(off_mm) ** 2).mean()) / np.sqrt((np.array(claimed_mm) ** 2).mean())
    assert 0.5 < ratio < 1.8


def _moved(draw: Array, points: Array) -> Array:
    turn = draw[:3]
    return points + np.cross(turn, points) + draw[3:]


def test_pose_that_is_proposed_keeps_its_promise() -> None:
    """It is taken in the same cell, and the claim falls to about what was said."""
    cell, data = usual(0), shot(0, views=9)
    found = solved(data)
    proposal = pose_to_add(found)
    assert proposal is not None
    assert proposal.at_part_mm < at_part_mm(found)
    seen = inverse((proposal.flange @ usual(0, 9).x)[None])[0] @ usual(0, 9).z
    points = cell.board.points_mm
    pixels = cell.lens.project(apply(seen, points))
    inside = ((pixels > 4) & (pixels < np.array(SIZE_PX) - 5)).all(axis=1)
    assert inside.mean() > 0.5
    pixels = pixels + np.random.default_rng(5).normal(0, 0.1, pixels.shape)
    sightings = [data.sightings.of(view) for view in range(len(data.seen))]
    more = Shot(
        Sightings.stack([*sightings, Sighting("new", points[inside], pixels[inside])]),
        np.concatenate([data.seen, seen[None]]),
        np.concatenate([data.flanges, proposal.flange[None]]),
    )
    assert at_part_mm(solved(more)) == pytest.approx(proposal.at_part_mm, rel=0.4)


def test_both_numbers_are_told_in_the_robots_own_form() -> None:
    words = two_numbers(solved(shot(0, views=9)), PoseForm("zyx"))
    assert "puts a point off by" in words[0]
    assert "zyx in degrees" in words[1]


def test_robots_error_at_the_part_has_its_lever() -> None:
    found = solved(shot(0))
    far = replace(found, robot_deg=1.0, robot_mm=0.0)
    away = np.linalg.norm((found.x @ found.shot.seen)[:, :3, 3], axis=1).mean()
    assert robot_at_part_mm(far) == pytest.approx(np.sqrt(2) * np.radians(1) * away, rel=0.1)


def test_limits_at_the_part_grow_with_the_recipes_voxel() -> None:
    fine, coarse = for_voxels(HANDEYE, 1.0), for_voxels(HANDEYE, 4.0)
    assert coarse["at_part_max_mm"].value == 4 * fine["at_part_max_mm"].value
    assert coarse["position_rms_max_mm"].value == 4 * fine["position_rms_max_mm"].value
    assert coarse["distance_min_mm"] == fine["distance_min_mm"]
