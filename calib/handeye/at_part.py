"""What a hand-eye calibration does to a point at the part, and the pose that would better it most.

A small motion of the camera moves a point at the part by the turn times its distance, and by the
shift. A candidate pose adds what its picture would tell of camera and board; the robot's error at
it is unknown, as at every pose.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from voxgate.calib.board.sightings import Sighting, Sightings
from voxgate.calib.handeye.handeye import HandEye
from voxgate.calib.handeye.refine import Geometry, JointState, view_information
from voxgate.calib.numerics.least_squares import Array
from voxgate.calib.numerics.twist import inverse, skew
from voxgate.calib.robot_poses.pose_forms import PoseForm, to_numbers
from voxgate.runtime.transforms import Transform, apply

TURN_DEG = 25.0
STEEPEST_DEG = 55.0  # a board that is seen flatter is not found
LEAST_SEEN = 0.6  # of the board's points
EDGE_PX = 10.0
BASES = 12  # poses that are varied


@dataclass(frozen=True, slots=True, eq=False)
class Proposal:
    """base_from_flange of the pose to add, and the error at the part with it, mm."""

    flange: Transform
    at_part_mm: float


def at_part_mm(found: HandEye, with_lens: Array | None = None) -> float:
    """Standard deviation, mm, of the place of a point of the board that is seen where it was seen,
    by what is uncertain of the camera's place and of its lens: the two make up for each other.

    with_lens: another covariance than the calibration's own.
    """
    middle = np.append(_middle(found), 1.0)
    points = (found.shot.seen @ middle)[:, :3]
    own = found.with_lens if with_lens is None else with_lens
    by_all = np.concatenate([-skew(points), np.tile(np.eye(3), (len(points), 1, 1))], axis=2)
    if len(own) > 6:
        by_all = np.concatenate([by_all, _by_lens(found, points)], axis=2)
    spread = np.einsum("vij,jk,vik->v", by_all, own, by_all)
    return float(np.sqrt(spread.mean()))


def _by_lens(found: HandEye, points: Array) -> Array:
    """(v, 3, p) how the point in a pixel, at its depth, moves with the lens's values."""
    linear = found.lens.linearise(points)
    across = np.linalg.solve(linear.by_pose[:, :, 3:5], linear.by_lens)
    return np.concatenate([-across, np.zeros((len(points), 1, across.shape[2]))], axis=1)


def robot_at_part_mm(found: HandEye) -> float:
    """Standard deviation, mm, that the robot's own error adds to every view of the part."""
    away = (found.x @ found.shot.seen)[:, :3, 3] if found.eye_in_hand else found.z[None, :3, 3]
    lever = float(np.sqrt((away**2).sum(axis=1).mean()))
    return float(np.sqrt(3 * found.robot_mm**2 + 2 * (np.radians(found.robot_deg) * lever) ** 2))


def pose_to_add(found: HandEye) -> Proposal | None:
    """Of poses that look at the board from other sides, the one after which the error at the part
    is least; None where none is better."""
    known = np.linalg.inv(found.joint)
    best: Proposal | None = None
    for seen in _candidates(found):
        sighting = _sighting(found, seen)
        if sighting is None:
            continue
        after = np.asarray(np.linalg.inv(known + _information(found, seen, sighting)), np.float64)
        error_mm = at_part_mm(found, _with_lens(found, after))
        if best is None or error_mm < best.at_part_mm:
            best = Proposal(_flange(found, seen), error_mm)
    return best if best is not None and best.at_part_mm < at_part_mm(found) else None


def _with_lens(found: HandEye, joint: Array) -> Array:
    """Of x and the lens after one more pose; what a held lens adds to x no pose betters."""
    if len(joint) > 12:
        rows = [*range(6), *range(12, len(joint))]
        return np.asarray(joint[np.ix_(rows, rows)])
    changed: Array = found.with_lens.copy()
    changed[:6, :6] += joint[:6, :6] - found.joint[:6, :6]
    return changed


def two_numbers(found: HandEye, form: PoseForm) -> list[str]:
    """Both in words, the pose in the robot's own numbers."""
    error_mm = at_part_mm(found)
    words = [
        f"at the part: the calibration puts a point off by {error_mm:.3f} mm (one standard "
        f"deviation), the robot's own error by {robot_at_part_mm(found):.3f} mm at every view"
    ]
    proposal = pose_to_add(found)
    if proposal is not None:
        numbers = " ".join(f"{value:.3f}" for value in to_numbers(proposal.flange, form))
        words.append(
            f"pose to add for the most gain: {numbers} ({form}): then {proposal.at_part_mm:.3f} mm"
        )
    return words


def _candidates(found: HandEye) -> list[Transform]:
    """camera_from_board: as it was seen, turned about the board's middle or rolled."""
    middle = _middle(found)
    every = max(1, len(found.shot.seen) // BASES)
    turns = [axis * sign * np.radians(TURN_DEG) for axis in np.eye(3) for sign in (1, -1)]
    tried = [seen @ _about(turn, middle) for seen in found.shot.seen[::every] for turn in turns]
    least = np.cos(np.radians(STEEPEST_DEG))
    return [seen for seen in tried if _facing(seen, middle) > least]


def _facing(seen: Transform, middle: Array) -> float:
    towards = apply(seen, middle[None])[0]
    return float(seen[:3, 2] @ towards / np.linalg.norm(towards))


def _about(turn: Array, middle: Array) -> Transform:
    moved = np.eye(4)
    moved[:3, :3] = Rotation.from_rotvec(turn).as_matrix()
    moved[:3, 3] = middle - moved[:3, :3] @ middle
    return moved


def _sighting(found: HandEye, seen: Transform) -> Sighting | None:
    """The board's points as the camera would see them; None where too few are in the picture."""
    points = np.unique(found.shot.sightings.points_mm, axis=0)
    pixels = found.lens.project(apply(seen, points))
    size = np.array([found.lens.width_px, found.lens.height_px])
    inside = ((pixels > EDGE_PX) & (pixels < size - EDGE_PX)).all(axis=1)
    if inside.mean() < LEAST_SEEN:
        return None
    return Sighting("", points[inside], pixels[inside])


def _information(found: HandEye, seen: Transform, sighting: Sighting) -> Array:
    mount = found.z @ inverse(seen[None]) @ inverse(found.x[None])
    free = len(found.joint) > 12
    geometry = Geometry(mount, found.eye_in_hand, found.corner_px, free_lens=free)
    state = JointState(found.lens, found.x, found.z, np.zeros((1, 6)))
    robot = found.robot_mm, float(np.radians(found.robot_deg))
    return view_information(Sightings.stack([sighting]), geometry, state, robot)


def _flange(found: HandEye, seen: Transform) -> Transform:
    mount = found.z @ inverse(seen[None])[0] @ inverse(found.x[None])[0]
    return np.asarray(mount if found.eye_in_hand else inverse(mount[None])[0])


def _middle(found: HandEye) -> Array:
    points = found.shot.sightings.points_mm
    return np.asarray((points.min(axis=0) + points.max(axis=0)) / 2)
