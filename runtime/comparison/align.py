"""How does this part stand? A small rigid offset from measured depth to the golden surface.

Point to plane with projective association: a measured point is compared with the golden plane at
the pixel it falls on in the golden camera of the same viewpoint. Gauss-Newton with Geman-McClure
weights whose scale shrinks, so that a missing bolt or a lump does not pull. Until it is clear what
has moved, places of the surface vote, not points (patches.py): one large face does not lead. A weak
prior at "no offset" holds directions the surface does not show (a flat plate sliding in its plane)
at zero.

What limits it is the part: castings that differ by 0.1 mm in shape have no better common place
than some 0.04 mm at the centre and 0.1 mm at the corners, even with exact camera poses. Edges are
brought together view by view (`refine_view`), which takes that and the robot's error out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from voxgate.runtime.comparison.align_kernels import point_to_plane
from voxgate.runtime.comparison.expected import ExpectedView, height_mm
from voxgate.runtime.comparison.patches import votes
from voxgate.runtime.comparison.standing import LEAST_POINTS, lift_mm, risen_mm
from voxgate.runtime.geometry.lens import SIZE
from voxgate.runtime.geometry.rays import Rays
from voxgate.runtime.nouns import Alignment, Note, Reason, View
from voxgate.runtime.rotations import turned_by
from voxgate.runtime.transforms import Transform, angle_deg, apply, invert

Matrix = npt.NDArray[np.float64]

STEP_PX = 5  # every fifth pixel of every fifth row: some 4000 points per view
REFINE_STEP_PX = 8  # one view has little to correct and no time to lose
# of the robust weights, one per iteration: first places vote, then points
VOTED_SCALES_MM = (1.5, 0.8, 0.4, 0.2, 0.15)
SCALES_MM = (0.15, 0.15)
REFINE_SCALES_MM = (0.4, 0.2, 0.15)
GATE_MM = 5.0  # a point further off the plane lies on another surface
NOISE_MM = 0.1  # of one independent patch: sensor noise and shape scatter of good parts
# neighbouring points err alike (shape scatter, calibration), so a view counts as this many patches
PATCHES_PER_VIEW = 300.0
INLIER_MM = 0.5
MIN_POINTS = 300
MIN_REFINE_POINTS = 100
MIN_INLIERS = 0.5
# prior: how far a part may sensibly stand off its fixture, one sigma
PLACEMENT_MM = 1.0
PLACEMENT_DEG = 0.5
# prior of one view: repeatability of the robot, in the golden scan and in this one, one sigma
REPEATABILITY_MM = 0.06
REPEATABILITY_DEG = 0.02
# and of how the first views say that the part stands: by so much its points are off, as it leans
# and as it lies. A view from above that sees it lean otherwise must not turn the camera for that:
# half a metre away that is a shift of the picture.
STANDING_MM = 0.06


@dataclass(frozen=True, slots=True, eq=False)
class _Pair:
    """Points (n, 3) float32 that one view measured on the part, its camera frame, mm, and what it
    should have seen. weights: (n,) float32, what each point counts."""

    points: npt.NDArray[np.float32]
    weights: npt.NDArray[np.float32]
    part_from_camera: Transform
    golden: ExpectedView


def align(
    views: Sequence[View],
    golden: Sequence[ExpectedView],
    rays: Rays,
) -> Alignment | Note:
    """The offset of a part from some of its views and the golden views of the same viewpoints.

    Returns a Note ALIGNMENT_FAILED when too little of the expected surface is found; how far is too
    far is for `decide`. Raises ValueError when the numbers of views differ or one has no depth.
    """
    rays = rays.shape
    pairs = [
        _pair(view.shape, expected.shape, rays, STEP_PX, _floor_mm(view, expected, rays))
        for view, expected in zip(views, golden, strict=True)
    ]
    found = sum(len(pair.points) for pair in pairs)
    if found < MIN_POINTS:
        return _failed(f"only {found} points on the part in {len(pairs)} views, need {MIN_POINTS}")
    points_mm = np.concatenate(
        [apply(pair.part_from_camera, pair.points.astype(np.float64)) for pair in pairs]
    )
    centre = points_mm.mean(axis=0)
    prior = np.diag(1 / _sigma(PLACEMENT_MM, PLACEMENT_DEG) ** 2)
    voted = _fit(_voting(pairs, rays), np.eye(4), centre, prior, VOTED_SCALES_MM, rays)
    offset = _fit(pairs, np.eye(4), centre, prior, SCALES_MM, rays, voted)
    stands = _judge(pairs, _rigid(offset, centre), centre, rays)
    if isinstance(stands, Note):
        return stands
    shapes = [view.shape for view in views], [expected.shape for expected in golden]
    return replace(stands, lift_mm=lift_mm(*shapes, rays, stands.reference_from_part, points_mm))


@dataclass(frozen=True, slots=True, eq=False)
class RefinedView:
    """One view's own correction: moved_mm is how far it takes the part from its alignment."""

    golden_from_camera: Transform
    moved_mm: float


