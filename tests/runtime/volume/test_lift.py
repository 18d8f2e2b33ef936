"""Lift and fuse: every pixel is accounted for, and no number depends on threads or storage."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from threading import Event

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voxgate.runtime.common.crew import Crew
from voxgate.runtime.geometry.rays import Rays
from voxgate.runtime.transforms import Transform, from_position_quaternion
from voxgate.runtime.volume.grid import GridSpec
from voxgate.runtime.volume.lift import LiftCounts, lift, lift_points, warm_up
from voxgate.runtime.volume.volume import Volume, Voxels

GRID = GridSpec((-20.0, -15.0, -10.0), (21, 17, 13), 2.0)


@pytest.fixture(scope="module")
def one() -> Iterator[Crew]:
    with Crew(1) as crew:
        yield crew


@pytest.fixture(scope="module")
def two() -> Iterator[Crew]:
    with Crew(2) as crew:
        warm_up(crew)
        yield crew


def _rays(height: int = 24, width: int = 32) -> Rays:
    v, u = np.mgrid[0:height, 0:width]
    focal = width * 1.9
    x = ((u - width / 2) / focal).astype(np.float32)
    y = ((v - height / 2) / focal).astype(np.float32)
    return Rays(x, y, np.array([focal, focal, width / 2, height / 2, 0, 0, 0, 0, 0], np.float64))


def _random_view(
    seed: int,
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32], Transform]:
    """Scores, depth with holes, and a camera about 60 mm from the grid's middle."""
    random = np.random.default_rng(seed)
    score = random.gamma(1.0, 0.4, (24, 32)).astype(np.float32)
    depth = random.uniform(40, 80, (24, 32)).astype(np.float32)
    depth[random.random(depth.shape) < 0.2] = np.nan
    q = random.normal(size=4)
    pose = from_position_quaternion((0, 0, 0), q / np.linalg.norm(q))
    pose[:3, 3] = pose[:3, :3] @ (0, 0, -60.0) + random.normal(0, 2, 3)
    return score, depth, pose


def _obvious(
    volume: Volume,
    score: npt.NDArray[np.float32],
    depth: npt.NDArray[np.float32],
    rays: Rays,
    part_from_camera: Transform,
    maximum: npt.NDArray[np.float32],
    hits: npt.NDArray[np.int64],
) -> LiftCounts:
    """The same formula in plain numpy: float32, one operation after the other."""
    grid = volume.grid
    matrix = part_from_camera[:3].copy()
    matrix[:, 3] -= grid.origin_mm
    m = (matrix / grid.voxel_mm).astype(np.float32)
    x, y = rays.x * depth, rays.y * depth
    g = [m[a, 0] * x + m[a, 1] * y + m[a, 2] * depth + m[a, 3] for a in range(3)]
    valid = depth > 0
    table = np.float32((volume.table_z_mm - grid.origin_mm[2]) / grid.voxel_mm)
    below = valid & (g[2] < table)
    inside = valid & ~below
    for axis in range(3):
        inside &= (g[axis] >= 0) & (g[axis] < np.float32(grid.shape[axis]))
    i, j, k = (g[axis][inside].astype(int) for axis in range(3))
    np.maximum.at(maximum, (i, j, k), score[inside])
    np.add.at(hits, (i, j, k), 1)
    lifted, table_count = int(inside.sum()), int(below.sum())
    invalid = int((~valid).sum())
    outside = depth.size - lifted - table_count - invalid
    stray = int((valid & ~below & ~inside & (score >= 1)).sum())
    return LiftCounts(lifted, outside, invalid, table_count, 0, stray)


def _assert_same(voxels: Voxels, other: Voxels) -> None:
    np.testing.assert_array_equal(voxels.ijk, other.ijk)
    np.testing.assert_array_equal(voxels.score, other.score)
    np.testing.assert_array_equal(voxels.hits, other.hits)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), sparse=st.booleans(), threads=st.sampled_from([1, 2]))
def test_the_volume_is_what_plain_numpy_computes(
    one: Crew, two: Crew, seed: int, sparse: bool, threads: int
) -> None:
    volume = Volume(GRID, table_z_mm=-6.0, sparse=sparse)
    maximum, hits = np.zeros(GRID.shape, np.float32), np.zeros(GRID.shape, np.int64)
    for view in range(3):
        score, depth, pose = _random_view(seed + view)
        expected = _obvious(volume, score, depth, _rays(), pose, maximum, hits)
        assert lift(volume, score, depth, _rays(), pose, view, one if threads == 1 else two) == (
            expected
        )
    occupied = volume.occupied()
    np.testing.assert_array_equal(occupied.ijk, np.argwhere(hits))
    np.testing.assert_array_equal(occupied.score, maximum[hits > 0])
    np.testing.assert_array_equal(occupied.hits, hits[hits > 0])
    above = volume.above(1.0)
    np.testing.assert_array_equal(above.ijk, np.argwhere(maximum >= 1.0))


