"""Hand-eye calibration: where the camera sits on the robot, or beside it.

poses of the board -> a start that outliers cannot spoil -> joint refinement -> poses that do
not fit are named and left out -> refined again -> covariance -> poses left out on purpose
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy.special import chdtri

from voxgate.calib.board.sightings import Sightings
from voxgate.calib.handeye.consensus import HOPELESS_MM, Start, consensus
from voxgate.calib.handeye.motions import MIN_POSES, Turns, turns
from voxgate.calib.handeye.outliers import Expected, OutlierPose
from voxgate.calib.handeye.refine import (
    Geometry,
    Joint,
    JointState,
    held_lens_influence,
    predicted,
    refine,
)
from voxgate.calib.lens.lens import Lens
from voxgate.calib.lens.pnp import refined_poses
from voxgate.calib.numerics.least_squares import Array
from voxgate.calib.numerics.robust import noise_px
from voxgate.calib.numerics.twist import inverse, rotation_deg
from voxgate.runtime.errors import CalibrationError
from voxgate.runtime.transforms import Transform

FOLDS = 5
REJECT = 1e-4  # of good poses, by chance
LEAST_MM, LEAST_DEG = 0.02, 0.005  # a pose that is off by less is no outlier, whatever the others
GROSS = 30.0  # times the median gap: not worth a robust weight
ROUNDS = 4
MOST_OUTLIERS = 0.5

Explain = Callable[[int, Expected], OutlierPose]


class UnsettledError(CalibrationError):
    """The robot's motions do not settle X; `turns` says what is missing."""

    def __init__(self, message: str, missing: Turns) -> None:
        super().__init__(message)
        self.turns = missing


@dataclass(frozen=True, slots=True, eq=False)
class Shot:
    """The data: sightings, camera_from_board (v, 4, 4) and base_from_flange (v, 4, 4) per view."""

    sightings: Sightings
    seen: Array
    flanges: Array

    def only(self, views: list[int]) -> Shot:
        """Some of the views."""
        return Shot(self.sightings.only(views), self.seen[views], self.flanges[views])


@dataclass(frozen=True, slots=True, eq=False)
class Options:
    """eye_in_hand: the camera moves; refine_lens: the lens too. lens_covariance (p, p): what is
    known of the lens from other pictures, None: nothing, or from these pictures alone."""

    eye_in_hand: bool = True
    refine_lens: bool = False
    lens_covariance: Array | None = None


@dataclass(frozen=True, slots=True, eq=False)
class HandEye:
    """x: flange_from_camera (base_from_camera if the camera stands beside the robot);
    z: base_from_board (flange_from_board). covariance (6, 6) of x, a small motion of the camera
    in its own frame, rad and mm; joint (12, 12) of x and z, or with the lens's values behind if
    they were fitted too; with_lens (6 + p, 6 + p) of x and the lens, (6, 6) where nothing is known
    of it. corner_px: noise of the corners. off_mm, off_deg (v,): where each pose puts the board,
    against z.
    """

    x: Transform
    z: Transform
    lens: Lens
    lens_covariance: Array | None
    covariance: Array
    joint: Array
    with_lens: Array
    corner_px: float
    shot: Shot
    residuals: Array
    off_mm: Array
    off_deg: Array
    robot_mm: float
    robot_deg: float
    outliers: tuple[OutlierPose, ...]
    turns: Turns
    eye_in_hand: bool

    @property
    def sigma_mm(self) -> Array:
        """(3,) standard deviation of the camera's position along its own axes."""
        return np.asarray(np.sqrt(np.diag(self.covariance)[3:]))

    @property
    def sigma_deg(self) -> Array:
        """(3,) standard deviation of the rotation about the camera's own axes."""
        return np.asarray(np.degrees(np.sqrt(np.diag(self.covariance)[:3])))

    @property
    def view_rms_px(self) -> Array:
        """(v,) reprojection error of each view, robot error taken out."""
        return self.shot.sightings.per_view((self.residuals**2).sum(axis=1))