def refine_view(
    view: View, golden: ExpectedView, rays: Rays, reference_from_part: Transform
) -> RefinedView:
    """Where one view stood against its golden view, robot error of both scans included.

    The robot repeats a pose to some 0.03 mm and 0.01 degrees, 0.2 px at the part: enough to
    misplace edges. The alignment of the whole part is the start and the repeatability the prior;
    the data are strong, so a part that was pushed between two views shows in `moved_mm`.
    """
    pair = _pair(view, golden, rays, REFINE_STEP_PX, golden.table_z_mm)
    camera_from_reference = invert(golden.part_from_camera)
    start = reference_from_part
    moved_mm = 0.0
    if len(pair.points) >= MIN_REFINE_POINTS:
        eye_mm = golden.part_from_camera[:3, 3]
        points_mm = apply(start @ view.part_from_camera, pair.points.astype(np.float64))
        prior = np.asarray(np.linalg.inv(_robot_and_standing(points_mm - eye_mm)), np.float64)
        offset = _fit([pair], start, eye_mm, prior, REFINE_SCALES_MM, rays)
        start = _rigid(offset, eye_mm) @ start
        centre = apply(view.part_from_camera, pair.points.mean(axis=0, dtype=np.float64))
        moved_mm = float(np.linalg.norm(apply(start, centre) - apply(reference_from_part, centre)))
    return RefinedView(camera_from_reference @ start @ view.part_from_camera, moved_mm)


def warm_up() -> None:
    """Compile (or load) the kernel of this file."""
    one = np.zeros((1, 3), np.float32)
    plane = np.zeros((1, 1, 4), np.float32)
    zeros = np.zeros(SIZE)
    system = np.zeros((6, 7))
    point_to_plane(one, one[:, 0], np.eye(4), plane, zeros, zeros[:3], 1.0, 1.0, system, one[:, 0])


def _floor_mm(view: View, expected: ExpectedView, rays: Rays) -> float:
    """What is higher is the part: where a view sees its table higher than the golden one did, from
    there, or the table of a sensor that moved would pass for a part that nobody knows."""
    golden = expected.shape
    risen = risen_mm(view.shape, golden, rays)
    if len(risen) < LEAST_POINTS:
        return golden.table_z_mm
    return golden.table_z_mm + max(0.0, float(np.median(risen)))