def _large_view(seed: int) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    random = np.random.default_rng(seed)
    depth = random.uniform(590, 610, (600, 800)).astype(np.float32)
    depth[random.random(depth.shape) < 0.3] = np.nan
    return random.random((600, 800), np.float32) * 1.2, depth


@pytest.mark.parametrize("sparse", [False, True], ids=["dense", "sparse"])
def test_two_threads_give_the_bits_of_one(one: Crew, two: Crew, sparse: bool) -> None:
    rays = _rays(600, 800)
    grid = GridSpec((-200.0, -200.0, -20.0), (100, 100, 10), 4.0)
    pose = from_position_quaternion((0, 0, -580), (1, 0, 0, 0))
    volumes = [Volume(grid, sparse=sparse), Volume(grid, sparse=sparse)]
    for view in range(3):
        score, depth = _large_view(view)
        counts = [
            lift(volume, score, depth, rays, pose, view, crew)
            for volume, crew in zip(volumes, (one, two), strict=True)
        ]
        assert counts[0] == counts[1]
        assert counts[0].lifted > 50_000
    _assert_same(volumes[0].occupied(), volumes[1].occupied())
    for view in range(3):
        np.testing.assert_array_equal(
            np.concatenate(volumes[0].supports[view]), np.concatenate(volumes[1].supports[view])
        )


def test_dense_and_sparse_volumes_hold_the_same_numbers(two: Crew) -> None:
    rays = _rays(600, 800)
    grid = GridSpec((-101.0, -99.0, -20.0), (67, 66, 31), 3.0)
    pose = from_position_quaternion((1.5, 0.3, -580), (1, 0, 0, 0))
    dense, sparse = Volume(grid, sparse=False), Volume(grid, sparse=True)
    for view in range(2):
        score, depth = _large_view(view)
        assert lift(dense, score, depth, rays, pose, view, two) == lift(
            sparse, score, depth, rays, pose, view, two
        )
    _assert_same(dense.occupied(), sparse.occupied())
    _assert_same(dense.above(1.1), sparse.above(1.1))


@pytest.mark.parametrize("sparse", [False, True], ids=["dense", "sparse"])
def test_an_empty_volume_has_no_peak_and_a_clean_one_has_zero(one: Crew, sparse: bool) -> None:
    volume = Volume(GRID, sparse=sparse)
    assert volume.peak is None
    point = np.ones((1, 3), np.float32)
    lift_points(volume, point, np.zeros(1, np.float32), 0, one)
    assert volume.peak == 0.0
    lift_points(volume, point, np.full(1, 2.5, np.float32), 1, one)
    assert volume.peak == 2.5


@pytest.mark.parametrize("sparse", [False, True], ids=["dense", "sparse"])
def test_a_cleared_volume_remembers_nothing(one: Crew, sparse: bool) -> None:
    volume, fresh = Volume(GRID, sparse=sparse), Volume(GRID, sparse=sparse)
    lift(volume, *_random_view(1)[:2], _rays(), _random_view(1)[2], 0, one)
    volume.clear()
    assert volume.occupied().ijk.size == 0
    assert not volume.supports
    for target in (volume, fresh):
        score, depth, pose = _random_view(2)
        lift(target, score, depth, _rays(), pose, 0, one)
    _assert_same(volume.occupied(), fresh.occupied())


def test_points_beyond_the_memory_budget_are_counted_as_dropped(one: Crew) -> None:
    grid = GridSpec((0.0, 0.0, 0.0), (1000, 1000, 1000), 0.5)
    volume = Volume(grid, memory_mb=1)
    points = np.random.default_rng(0).uniform(0, 500, (20_000, 3)).astype(np.float32)
    counts = lift_points(volume, points, np.ones(len(points), np.float32), 0, one)
    assert counts.dropped > 0
    assert counts.lifted + counts.dropped == len(points)
    assert volume.occupied().hits.sum() == counts.lifted
    assert volume.used_bytes < 1.1 * 2**20


def test_a_voxel_hit_more_often_than_its_counter_holds_stays_full(one: Crew) -> None:
    volume = Volume(GridSpec((0.0, 0.0, 0.0), (4, 4, 4), 1.0))
    points = np.full((70_000, 3), 1.5, np.float32)
    lift_points(volume, points, np.zeros(len(points), np.float32), 0, one)
    assert volume.occupied().hits.tolist() == [65_535]


