"""How each instance stands against one of them: turned about the table's normal, then as it fits.

A map of heights gives turn and place to a few degrees and cells, iterated closest points bring the
two surfaces near along the table, and least squares on the signed distance end it.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from voxgate.runtime.transforms import Transform, apply
from voxgate.runtime.trays.kernels.fields import add_slopes
from voxgate.runtime.trays.kernels.fields import sample as sample_fields
from voxgate.runtime.trays.surface import Field, Grid, Surface
from voxgate.runtime.trays.tray import Instance

Points = npt.NDArray[np.float64]

SAMPLE = 5000  # points of an instance
CLOSEST_SAMPLE = 1500
OUTLINE_SAMPLE = 20_000
MAP_CELLS = 64
CROSS = np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]], np.uint8)
MAP_MARGIN = 1.3  # of the largest instance: any turn of it stays on the map
TURN_STEP_DEG = 4.0
OTHER_TURN_DEG = 20.0  # from here on another turn, not the same one less well
CANDIDATES = 3
CLOSEST_STEPS = 20
CLOSEST_KEPT = 0.8  # of the pairs: what one has and the other has not must not pull
FIT_STEPS = 30
TILT_DEG, SINK_VOXELS = 0.5, 0.3  # one sigma of how parts stand on one table
PRIOR_SHARE = 0.05  # of the points, that the table weighs as much as
FIT_DONE = 1e-5  # rad and mm
ALIKE = 0.5  # of the points that lie within reach of the other's surface, half a voxel or nearer


@dataclass(frozen=True, slots=True, eq=False)
class Placed:
    """An instance on the grid of the one compared with.

    grid_from_world: where it fits best. alike: share of its points that lie on the other's surface.
    """

    grid_from_world: Transform
    alike: float


def sample(instance: Instance, count: int = SAMPLE) -> Points:
    """(count, 3) points of it, evenly from all, world frame."""
    step = max(1, len(instance.points) // count)
    return instance.points[::step].astype(np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class Target:
    """What the others are brought onto: the surface of one of them, as it stands in the world.
    fields: (k, m, n, 5) distance_mm, complete, its three slopes, and whether it is told."""

    grid: Grid
    fields: Field

    @classmethod
    def of(cls, surface: Surface, grid: Grid) -> Target:
        """Of one instance's surface."""
        told = np.isfinite(surface.distance_mm) | ~surface.asked
        fields = np.empty((*grid.shape, 5), np.float32)
        add_slopes(surface.distance_mm, grid.voxel_mm, grid.reach_mm, fields)
        fields[..., 4] = told
        return cls(grid, fields)

    def at(self, points: Points) -> npt.NDArray[np.float64]:
        """(n, 5) what the fields are at points (n, 3), grid frame; NaN outside."""
        found = np.empty((len(points), self.fields.shape[-1]))
        sample_fields(self.fields, self.grid.cells(points), clamp=False, found=found)
        return found


def place(instance: Instance, usual: Instance, target: Target) -> Placed:
    """Bring an instance onto another one, whose surface the target is."""
    points, onto = sample(instance), sample(usual)
    tree = cKDTree(onto)
    near = [_closest(points, onto, tree, turn) for turn in _turns(points, onto)]
    near.sort(key=lambda each: each[0])
    tried = [_least_squares(points, start, target) for _, start in near[:2]]
    return max(tried, key=lambda each: each.alike)


def refit(instance: Instance, target: Target, start: Transform) -> Placed:
    """Where an instance stands on another one, from near where it does."""
    return _least_squares(sample(instance), start, target)