def _pair(view: View, golden: ExpectedView, rays: Rays, step_px: int, floor_mm: float) -> _Pair:
    if view.depth_mm is None:
        raise ValueError(f"frame {view.frame_id} has no depth to align")
    every = (slice(step_px // 2, None, step_px),) * 2
    sparse = Rays(rays.x[every], rays.y[every], rays.lens)
    depth_mm = view.depth_mm[every]
    on_part = height_mm(depth_mm, sparse, view.part_from_camera) >= floor_mm
    points = sparse.points(depth_mm)[on_part]
    return _Pair(points, np.ones(len(points), np.float32), view.part_from_camera, golden)


def _voting(pairs: Sequence[_Pair], rays: Rays) -> list[_Pair]:
    """The same points, weighted so that every place and direction of the part counts alike."""
    placed = [apply(pair.part_from_camera, pair.points.astype(np.float64)) for pair in pairs]
    normals = [_normals(pair.golden, at, rays) for pair, at in zip(pairs, placed, strict=True)]
    weights = votes(np.concatenate(placed), np.concatenate(normals))
    ends = np.cumsum([len(pair.points) for pair in pairs])[:-1]
    shares = np.split(weights, ends)
    return [replace(pair, weights=share) for pair, share in zip(pairs, shares, strict=True)]


def _normals(golden: ExpectedView, points_part_mm: Matrix, rays: Rays) -> Matrix:
    """(n, 3) of the golden surface where points (n, 3) of a part in its place fall; part frame."""
    pixels = np.rint(rays.project(apply(invert(golden.part_from_camera), points_part_mm)))
    height, width = golden.depth_mm.shape
    i, j = np.clip(pixels, 0, (width - 1, height - 1)).astype(np.int64).T
    return np.asarray(golden.plane[j, i, :3] @ golden.part_from_camera[:3, :3].T)


def _fit(
    pairs: Sequence[_Pair],
    start: Transform,
    centre: Matrix,
    prior: Matrix,
    scales_mm: Sequence[float],
    rays: Rays,
    guess: Matrix | None = None,
) -> Matrix:
    """The offset (6,) after `start` that brings the points onto the planes: a rotation vector about
    the centre, rad, and a translation, mm, reference frame. prior: (6, 6) its information."""
    offset = np.zeros(6) if guess is None else guess
    for scale_mm in scales_mm:
        moved = _rigid(offset, centre) @ start
        hessian, gradient = prior.copy(), prior @ offset
        for pair in pairs:
            system, _ = _compare(pair, moved, centre, scale_mm, rays)
            hessian += system[:, :6]
            gradient += system[:, 6]
        offset = offset - np.linalg.solve(hessian, gradient)
    return offset


def _compare(
    pair: _Pair, reference_from_part: Transform, centre: Matrix, scale_mm: float, rays: Rays
) -> tuple[Matrix, npt.NDArray[np.float32]]:
    """Weighted normal equations (6, 7) in the reference frame, and the residuals, mm."""
    camera_from_reference = invert(pair.golden.part_from_camera)
    golden_from_camera = camera_from_reference @ reference_from_part @ pair.part_from_camera
    system = np.zeros((6, 7))
    residuals_mm = np.full(len(pair.points), np.nan, np.float32)
    compared = point_to_plane(
        pair.points,
        pair.weights,
        golden_from_camera,
        pair.golden.plane,
        rays.lens,
        apply(camera_from_reference, centre),
        scale_mm,
        GATE_MM,
        system,
        residuals_mm,
    )
    turn = np.kron(np.eye(2), pair.golden.part_from_camera[:3, :3])
    information = min(1.0, PATCHES_PER_VIEW / max(compared, 1)) / NOISE_MM**2
    system = information * turn @ system
    system[:, :6] = system[:, :6] @ turn.T
    return system, residuals_mm


def _judge(
    pairs: Sequence[_Pair],
    reference_from_part: Transform,
    centre: Matrix,
    rays: Rays,
) -> Alignment | Note:
    residuals_mm = np.abs(
        np.concatenate(
            [_compare(pair, reference_from_part, centre, 1.0, rays)[1] for pair in pairs]
        )
    )
    compared = np.isfinite(residuals_mm)
    inlier = residuals_mm[compared] <= INLIER_MM
    if compared.mean() < MIN_INLIERS or inlier.mean() < MIN_INLIERS:
        return _failed(
            f"of the points on the part {compared.mean():.0%} meet expected surface and "
            f"{inlier.mean() if inlier.size else 0:.0%} of those lie on it"
        )
    return Alignment(
        reference_from_part=reference_from_part,
        shift_mm=float(np.linalg.norm(apply(reference_from_part, centre) - centre)),
        rotation_deg=angle_deg(np.eye(4), reference_from_part),
        residual_mm=float(1.4826 * np.median(residuals_mm[compared][inlier])),
        inliers=float(inlier.mean()),
    )


def _failed(what: str) -> Note:
    return Note(
        Reason.ALIGNMENT_FAILED, f"{what}: is this the recipe's part, and does it stand in place?"
    )


def _sigma(position_mm: float, rotation_deg: float) -> Matrix:
    return np.repeat((np.radians(rotation_deg), position_mm), 3)


def _robot_and_standing(points_mm: Matrix) -> Matrix:
    """(6, 6) covariance of a view's offset about its eye: of the robot's pose, about the eye, and
    of how the part stands, about the middle of its points (n, 3), which are seen from the eye."""
    middle = points_mm.mean(axis=0)
    reach_mm = np.sqrt(np.square(points_mm - middle).sum(axis=1).mean())
    standing = np.diag(np.repeat((STANDING_MM / max(reach_mm, 1.0), STANDING_MM), 3) ** 2)
    about_eye = np.eye(6)
    about_eye[3:, :3] = np.cross(middle, np.eye(3)).T
    robot = np.diag(_sigma(REPEATABILITY_MM, REPEATABILITY_DEG) ** 2)
    return np.asarray(robot + about_eye @ standing @ about_eye.T)


def _rigid(offset: Matrix, centre: Matrix) -> Transform:
    """Rotation by offset[:3] (rotation vector) about the centre, then translation offset[3:]."""
    moved = np.eye(4)
    moved[:3, :3] = turned_by(offset[None, :3])[0]
    moved[:3, 3] = centre + offset[3:] - moved[:3, :3] @ centre
    return moved
