"""Hand-eye refined on the pictures: X, Z, each pose's robot error and, if asked, the lens.

The prediction for pose i is camera_from_board_i = X^-1 (mount_i with error d_i)^-1 Z. What is made
least is the reprojection error of all corners (Huber) plus the robot's errors d_i, which have a
normal prior whose two standard deviations, mm and degrees, are estimated from the same data
(expectation maximisation, Student-t weights while outliers may be among them). Leaving d_i out
would blame the robot's error on the camera and claim a covariance that is far too small.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from voxgate.calib.board.sightings import Sightings
from voxgate.calib.lens.lens import Lens, Linear
from voxgate.calib.numerics.least_squares import (
    Array,
    System,
    by_views,
    covariances,
    gauss_newton,
    minimise,
    normal_equations,
)
from voxgate.calib.numerics.robust import huber
from voxgate.calib.numerics.twist import adjoint, inverse, motion, motions, twists_of
from voxgate.runtime.transforms import Transform

TAILS = 4.0  # degrees of freedom of the Student-t weights
ROUNDS = 12
SETTLE = 60
SETTLED = 0.01  # relative change of the robot's standard deviations
# what an industrial robot repeats to; counts as one pose beside those that were measured
USUAL_MM, USUAL_RAD = 0.05, np.radians(0.01)
LEAST_MM, LEAST_RAD = 1e-4, np.radians(1e-5)


@dataclass(frozen=True, slots=True, eq=False)
class Geometry:
    """What does not change in a fit: reported mounts (v, 4, 4) and how robot errors enter.

    eye_in_hand: the robot's error moves the flange, on the camera's side of the mount; otherwise
    the mount is flange_from_base, and it enters on the other side.
    free_lens: refine lens.values too; lens_information (p, p): what was known of lens_values (p,).
    """

    mounts: Array
    eye_in_hand: bool
    sigma_px: float
    free_lens: bool = False
    lens_values: Array | None = None
    lens_information: Array | None = None


@dataclass(frozen=True, slots=True, eq=False)
class JointState:
    """The unknowns: lens, X, Z and errors (v, 6), twist of the flange's error, rad and mm."""

    lens: Lens
    x: Transform
    z: Transform
    errors: Array


@dataclass(frozen=True, slots=True, eq=False)
class Joint:
    """The fit. covariance: (12, 12) or (12 + p, 12 + p) of small motions of X (in the camera's
    frame), Z (in the board's), then lens.values; error_covariance (v, 6, 6)."""

    state: JointState
    residuals: Array
    covariance: Array
    error_covariance: Array
    robot_mm: float
    robot_rad: float

    @property
    def misfit(self) -> Array:
        """(v,) squared Mahalanobis length of each pose's error against the robot's spread."""
        error = self.state.errors
        information = _information(self.robot_mm, self.robot_rad)
        return np.asarray((error**2 * information).sum(axis=1))


def refine(
    seen: Sightings,
    geometry: Geometry,
    start: JointState,
    heavy_tails: bool,
    robot: tuple[float, float] | None = None,
) -> Joint:
    """Fit and find the robot's standard deviations (mm, rad); `robot`: begin with these.

    heavy_tails: outlier poses may be there, and count less. Raises numpy.linalg.LinAlgError when
    the data leave a direction open.
    """
    state = start
    robot_mm, robot_rad = robot or (USUAL_MM * 4, USUAL_RAD * 4)
    weights = np.ones(len(seen))
    for _ in range(ROUNDS):
        before = robot_mm, robot_rad
        prior = weights[:, None] * _information(*before)
        linearise = partial(_linearise, seen, geometry, prior=prior, free_lens=geometry.free_lens)
        state, system = minimise(linearise, _move, state)
        weights, robot_mm, robot_rad = _robot(system, state.errors, prior, before, heavy_tails)
        if abs(robot_mm / before[0] - 1) + abs(robot_rad / before[1] - 1) < SETTLED:
            break
    shared, own = covariances(system)
    shared = by_views(system, shared, _blocks(geometry, len(shared)))
    return Joint(state, _residuals(seen, geometry, state), shared, own, robot_mm, robot_rad)


def _blocks(geometry: Geometry, size: int) -> list[slice]:
    """X, Z and the lens."""
    lens = [slice(12, size)] if geometry.free_lens else []
    return [slice(0, 6), slice(6, 12), *lens]


def predicted(geometry: Geometry, state: JointState) -> Array:
    """camera_from_board (v, 4, 4) of every pose, robot errors included."""
    found: Array = inverse(_moved_mounts(geometry, state) @ state.x) @ state.z
    return found


def _moved_mounts(geometry: Geometry, state: JointState) -> Array:
    off = motions(state.errors)
    moved: Array = geometry.mounts @ off if geometry.eye_in_hand else inverse(off) @ geometry.mounts
    return moved


def held_lens_influence(seen: Sightings, geometry: Geometry, joint: Joint) -> Array:
    """(12, p) how X and Z move with the lens's values when the lens is held in the fit."""
    prior = np.ones((len(seen), 1)) * _information(joint.robot_mm, joint.robot_rad)
    system = _linearise(seen, geometry, joint.state, prior, free_lens=True)
    by_view = np.linalg.solve(system.own, np.swapaxes(system.cross, 1, 2))
    reduced = system.shared - np.einsum("vsi,vit->st", system.cross, by_view)
    return np.asarray(-np.linalg.solve(reduced[:12, :12], reduced[:12, 12:]))