def outline_likeness(instance: Instance, other: Instance, mirrored: bool) -> float:
    """How alike two outlines seen from above are at the best turn: the area that both cover over
    what either does. mirrored: of the first one in a mirror, as it would lie turned over."""
    points, onto = (sample(each, OUTLINE_SAMPLE)[:, :2] for each in (instance, other))
    here, there = (_centre(each)[:2] for each in (points, onto))
    spans = [np.linalg.norm(np.ptp(each[:, :2], axis=0)) for each in (points, onto)]
    cell_mm = MAP_MARGIN * float(max(spans)) / MAP_CELLS
    base, points = _covered(onto - there, cell_mm), _sparse(points - here, cell_mm / 2)
    spectrum, best = np.conj(np.fft.rfft2(base)), 0.0
    flip = np.diag([1.0, -1.0 if mirrored else 1.0])
    for degrees in np.arange(0.0, 360.0, TURN_STEP_DEG):
        turn = Rotation.from_euler("z", degrees, degrees=True).as_matrix()[:2, :2] @ flip
        covered = _covered(points @ turn.T, cell_mm)
        both = float(np.fft.irfft2(np.fft.rfft2(covered) * spectrum, s=base.shape).max())
        best = max(best, both / (covered.sum() + base.sum() - both))
    return best


def _sparse(points: Points, cell_mm: float) -> Points:
    """The middles of the cells that points (n, 2) lie in, each once."""
    at = np.floor(points / cell_mm).astype(np.intp)
    low = at.min(axis=0)
    shape = tuple((np.ptp(at, axis=0) + 1).tolist())
    once = np.unique(np.ravel_multi_index(tuple((at - low).T), shape))
    return np.asarray((np.stack(np.unravel_index(once, shape), axis=-1) + low + 0.5) * cell_mm)


def _covered(points: Points, cell_mm: float) -> npt.NDArray[np.float64]:
    at = np.floor(points / cell_mm + MAP_CELLS / 2).astype(np.intp)
    mask = np.zeros((MAP_CELLS, MAP_CELLS), np.uint8)
    mask[tuple(np.clip(at, 0, MAP_CELLS - 1).T)] = 1
    return np.asarray(cv2.morphologyEx(mask, cv2.MORPH_CLOSE, CROSS), np.float64)


