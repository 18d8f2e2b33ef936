"""Pictures are blurred, boards bend, noise has tails: what is claimed must hold there too."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
import pytest

from tests.kits.calib_kit import off, usual
from voxgate.benchmarks.calibration.calib_cell import SIZE_PX, CalibCell, Camera, Noise, make_cell
from voxgate.calib.board.detect import find_board
from voxgate.calib.board.sightings import Sighting, Sightings
from voxgate.calib.handeye.handeye import HandEye, Options, Shot, calibrate_handeye
from voxgate.calib.handeye.outliers import Expected, OutlierPose
from voxgate.calib.lens.intrinsics import Intrinsics, calibrate_lens, on_bent_board
from voxgate.calib.numerics.least_squares import Array
from voxgate.calib.numerics.twist import inverse, twist_of
from voxgate.runtime.transforms import apply

pytestmark = pytest.mark.slow

BOW_MM = (0.3, -0.15, 0.1)
Spoil = Callable[[np.random.Generator, Array], Array]


def clean(generator: np.random.Generator, pixels: Array) -> Array:
    return pixels + generator.normal(0, 0.1, pixels.shape)


def heavy_tails(generator: np.random.Generator, pixels: Array) -> Array:
    return pixels + generator.standard_t(2.5, pixels.shape) * 0.1


def by_views(generator: np.random.Generator, pixels: Array) -> Array:
    """Corners of one picture err together: it is blurred to one side, more here than there."""
    x, y = ((pixels - 400) / 400).T
    ways = np.stack([x**2, y**2, x * y, x, y, np.ones_like(x)], axis=1)
    return clean(generator, pixels + ways @ generator.normal(0, 0.15, (6, 2)))


def seen(cell: CalibCell, spoil: Spoil, seed: int, bow_mm: tuple[float, ...] = (0, 0, 0)) -> Shot:
    """Corners of a board that is bent while its description says that it is flat."""
    generator = np.random.default_rng(seed)
    points = cell.board.points_mm
    x, y = ((points - points.mean(axis=0)) / (np.ptp(points, axis=0).clip(1e-9) / 2))[:, :2].T
    real = points.copy()
    real[:, 2] = bow_mm[0] * x**2 + bow_mm[1] * y**2 + bow_mm[2] * x * y
    views = []
    for view, pose in enumerate(cell.camera_from_board):
        pixels = spoil(generator, cell.lens.project(apply(pose, real)))
        inside = ((pixels > 4) & (pixels < np.array(SIZE_PX) - 5)).all(axis=1)
        views.append(Sighting(f"{view}", points[inside], pixels[inside]))
    return Shot(Sightings.stack(views), cell.camera_from_board, cell.reported)


def solved(data: Shot) -> tuple[Intrinsics, HandEye]:
    lens = calibrate_lens(data.sightings, SIZE_PX)
    rows = [data.sightings.names.index(name) for name in lens.sightings.names]
    shot = Shot(lens.sightings, lens.poses, data.flanges[rows])
    return lens, calibrate_handeye(shot, lens.lens, Options(refine_lens=True), _unexplained)


def _unexplained(view: int, expected: Expected) -> OutlierPose:
    return OutlierPose(str(view), 0.0, 0.0, "")


def test_bent_board_is_not_taken_for_another_lens() -> None:
    cell = usual(1)
    other, _ = solved(seen(cell, clean, 1, tuple(-bow for bow in BOW_MM)))
    lens, found = solved(seen(cell, clean, 1, BOW_MM))
    assert lens.bent_mm == pytest.approx(0.45, abs=0.05)
    assert lens.lens.values[:4] == pytest.approx(other.lens.values[:4], abs=0.05)
    assert np.abs(lens.lens.values[:2] / cell.lens.values[:2] - 1).max() < 0.001
    assert off(found.x, cell.x)[0] < 0.15


def test_flat_board_is_not_called_bent() -> None:
    lens, _ = solved(seen(usual(1), clean, 1))
    assert lens.bent_mm < 0.06


def test_bow_is_found_by_a_lens_that_is_known() -> None:
    cell = usual(1)
    data = seen(cell, clean, 1, BOW_MM)
    bowed, poses = on_bent_board(data.sightings, cell.lens, cell.camera_from_board)
    assert np.ptp(bowed.points_mm[:, 2]) == pytest.approx(0.45, abs=0.05)
    assert len(poses) == len(cell.camera_from_board)


@cache
def lengths(spoil: Spoil, cells: int, bow_mm: tuple[float, ...] = (0, 0, 0)) -> tuple[float, float]:
    """Mean square of the errors of lens and X over what is claimed, per unknown: 1 is due."""
    lens_length, x_length = 0.0, 0.0
    for seed in range(cells):
        cell = make_cell(seed)
        lens, found = solved(seen(cell, spoil, seed + 1000, bow_mm))
        wrong = lens.lens.values - cell.lens.values
        lens_length += float(wrong @ np.linalg.solve(lens.covariance, wrong) / len(wrong)) / cells
        twist = twist_of(inverse(found.x[None])[0] @ cell.x)
        x_length += float(twist @ np.linalg.solve(found.covariance, twist) / 6) / cells
    return lens_length, x_length


@pytest.mark.nightly
@pytest.mark.parametrize(
    ("spoil", "bow_mm", "most"),
    [
        (clean, (0.0, 0.0, 0.0), 1.3),
        (heavy_tails, (0.0, 0.0, 0.0), 1.6),
        (clean, BOW_MM, 1.3),
        # 25 views do not show how they spread in 21 directions
        (by_views, (0.0, 0.0, 0.0), 2.6),
    ],
)
def test_errors_are_as_large_as_is_claimed(
    spoil: Spoil, bow_mm: tuple[float, ...], most: float
) -> None:
    assert min(lengths(spoil, 16, bow_mm)) > 0.5
    assert max(lengths(spoil, 16, bow_mm)) < most


def test_pictures_that_err_each_on_its_own_claim_less() -> None:
    cell = usual(2)
    honest, _ = solved(seen(cell, clean, 2))
    spoilt, _ = solved(seen(cell, by_views, 2))
    ratio = spoilt.sigma[:4] / honest.sigma[:4]
    by_noise = spoilt.noise_px / honest.noise_px
    assert (ratio > 1.5 * by_noise).any()


@pytest.mark.nightly
def test_rendered_pictures_with_blur_bow_and_robot_error_are_covered() -> None:
    total, cells = 0.0, 4
    for seed in range(cells):
        cell = make_cell(seed, 20, noise=Noise(robot_mm=0.1, robot_deg=0.02))
        camera = Camera(cell.lens, cell.board, bow_mm=BOW_MM, blur_px=1.2)
        found = [
            find_board(camera.render(pose, view), cell.board, str(view))
            for view, pose in enumerate(cell.camera_from_board)
        ]
        rows = [view for view, each in enumerate(found) if each is not None]
        stack = Sightings.stack([each for each in found if each is not None])
        _, x = solved(Shot(stack, cell.camera_from_board[rows], cell.reported[rows]))
        twist = twist_of(inverse(x.x[None])[0] @ cell.x)
        total += float(twist @ np.linalg.solve(x.covariance, twist)) / 6 / cells
    assert total < 2.0
