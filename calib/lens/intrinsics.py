"""The lens from pictures of a board: bundle adjustment with robust corners, Zhang (2000).

start from homographies -> all poses and the lens together -> views that do not fit are named
and left out -> covariance -> error on views that were left out on purpose
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial

import cv2
import numpy as np
from scipy.special import chdtri

from voxgate.calib.board.shape import LEAST_BOW_MM, USUAL_MM, WAYS, bent, bow_size_mm, out_of_plane
from voxgate.calib.board.sightings import Sightings
from voxgate.calib.lens.lens import Lens, LensModel
from voxgate.calib.lens.pnp import board_poses, refined_poses
from voxgate.calib.numerics.least_squares import (
    Array,
    System,
    by_views,
    covariances,
    minimise,
    normal_equations,
)
from voxgate.calib.numerics.robust import huber, noise_px
from voxgate.calib.numerics.twist import motions
from voxgate.runtime.errors import CalibrationError
from voxgate.runtime.transforms import Transform

MIN_VIEWS = 4
FOLDS = 5
BAD_VIEW = 3.0  # a view whose error is so many times the median's
LEAST_BAD_PX = 0.3  # below it no view is bad, however good the others are
FOCALS = (0.6, 1.0, 1.5, 2.5, 5.0)  # of the picture's longer side: wide angle to telephoto
FISHEYE_FOCALS = (0.25, 0.35, 0.5, 0.8)
START_ITERATIONS = 12
BOW_BY_CHANCE = 0.01  # of flat boards are fitted with a bow
FLAT_MM = 1e-4
EXPLAINED_PX = 0.5  # corners are found to a tenth: a start this near leaves nothing to another


@dataclass(frozen=True, slots=True, eq=False)
class BadView:
    """A view that was left out, and why."""

    name: str
    why: str


@dataclass(frozen=True, slots=True, eq=False)
class Intrinsics:
    """A lens and how well it is known.

    covariance: (p, p) of lens.values, with the noise found in these pictures. poses: (v, 4, 4)
    camera_from_board of `sightings`, the views that were used, on the board as it is bent:
    bow_mm (3,) along x, along y, and twisted. residuals: (n, 2) px.
    """

    lens: Lens
    covariance: Array
    sightings: Sightings
    poses: Array
    residuals: Array
    noise_px: float
    bad: tuple[BadView, ...]
    bow_mm: Array

    @property
    def bent_mm(self) -> float:
        """How far the board is from flat, from its lowest point to its highest."""
        return bow_size_mm(out_of_plane(self.sightings.points_mm), self.bow_mm)

    @property
    def sigma(self) -> Array:
        """(p,) one standard deviation of each of lens.values."""
        return np.asarray(np.sqrt(np.diag(self.covariance)))

    @property
    def rms_px(self) -> float:
        """Root mean square of the reprojection error's length."""
        return float(np.sqrt((self.residuals**2).sum(axis=1).mean()))

    @property
    def view_rms_px(self) -> Array:
        """(v,) the same of each view."""
        return self.sightings.per_view((self.residuals**2).sum(axis=1))


@dataclass(frozen=True, slots=True, eq=False)
class _State:
    lens: Lens
    poses: Array
    bow_mm: Array = field(default_factory=lambda: np.zeros(WAYS))


def calibrate_lens(
    sightings: Sightings,
    size_px: tuple[int, int],
    model: LensModel = LensModel.BROWN,
    taken: int | None = None,
) -> Intrinsics:
    """Fit a lens; taken: how many pictures the views are of. Raises CalibrationError when the views
    cannot settle it."""
    taken = len(sightings) if taken is None else taken
    _need(len(sightings), "the board was found in", taken)
    lens, poses = _start(sightings, size_px, model)
    used = [view for view, pose in enumerate(poses) if pose is not None]
    bad = [
        BadView(sightings.names[view], "no pose of the board explains its points")
        for view, pose in enumerate(poses)
        if pose is None
    ]
    state = _State(lens, np.array([poses[view] for view in used]))
    while True:
        seen = sightings.only(used)
        found = _fit(seen, state)
        worst = _worst(found)
        if worst is None:
            shaped = _shaped(seen, _State(found.lens, found.poses, found.bow_mm))
            return replace(found, bad=tuple(bad), sightings=replace(seen, points_mm=shaped))
        rms_px = found.view_rms_px[worst]
        median_px = float(np.median(found.view_rms_px))
        bad.append(
            BadView(
                sightings.names[used[worst]],
                f"off by {rms_px:.2f} px, the others by {median_px:.2f}: "
                "board bent, moved while it was exposed, or points mistaken",
            )
        )
        del used[worst]
        _need(len(used), "what fits together is only", taken)
        state = _State(found.lens, np.delete(found.poses, worst, axis=0), found.bow_mm)