def _turns(points: Points, target: Points) -> list[Transform]:
    """The best turns about the vertical, with their places, clearly different ones."""
    points, target = (each[np.argsort(each[:, 2])] for each in (points, target))
    here, there = _centre(points), _centre(target)
    spans = [np.linalg.norm(np.ptp(each[:, :2], axis=0)) for each in (points, target)]
    cell_mm = MAP_MARGIN * float(max(spans)) / MAP_CELLS
    low_mm = float(min(points[:, 2].min(), target[:, 2].min()))
    base = np.conj(np.fft.rfft2(_heights(target - there, low_mm, cell_mm)))
    found: list[tuple[float, float, Transform]] = []
    for degrees in np.arange(0.0, 360.0, TURN_STEP_DEG):
        turn = Rotation.from_euler("z", degrees, degrees=True).as_matrix()
        heights = _heights((points - here) @ turn.T, low_mm, cell_mm)
        likeness = np.fft.irfft2(np.fft.rfft2(heights) * base, s=heights.shape)
        at = np.unravel_index(int(likeness.argmax()), likeness.shape)
        shift = -((np.array(at) + MAP_CELLS // 2) % MAP_CELLS - MAP_CELLS // 2) * cell_mm
        moved = np.eye(4)
        moved[:3, :3] = turn
        moved[:3, 3] = there - turn @ here
        moved[:2, 3] += shift
        cost = float((heights**2).sum() - 2 * likeness[at])
        found.append((cost, degrees, moved))
    found.sort(key=lambda each: each[0])
    chosen: list[tuple[float, float, Transform]] = []
    for each in found:
        apart = [abs((each[1] - was[1] + 180) % 360 - 180) for was in chosen]
        if all(gap >= OTHER_TURN_DEG for gap in apart):
            chosen.append(each)
        if len(chosen) == CANDIDATES:
            break
    return [moved for _, _, moved in chosen]


def _centre(points: Points) -> Points:
    """Of the outline on the table; the height stays."""
    low, high = points.min(axis=0), points.max(axis=0)
    return np.array([*(low + high)[:2] / 2, 0.0])


def _heights(points: Points, low_mm: float, cell_mm: float) -> npt.NDArray[np.float64]:
    """The highest of each cell; points (n, 3) are in the order of their heights: the last stays."""
    heights = np.zeros(MAP_CELLS * MAP_CELLS)
    at = np.floor(points[:, :2] / cell_mm + MAP_CELLS / 2).astype(np.intp)
    inside = ((at >= 0) & (at < MAP_CELLS)).all(axis=1)
    flat = at[inside, 0] * MAP_CELLS + at[inside, 1]
    heights[flat] = points[inside, 2] - low_mm
    return heights.reshape(MAP_CELLS, MAP_CELLS)


def _closest(
    points: Points, onto: Points, tree: cKDTree, start: Transform
) -> tuple[float, Transform]:
    """Mean distance of the nearer pairs, and where the points lie then."""
    some = points[:: max(1, len(points) // CLOSEST_SAMPLE)]
    moved, cost = start, np.inf
    for _ in range(CLOSEST_STEPS):
        at = apply(moved, some)
        distance, index = tree.query(at)
        near = distance <= np.quantile(distance, CLOSEST_KEPT)
        cost = float(distance[near].mean())
        moved = _on_the_table(at[near], onto[index[near]]) @ moved
    return cost, moved


def _on_the_table(points: Points, onto: Points) -> Transform:
    """Turn about the vertical and shift along the table of points (n, 3) onto points (n, 3)."""
    here, there = points.mean(axis=0), onto.mean(axis=0)
    spread = (points - here)[:, :2].T @ (onto - there)[:, :2]
    angle = np.arctan2(spread[0, 1] - spread[1, 0], spread[0, 0] + spread[1, 1])
    moved = np.eye(4)
    moved[:3, :3] = Rotation.from_euler("z", angle).as_matrix()
    moved[:2, 3] = (there - moved[:3, :3] @ here)[:2]
    return moved


def _least_squares(points: Points, start: Transform, target: Target) -> Placed:
    """Where the points lie on the surface, and the share that does; Geman-McClure weights."""
    grid = target.grid
    moved, alike = start, 0.0
    for _ in range(FIT_STEPS):
        at = apply(moved, points)
        here = target.at(at)
        value, certain = here[:, 0], here[:, 4] > 0.99
        use = certain & (np.abs(value) < 0.95 * grid.reach_mm)
        on = certain & (np.abs(value) < 0.5 * grid.voxel_mm)
        alike = float(on.sum() / max(1, certain.sum()))
        if use.sum() < 50:
            break
        step, centre = _step(at[use], here[use, 1:4], value[use], grid.voxel_mm)
        turn = np.eye(4)
        turn[:3, :3] = Rotation.from_rotvec(step[:3]).as_matrix()
        turn[:3, 3] = centre + step[3:] - turn[:3, :3] @ centre
        moved = turn @ moved
        if np.abs(step).max() < FIT_DONE:
            break
    return Placed(moved, alike)


def _step(
    points: Points, normal: Points, value: npt.NDArray[np.float64], voxel_mm: float
) -> tuple[npt.NDArray[np.float64], Points]:
    """One Gauss-Newton step: rotation vector, rad, about the centre, and translation, mm."""
    centre = points.mean(axis=0)
    scale = max(0.3 * voxel_mm, 1.4826 * float(np.median(np.abs(value))))
    weight = 1 / (1 + np.square(value / (2 * scale))) ** 2
    rows = np.concatenate([np.cross(points - centre, normal), normal], axis=1)
    # it stands on the same table: it does not sink into it, and tilts by what lies under it
    loose = np.array((TILT_DEG, TILT_DEG, 180.0)) * np.pi / 180, (1e3, 1e3, SINK_VOXELS * voxel_mm)
    prior = len(points) * np.square(scale / np.concatenate(loose)) * PRIOR_SHARE
    hessian = (rows * weight[:, None]).T @ rows + np.diag(prior + 1e-3)
    return np.asarray(np.linalg.solve(hessian, -(rows * weight[:, None]).T @ value)), centre