def calibrate_handeye(shot: Shot, lens: Lens, options: Options, explain: Explain) -> HandEye:
    """Solve, name the outliers, and refine.

    explain: says why a view's pose does not fit. Raises CalibrationError, UnsettledError.
    """
    mounts = _mounts(shot.flanges, options.eye_in_hand)
    _check_motions(mounts)
    points_mm = shot.sightings.points_mm
    start = consensus(mounts, shot.seen, points_mm)
    if start.median_mm > HOPELESS_MM:
        raise CalibrationError(
            f"poses and pictures do not belong together: they leave {start.median_mm:.0f} mm"
        )
    used = [view for view in range(len(mounts)) if start.gap_mm[view] <= _gross_mm(start)]
    geometry = _geometry(shot, lens, options)
    fitted = _settle(shot, used, geometry, lens, start)
    joint, used = fitted
    expected = Expected.of(joint.state.x, joint.state.z, shot.seen, options.eye_in_hand)
    left_out = [view for view in range(len(mounts)) if view not in used]
    outliers = tuple(explain(view, expected) for view in left_out)
    if len(left_out) > MOST_OUTLIERS * len(mounts):
        raise CalibrationError(
            f"{len(left_out)} of {len(mounts)} poses do not fit the others, as {outliers[0]}"
        )
    kept = shot.only(used)
    return _result(kept, joint, options, outliers, replace(geometry, mounts=mounts[used]))


def held_out(found: HandEye, options: Options) -> tuple[Array, Array]:
    """(v,) mm and deg: where each pose puts the board, against a fit without that pose.

    Every FOLDS-th pose is left out at a time.
    """
    shot, count = found.shot, len(found.shot.flanges)
    off_mm, off_deg = np.full(count, np.nan), np.full(count, np.nan)
    state = JointState(found.lens, found.x, found.z, np.zeros((count, 6)))
    for fold in range(min(FOLDS, count)):
        out = list(range(fold, count, FOLDS))
        kept = [view for view in range(count) if view % FOLDS != fold]
        mounts = _mounts(shot.flanges, options.eye_in_hand)
        if len(kept) < MIN_POSES or not turns(mounts[kept]).enough:
            continue
        held = replace(options, refine_lens=False)
        geometry = _geometry(shot.only(kept), found.lens, held)
        start = replace(state, errors=state.errors[kept])
        joint = refine(shot.sightings.only(kept), geometry, start, heavy_tails=False)
        off_mm[out], off_deg[out] = _off(
            joint.state.x, joint.state.z, mounts[out], shot.seen[out], shot.sightings.only(out)
        )
    return off_mm, off_deg


def _mounts(flanges: Array, eye_in_hand: bool) -> Array:
    return flanges if eye_in_hand else inverse(flanges)


def _check_motions(mounts: Array) -> None:
    found = turns(mounts)
    if len(mounts) < MIN_POSES:
        raise UnsettledError(
            f"hand-eye calibration needs at least {MIN_POSES} poses (better 15), got {len(mounts)}",
            found,
        )
    if not found.enough:
        raise UnsettledError(
            f"the flange turned by {found.spread_deg[0]:.1f} deg about one axis but only "
            f"{found.spread_deg[1]:.1f} deg about a second: the calibration is not determined",
            found,
        )


def _gross_mm(start: Start) -> float:
    return max(GROSS * start.median_mm, 1.0)


def _geometry(shot: Shot, lens: Lens, options: Options) -> Geometry:
    prior = options.lens_covariance
    known = options.refine_lens and prior is not None
    return Geometry(
        _mounts(shot.flanges, options.eye_in_hand),
        options.eye_in_hand,
        _corner_noise_px(shot, lens),
        options.refine_lens,
        lens.values if known else None,
        np.asarray(np.linalg.inv(prior)) if known and prior is not None else None,
    )


def _corner_noise_px(shot: Shot, lens: Lens) -> float:
    """Spread of the corners about each picture's own pose, with the six numbers that it took."""
    seen = shot.sightings
    own = shot.seen[seen.view]
    points = np.einsum("nij,nj->ni", own[:, :3, :3], seen.points_mm) + own[:, :3, 3]
    off = lens.project(points) - seen.pixels
    return noise_px(off) / float(np.sqrt(max(0.1, 1 - 6 * len(seen) / off.size)))