def on_bent_board(seen: Sightings, lens: Lens, poses: Array) -> tuple[Sightings, Array]:
    """The same sightings on the board as it is bent, by a lens that is known, and the poses."""
    size = len(lens.values)
    sigma_px = _unbiased_noise(_residuals(seen, _State(lens, poses)), WAYS, len(seen))

    def linearise(state: _State) -> System:
        return _of_shape_alone(_linearise(seen, state, sigma_px), size)

    def move(state: _State, step: Array, pose_steps: Array) -> _State:
        return _move(state, np.concatenate([np.zeros(size), step]), pose_steps)

    state, _ = minimise(linearise, move, _State(lens, poses))
    return replace(seen, points_mm=_shaped(seen, state)), state.poses


def held_out_px(found: Intrinsics, folds: int = FOLDS) -> Array:
    """(v,) reprojection error of each view by a lens that was fitted without it, rms px.

    Only the view's pose is fitted to it. Views are left out every `folds`-th at a time.
    """
    count = len(found.sightings)
    folds = min(folds, count - MIN_VIEWS + 1, count)
    errors = np.full(count, np.nan)
    for fold in range(folds if folds > 1 else 0):
        out = list(range(fold, count, folds))
        kept = [view for view in range(count) if view % folds != fold]
        lens = _fit(found.sightings.only(kept), _State(found.lens, found.poses[kept])).lens
        held = found.sightings.only(out)
        posed = _State(lens, refined_poses(held, lens, found.poses[out]))
        errors[out] = held.per_view((_residuals(held, posed) ** 2).sum(axis=1))
    return errors


def _need(count: int, what: str, taken: int) -> None:
    if count < MIN_VIEWS:
        raise CalibrationError(
            f"{what} {count} of {taken} pictures, at least {MIN_VIEWS} are needed (better "
            "15): hold the board at different tilts, near and far, also into the corners"
        )


# --- start ---------------------------------------------------------------------------------------


def rough_lens(sightings: Sightings, size_px: tuple[int, int]) -> Lens:
    """A lens without distortion, by the homographies alone: good for angles to a degree or so."""
    return Lens.plain(LensModel.BROWN, size_px, _focals(sightings, size_px, LensModel.BROWN)[0])


def _start(
    sightings: Sightings, size_px: tuple[int, int], model: LensModel
) -> tuple[Lens, list[Transform | None]]:
    """The first focal length that explains the views after a few steps; else the best."""
    best: tuple[float, Lens] | None = None
    for focal_px in _focals(sightings, size_px, model):
        lens = Lens.plain(model, size_px, focal_px)
        poses = board_poses(sightings, lens)
        used = [view for view, pose in enumerate(poses) if pose is not None]
        if len(used) < MIN_VIEWS:
            continue
        tried = _rough(sightings.only(used), lens, np.array([poses[view] for view in used]))
        off = float(np.median(np.abs(tried.residuals)))
        if best is None or off < best[0]:
            best = off, tried.lens
        if off < EXPLAINED_PX:
            break
    if best is None:
        raise CalibrationError(
            "no focal length explains the pictures: is it this board's description file?"
        )
    return best[1], board_poses(sightings, best[1])


def _focals(sightings: Sightings, size_px: tuple[int, int], model: LensModel) -> list[float]:
    side = max(size_px)
    if model is LensModel.FISHEYE:
        return [side * ratio for ratio in FISHEYE_FOCALS]
    per_view = [sightings.of(view) for view in range(len(sightings))]
    matrix = cv2.initCameraMatrix2D(
        [view.points_mm.astype(np.float32) for view in per_view],
        [view.pixels.astype(np.float32) for view in per_view],
        size_px,
        1.0,
    )
    zhang = float(np.asarray(matrix)[0, 0])
    usable = np.isfinite(zhang) and 0.1 * side < zhang < 50 * side
    return ([zhang] if usable else []) + [side * ratio for ratio in FOCALS]


def _rough(seen: Sightings, lens: Lens, poses: Array) -> Intrinsics:
    return _fit(seen, _State(lens, poses), rough=True)


# --- fit -----------------------------------------------------------------------------------------