def view_information(
    seen: Sightings, geometry: Geometry, state: JointState, robot: tuple[float, float]
) -> Array:
    """(12, 12) or (12 + p, 12 + p) what these views tell of X, Z and a lens that is free, the
    robot's errors (mm, rad) unknown at each."""
    prior = np.ones((len(seen), 1)) * _information(*robot)
    system = _linearise(seen, geometry, state, prior, geometry.free_lens)
    by_view = np.linalg.solve(system.own, np.swapaxes(system.cross, 1, 2))
    return np.asarray(system.shared - np.einsum("vsi,vit->st", system.cross, by_view))


def _residuals(seen: Sightings, geometry: Geometry, state: JointState) -> Array:
    return _project(seen, predicted(geometry, state), state.lens).pixels - seen.pixels


def _project(seen: Sightings, poses: Array, lens: Lens) -> Linear:
    own = poses[seen.view]
    points = np.einsum("nij,nj->ni", own[:, :3, :3], seen.points_mm) + own[:, :3, 3]
    return lens.linearise(points)


def _linearise(
    seen: Sightings, geometry: Geometry, state: JointState, prior: Array, free_lens: bool
) -> System:
    poses = predicted(geometry, state)
    linear = _project(seen, poses, state.lens)
    residuals = linear.pixels - seen.pixels
    weights, cost = huber(residuals, geometry.sigma_px)
    by_error = _by_error(geometry, state)
    # T = X^-1 M^-1 Z moves with X, Z and the error by -x + Ad(T) z + by_error d
    by_x, by_z = -linear.by_pose, linear.by_pose @ adjoint(poses)[seen.view]
    by_shared = np.concatenate([by_x, by_z, *([linear.by_lens] if free_lens else [])], axis=2)
    by_own = linear.by_pose @ by_error[seen.view]
    system = normal_equations(
        by_shared, by_own, residuals, weights / geometry.sigma_px**2, seen.starts, cost
    )
    system = _with_prior(system, state.errors, prior)
    return _with_lens_prior(system, geometry, state) if free_lens else system


def _with_prior(system: System, errors: Array, prior: Array) -> System:
    return replace(
        system,
        cost=system.cost + float((errors**2 * prior).sum()) / 2,
        own=system.own + prior[:, None, :] * np.eye(6),
        own_slope=system.own_slope + errors * prior,
    )


def _with_lens_prior(system: System, geometry: Geometry, state: JointState) -> System:
    if geometry.lens_information is None or geometry.lens_values is None:
        return system
    off = state.lens.values - geometry.lens_values
    shared, slope = system.shared.copy(), system.shared_slope.copy()
    shared[12:, 12:] += geometry.lens_information
    slope[12:] += geometry.lens_information @ off
    cost = system.cost + float(off @ geometry.lens_information @ off) / 2
    return replace(system, cost=cost, shared=shared, shared_slope=slope)


def _by_error(geometry: Geometry, state: JointState) -> Array:
    """(v, 6, 6) how the predicted pose moves, in the camera frame, with the flange's error."""
    if geometry.eye_in_hand:
        one = -adjoint(inverse(state.x[None]))
        return np.broadcast_to(one, (len(geometry.mounts), 6, 6))
    return np.asarray(adjoint(inverse(_moved_mounts(geometry, state) @ state.x)))


def _move(state: JointState, shared: Array, errors: Array) -> JointState:
    lens = state.lens
    if len(shared) > 12:
        lens = lens.with_values(lens.values + shared[12:])
    moved = twists_of(motions(state.errors) @ motions(errors))
    return JointState(lens, state.x @ motion(shared[:6]), state.z @ motion(shared[6:12]), moved)


def _information(robot_mm: float, robot_rad: float) -> Array:
    return np.repeat([1 / robot_rad**2, 1 / robot_mm**2], 3)


def _robot(
    system: System,
    errors: Array,
    prior: Array,
    robot: tuple[float, float],
    heavy_tails: bool,
) -> tuple[Array, float, float]:
    """Weights of the poses and the robot's standard deviations, mm and rad, on the quadratic that
    `system` is: expectation (the errors under the prior) and maximisation in turn."""
    data = replace(
        system,
        own=system.own - prior[:, None, :] * np.eye(6),
        own_slope=system.own_slope - errors * prior,
    )
    weights = np.ones(len(errors))
    for _ in range(SETTLE):
        now = _with_prior(data, errors, weights[:, None] * _information(*robot))
        square = (errors + gauss_newton(now)[1]) ** 2 + np.einsum("vii->vi", covariances(now)[1])
        before = robot
        weights, robot = _spread(square, robot, heavy_tails)
        if abs(robot[0] / before[0] - 1) + abs(robot[1] / before[1] - 1) < SETTLED / 10:
            break
    return weights, *robot


def _spread(
    square: Array, robot: tuple[float, float], heavy_tails: bool
) -> tuple[Array, tuple[float, float]]:
    weights = np.ones(len(square))
    if heavy_tails:
        length = (square * _information(*robot)).sum(axis=1)
        weights = (TAILS + 6) / (TAILS + length)
    count = 3 * (len(square) + 1)
    turn = ((weights[:, None] * square[:, :3]).sum() + 3 * USUAL_RAD**2) / count
    shift = ((weights[:, None] * square[:, 3:]).sum() + 3 * USUAL_MM**2) / count
    found = max(LEAST_MM, float(np.sqrt(shift))), max(LEAST_RAD, float(np.sqrt(turn)))
    return weights, found
