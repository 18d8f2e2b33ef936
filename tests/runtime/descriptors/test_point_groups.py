"""The same groups for the same depth, and those that Point-MAE's authors would take."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from tests.kits import scene
from voxgate.runtime.descriptors.point_groups import point_groups, sampled_cloud
from voxgate.runtime.geometry.rays import Rays
from voxgate.runtime.recipe.sections.shapes import PointsSection

SECTION = PointsSection(groups=12, group_size=9, side_px=24)


def rough_depth(rays: Rays, seed: int = 3) -> npt.NDArray[np.float32]:
    """A slope with lumps, mm, and a third of it without a return."""
    rng = np.random.default_rng(seed)
    depth_mm = 300.0 + 40.0 * rays.x + rng.normal(0.0, 4.0, rays.x.shape)
    depth_mm[rng.random(rays.x.shape) < 0.3] = np.nan
    return depth_mm.astype(np.float32)


def blocks(found: npt.NDArray[np.float32], asked: PointsSection) -> list[npt.NDArray[np.float32]]:
    members = asked.groups * asked.group_size
    return np.split(found, np.cumsum([asked.groups, members, asked.side_px**2]))


@pytest.mark.parametrize("fit", ["pad", "stretch"])
def test_groups_are_not_those_of_the_published_sampling(fit: str) -> None:
    """Worked out again by sorting all distances: the farthest point, the nearest, the three."""
    rays = scene.rays()
    asked = SECTION.model_copy(update={"fit": fit})
    depth_mm = rough_depth(rays)
    centres, members, near, shares = blocks(point_groups(depth_mm, rays, asked), asked)
    cloud = looked_up(depth_mm, rays, asked)
    pixel = [at for at, point in enumerate(cloud) if point[2] > 0]
    points = cloud[pixel]
    chosen = [0]
    while len(chosen) < asked.groups:
        apart = ((points[:, None] - points[chosen][None]) ** 2).sum(-1).min(1)
        chosen.append(int(np.argmax(apart)))
    assert np.array_equal(centres, points[chosen].astype(np.float32))
    for number, at in enumerate(chosen):
        order = np.argsort(((points - points[at]) ** 2).sum(-1), kind="stable")
        want = points[np.sort(order[: asked.group_size])] - points[at]
        own = members[number * asked.group_size :][: asked.group_size]
        assert np.allclose(sorted(map(tuple, own)), sorted(map(tuple, want)), atol=1e-9)
    apart = ((points[:, None] - points[chosen][None]) ** 2).sum(-1)
    order = np.argsort(apart, axis=1, kind="stable")[:, :3]
    assert np.array_equal(near[pixel], order.astype(np.float32))
    inverse = 1.0 / (np.take_along_axis(apart, order, 1) + 1e-8)
    assert np.allclose(shares[pixel], inverse / inverse.sum(1, keepdims=True), atol=1e-6)
    silent = np.setdiff1d(np.arange(len(cloud)), pixel)
    assert not near[silent].any()
    assert not shares[silent].any()


def looked_up(
    depth_mm: npt.NDArray[np.float32], rays: Rays, asked: PointsSection
) -> npt.NDArray[np.float64]:
    """(side * side, 3) m: pixel by pixel, the square first."""
    height, width = depth_mm.shape
    square = max(height, width)
    top, left = (square - height) // 2, (square - width) // 2
    found = np.zeros((asked.side_px, asked.side_px, 3))
    for row in range(asked.side_px):
        for column in range(asked.side_px):
            if asked.fit == "pad":
                v = row * square // asked.side_px - top
                u = column * square // asked.side_px - left
            else:
                v, u = row * height // asked.side_px, column * width // asked.side_px
            if 0 <= v < height and 0 <= u < width and depth_mm[v, u] > 0:
                z = float(depth_mm[v, u]) / 1000.0
                found[row, column] = float(rays.x[v, u]) * z, float(rays.y[v, u]) * z, z
    return found.reshape(-1, 3)


def test_equally_far_points_are_drawn_by_chance() -> None:
    """A board seen straight on: nearly every distance is there more than once."""
    rays = scene.rays()
    flat = np.full(rays.x.shape, 250.0, np.float32)
    one, other = (point_groups(flat, rays, SECTION) for _ in range(2))
    assert np.array_equal(one, other)
    centres, members, *_ = blocks(one, SECTION)
    cloud, measured = sampled_cloud(flat, rays, SECTION)
    assert np.array_equal(centres[0], cloud[measured][0].astype(np.float32))
    assert len({tuple(member) for member in members[: SECTION.group_size]}) == SECTION.group_size


def test_a_view_of_few_points_or_none_is_taken_for_one_of_many() -> None:
    rays = scene.rays()
    empty = np.full(rays.x.shape, np.nan, np.float32)
    assert not point_groups(empty, rays, SECTION).any()
    few = empty.copy()
    rows, columns = (np.linspace(0, n - 1, 4).astype(int) for n in few.shape)
    for v, u in zip(rows[1:3], columns[1:3], strict=True):
        few[v - 3 : v + 4, u - 3 : u + 4] = 250.0
    section = PointsSection(groups=12, group_size=40, side_px=24)
    found = point_groups(few, rays, section)
    assert np.isfinite(found).all()
    shares = blocks(found, section)[3].sum(axis=1)
    _, measured = sampled_cloud(few, rays, section)
    assert measured.any()
    assert np.allclose(shares[measured], 1.0, atol=1e-6)
    assert not shares[~measured].any()


def test_another_pictures_rays_are_taken() -> None:
    with pytest.raises(ValueError, match="one shape"):
        point_groups(np.ones((3, 3), np.float32), scene.rays(), SECTION)