def _fit(seen: Sightings, state: _State, rough: bool = False) -> Intrinsics:
    """All poses and the lens, first with a wide, then with the found noise of the corners."""
    sigma_px = max(1.0, noise_px(_residuals(seen, state)))
    iterations = START_ITERATIONS if rough else 60
    usual_mm = USUAL_MM
    for _ in range(1 if rough else 3):
        linearise = partial(_linearise, seen, sigma_px=sigma_px, usual_mm=usual_mm)
        state, _ = minimise(linearise, _move, state, iterations)
        sigma_px = _unbiased_noise(
            _residuals(seen, state), len(state.lens.values) + WAYS, len(seen)
        )
        usual_mm = USUAL_MM if rough else _usual_mm(seen, state, sigma_px)
    size = len(state.lens.values)
    covariance = np.full((size, size), np.nan)
    if not rough:
        covariance = _covariance(_linearise(seen, state, sigma_px, usual_mm))[:size, :size]
    return Intrinsics(
        state.lens, covariance, seen, state.poses, _residuals(seen, state), sigma_px, (),
        state.bow_mm,
    )  # fmt: skip


def _usual_mm(seen: Sightings, state: _State, sigma_px: float) -> float:
    """How far from flat a board that shows so much bow may be: one that shows no more than chance
    would have it is taken for flat, because a free bow costs focal length."""
    ways = slice(len(state.lens.values), None)
    covariance = _covariance(_linearise(seen, state, sigma_px))[ways, ways]
    length = float(state.bow_mm @ np.linalg.solve(covariance, state.bow_mm))
    if length < chdtri(WAYS, BOW_BY_CHANCE):
        return FLAT_MM
    return float(np.clip(np.sqrt((state.bow_mm**2).mean()), LEAST_BOW_MM, USUAL_MM))


def _residuals(seen: Sightings, state: _State) -> Array:
    return state.lens.project(_in_camera(seen, state)) - seen.pixels


def _in_camera(seen: Sightings, state: _State) -> Array:
    own = state.poses[seen.view]
    points: Array = np.einsum("nij,nj->ni", own[:, :3, :3], _shaped(seen, state)) + own[:, :3, 3]
    return points


def _shaped(seen: Sightings, state: _State) -> Array:
    return bent(seen.points_mm, out_of_plane(seen.points_mm), state.bow_mm)


def _linearise(
    seen: Sightings, state: _State, sigma_px: float, usual_mm: float = USUAL_MM
) -> System:
    linear = state.lens.linearise(_in_camera(seen, state))
    residuals = linear.pixels - seen.pixels
    weights, cost = huber(residuals, sigma_px)
    normals = state.poses[seen.view, :3, 2]
    by_height = np.einsum("nij,nj->ni", linear.by_pose[:, :, 3:], normals)
    by_bow = by_height[:, :, None] * out_of_plane(seen.points_mm)[:, None, :]
    by_shared = np.concatenate([linear.by_lens, by_bow], axis=2)
    information = weights / sigma_px**2
    system = normal_equations(by_shared, linear.by_pose, residuals, information, seen.starts, cost)
    return _with_usual_bow(system, state.bow_mm, usual_mm)


def _with_usual_bow(system: System, bow_mm: Array, usual_mm: float) -> System:
    shared, slope = system.shared.copy(), system.shared_slope.copy()
    shared[-WAYS:, -WAYS:] += np.eye(WAYS) / usual_mm**2
    slope[-WAYS:] += bow_mm / usual_mm**2
    cost = system.cost + float((bow_mm**2).sum()) / usual_mm**2 / 2
    return replace(system, cost=cost, shared=shared, shared_slope=slope)


def _of_shape_alone(system: System, size: int) -> System:
    return replace(
        system,
        shared=system.shared[size:, size:],
        shared_slope=system.shared_slope[size:],
        cross=system.cross[:, size:],
    )


def _move(state: _State, step: Array, pose_steps: Array) -> _State:
    poses = motions(pose_steps) @ state.poses
    lens = state.lens.with_values(state.lens.values + step[:-WAYS])
    return _State(lens, poses, state.bow_mm + step[-WAYS:])


def _unbiased_noise(residuals: Array, shared: int, views: int) -> float:
    """Robust spread, with the degrees of freedom that the fit took."""
    taken = (shared + 6 * views) / residuals.size
    return noise_px(residuals) / float(np.sqrt(max(0.05, 1 - taken)))


def _covariance(system: System) -> Array:
    """Of lens.values and of the bow behind them."""
    try:
        shared, _ = covariances(system)
        lens, ways = slice(0, len(shared) - WAYS), slice(len(shared) - WAYS, None)
        return by_views(system, shared, [lens, ways])
    except np.linalg.LinAlgError as error:
        raise CalibrationError(
            "the views do not settle the lens: tilt the board more, by 20 to 45 degrees"
        ) from error


def _worst(found: Intrinsics) -> int | None:
    """The view that fits worst, if it is bad."""
    rms_px = found.view_rms_px
    worst = int(rms_px.argmax())
    limit_px = max(LEAST_BAD_PX, BAD_VIEW * float(np.median(rms_px)))
    return worst if rms_px[worst] > limit_px else None