def _settle(
    shot: Shot, used: list[int], geometry: Geometry, lens: Lens, start: Start
) -> tuple[Joint, list[int]]:
    """Refine with heavy tails, leave out what does not fit, refine what is left."""
    state = JointState(lens, start.x, start.z, np.zeros((len(used), 6)))
    for attempt in range(ROUNDS):
        heavy = attempt == 0
        own = replace(geometry, mounts=geometry.mounts[used])
        if not turns(own.mounts).enough or len(used) < MIN_POSES:
            raise CalibrationError("the poses that fit each other do not settle the calibration")
        joint = _refined(shot.sightings.only(used), own, state, heavy)
        wrong = _outlying(joint)
        state = replace(joint.state, errors=joint.state.errors[~wrong])
        if not wrong.any() and not heavy:
            return joint, used
        used = [view for view, bad in zip(used, wrong, strict=True) if not bad]
    own = replace(geometry, mounts=geometry.mounts[used])
    return _refined(shot.sightings.only(used), own, state, heavy=False), used


def _refined(seen: Sightings, geometry: Geometry, state: JointState, heavy: bool) -> Joint:
    try:
        return refine(seen, geometry, state, heavy)
    except np.linalg.LinAlgError as error:
        raise CalibrationError(
            "the pictures do not settle the calibration: take more poses, turned about two axes"
        ) from error


def _outlying(joint: Joint) -> npt.NDArray[np.bool_]:
    limit = chdtri(6, REJECT)
    errors = np.abs(joint.state.errors)
    large = (errors[:, 3:].max(axis=1) > LEAST_MM) | (
        np.degrees(errors[:, :3].max(axis=1)) > LEAST_DEG
    )
    return np.asarray((joint.misfit > limit) & large)


def _result(
    shot: Shot,
    joint: Joint,
    options: Options,
    outliers: tuple[OutlierPose, ...],
    geometry: Geometry,
) -> HandEye:
    with_lens = _with_lens(shot, joint, options, geometry)
    lens_covariance = options.lens_covariance
    if options.refine_lens:
        lens_covariance = joint.covariance[12:, 12:]
    state = joint.state
    seen = refined_poses(shot.sightings, state.lens, predicted(geometry, state))
    off_mm, off_deg = _off(state.x, state.z, geometry.mounts, seen, shot.sightings)
    return HandEye(
        x=state.x,
        z=state.z,
        lens=state.lens,
        lens_covariance=lens_covariance,
        covariance=with_lens[:6, :6],
        joint=joint.covariance,
        with_lens=with_lens,
        corner_px=geometry.sigma_px,
        shot=replace(shot, seen=seen),
        residuals=joint.residuals,
        off_mm=off_mm,
        off_deg=off_deg,
        robot_mm=joint.robot_mm,
        robot_deg=float(np.degrees(joint.robot_rad)),
        outliers=outliers,
        turns=turns(geometry.mounts),
        eye_in_hand=options.eye_in_hand,
    )


def _with_lens(shot: Shot, joint: Joint, options: Options, geometry: Geometry) -> Array:
    """Covariance of x and of the lens's values together."""
    own, lens = joint.covariance[:6, :6], options.lens_covariance
    if options.refine_lens:
        rows = [*range(6), *range(12, len(joint.covariance))]
        return np.asarray(joint.covariance[np.ix_(rows, rows)])
    if lens is None:
        return own
    influence = held_lens_influence(shot.sightings, geometry, joint)[:6]
    both = influence @ lens
    return np.block([[own + both @ influence.T, both], [both.T, lens]])


def _off(
    x: Transform, z: Transform, mounts: Array, seen: Array, sightings: Sightings
) -> tuple[Array, Array]:
    """(v,) distance of the board's centre, mm, and angle, deg, from Z, as HALCON reports them."""
    placed = mounts @ x @ seen
    centre = np.append((sightings.points_mm.min(axis=0) + sightings.points_mm.max(axis=0)) / 2, 1)
    distance = np.linalg.norm((placed @ centre - z @ centre)[:, :3], axis=1)
    return distance, rotation_deg(inverse(z[None]) @ placed)