def test_points_outside_invalid_and_on_the_table_are_told_apart(one: Crew) -> None:
    volume = Volume(GridSpec((0.0, 0.0, -2.0), (4, 4, 4), 1.0), table_z_mm=0.5)
    points = np.array(
        [[1, 1, 1], [9, 1, 1], [np.nan, 1, 1], [1, np.inf, 1], [1, 1, 0.4], [1, 1, -50]], np.float32
    )
    counts = lift_points(volume, points, np.full(6, 2.0, np.float32), 3, one)
    assert counts == LiftCounts(lifted=1, outside=1, invalid=2, table=2, dropped=0, stray=1)
    assert volume.above().ijk.tolist() == [[1, 1, 3]]
    np.testing.assert_array_equal(np.concatenate(volume.supports[3]), volume.above().ids)


def test_infinite_and_negative_depth_never_reach_a_voxel(one: Crew) -> None:
    volume = Volume(GRID)
    depth = np.full((24, 32), np.inf, np.float32)
    depth[0] = -60.0
    score, _, pose = _random_view(0)
    counts = lift(volume, score, depth, _rays(), pose, 0, one)
    assert (counts.lifted, counts.invalid) == (0, 32)


def test_read_only_and_strided_input_gives_the_same_volume(one: Crew) -> None:
    score, depth, pose = _random_view(5)
    wide = np.repeat(depth, 2, axis=1)
    frozen = score.copy()
    frozen.setflags(write=False)
    first, second = Volume(GRID), Volume(GRID)
    lift(first, score, depth, _rays(), pose, 0, one)
    lift(second, frozen, wide[:, ::2], _rays(), pose, 0, one)
    _assert_same(first.occupied(), second.occupied())


def test_a_score_map_of_another_size_is_refused(one: Crew) -> None:
    score, depth, pose = _random_view(5)
    with pytest.raises(ValueError, match="one shape"):
        lift(Volume(GRID), score[:-1], depth, _rays(), pose, 0, one)
    with pytest.raises(ValueError, match=r"\(3, 3\) points"):
        lift_points(Volume(GRID), np.zeros((2, 3), np.float32), np.zeros(3, np.float32), 0, one)


def test_lifting_works_from_a_thread_that_is_not_the_main_one(one: Crew) -> None:
    score, depth, pose = _random_view(5)
    here, there = Volume(GRID), Volume(GRID)
    lift(here, score, depth, _rays(), pose, 0, one)
    with Crew(2) as outer, Crew(2) as inner:
        outer.run(
            lambda index: lift(there, score, depth, _rays(), pose, 0, inner) if index == 1 else None
        )
    _assert_same(here.occupied(), there.occupied())


def test_a_few_points_wait_for_no_helper(one: Crew, two: Crew) -> None:
    volumes, written = (Volume(GRID), Volume(GRID)), Event()
    points = np.random.default_rng(3).uniform(-15.0, 15.0, (500, 3)).astype(np.float32)
    score = np.linspace(0.0, 2.0, 500, dtype=np.float32)

    def write() -> None:
        lift_points(volumes[0], points, score, 0, two)
        written.set()

    _, in_time = two.both(write, lambda: written.wait(5.0))
    assert in_time
    lift_points(volumes[1], points, score, 0, one)
    _assert_same(volumes[0].occupied(), volumes[1].occupied())


HALF_MILLIMETRE_ON_HALF_A_METRE = """
import numpy as np, psutil
from voxgate.runtime.common.crew import Crew
from voxgate.runtime.volume.grid import GridSpec
from voxgate.runtime.volume.lift import lift_points, warm_up
from voxgate.runtime.volume.volume import Volume
crew = Crew(1)
warm_up(crew)
before = psutil.Process().memory_info().rss
volume = Volume(GridSpec((-255.0, -255.0, -5.0), (1020, 1020, 1020), 0.5))
assert volume.sparse
# four walls and a lid of a 500 mm box, tilted so that no face lies in one layer of blocks
step = np.arange(-250, 250, 0.4, dtype=np.float32)
u, v = (a.ravel() for a in np.meshgrid(step, step))
faces = [(u, v, 495 + u * 0.01)]
for side in (-248, 248):
    faces += [(u, side + v * 0.005, v + 250), (side + v * 0.005, u, v + 250)]
dropped = 0
for number, face in enumerate(faces):
    points = np.stack(face, axis=1)
    score = np.zeros(len(points), np.float32)
    dropped += lift_points(volume, points, score, number, crew).dropped
    del points, score
grown = psutil.Process().memory_info().rss - before
assert dropped == 0, dropped
assert volume.used_bytes < 300e6, volume.used_bytes
assert grown < 300e6, grown
"""


@pytest.mark.slow
def test_half_millimetre_voxels_on_a_half_metre_part_stay_below_300_mb() -> None:
    subprocess.run([sys.executable, "-c", HALF_MILLIMETRE_ON_HALF_A_METRE], check=True, timeout=100)
