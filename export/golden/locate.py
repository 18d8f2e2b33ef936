"""Where a picture was taken from, told by the golden scan: for pictures without a robot.

As OmniposeAD finds poses (PAD, section 4.2), on the golden views where it renders a radiance field:
the golden view that has most in common with the picture is retrieved by local features (SIFT), the
pose follows from the golden points behind them (P3P and RANSAC), and is refined by rendering: that
view is drawn as it would be seen from the pose found, and compared with the picture anew. A pose
that its own fit leaves uncertain, or that another view contradicts as well, is refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt

from voxgate.export.golden.gloss import part_points
from voxgate.export.golden.golden import Golden
from voxgate.export.golden.pose_spread import spread_mm
from voxgate.export.golden.turned import seen_from
from voxgate.runtime.errors import ScanError
from voxgate.runtime.geometry.rays import Rays
from voxgate.runtime.nouns import DepthMap, GreyImage, View
from voxgate.runtime.transforms import Transform, apply, invert

FAINT = 0.02  # contrast of a feature; half of the usual, as a part is smoother than a street
RATIO = 0.8  # a match is that much nearer than the next one (Lowe)
WITHIN_PX = 3.0  # of where the pose puts a point
FEWEST = 12  # points that agree on a pose; fewer agree by chance
MOST_MM = 1.0  # standard deviation of where a pose puts the part
RIVAL = 0.8  # of the points that agree: another pose with so many is as likely
APART = 3.0  # standard deviations of both; nearer poses are the same
SURER = 0.9  # of the uncertainty before; less comes of the pixels that a drawn picture is made of
ROUNDS = 2  # of rendering and comparing
DRAWS, SURE = 2000, 0.999
WIDTH = 128  # of a feature
STRAIGHT = np.zeros(4)  # the lens's distortion is taken out before

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Located:
    """frame_id: of the golden view that it resembles. points: that agree on the pose; residual_px:
    how far they lie from where it puts them, root mean square; uncertain_mm: one standard deviation
    of where it puts the part, by its own fit."""

    part_from_camera: Transform
    frame_id: int
    points: int
    residual_px: float
    uncertain_mm: float


@dataclass(frozen=True, slots=True, eq=False)
class _Landmarks:
    """Features (n, 128) of a picture at pixels uv (n, 2), and the points (n, 3) there, part frame,
    mm, where they are known."""

    features: npt.NDArray[np.float32]
    uv: Floats
    points_mm: Floats


@dataclass(frozen=True, slots=True, eq=False)
class _Pose:
    """fitted_mm (n, 3): the points that agree, part frame; apart_px (n, 2): what is left."""

    camera_from_part: Transform
    fitted_mm: Floats
    apart_px: Floats

    @property
    def residual_px(self) -> float:
        """Root mean square."""
        return float(np.sqrt((self.apart_px**2).sum(axis=1).mean()))


class Locator:
    """The golden scan's features, looked for once."""

    def __init__(self, golden: Golden, most_mm: float = MOST_MM) -> None:
        self.golden, self.rays, self.most_mm = golden, golden.rays, most_mm
        self.focal_px = float(golden.scan.calibration.camera_matrix[0, 0])
        self.known = [_of_view(view, golden) for view in golden.views]
        self.part_mm = np.concatenate([known.points_mm for known in self.known])

    def locate(self, picture: GreyImage) -> Located:
        """The pose of the golden scan's camera when it took `picture` (h, w).

        Raises ScanError for a picture of another size, one in which the part is not recognised, or
        whose pose is less certain than most_mm.
        """
        height, width = self.rays.x.shape
        if picture.shape != (height, width):
            raise ScanError(
                f"the picture is {picture.shape[1]} x {picture.shape[0]} px, the golden scan's "
                f"camera {width} x {height}"
            )
        seen = _landmarks(picture)
        view, pose = self._retrieved(seen)
        for finer in self._refined(seen, view, pose):
            pose = finer
        uncertain_mm = self._spread_mm(pose)
        found = Located(
            invert(pose.camera_from_part),
            view.frame_id,
            len(pose.fitted_mm),
            pose.residual_px,
            uncertain_mm,
        )
        if not uncertain_mm <= self.most_mm:
            raise ScanError(self._too_uncertain(found, pose))
        return found

    def _retrieved(self, seen: _Landmarks) -> tuple[View, _Pose]:
        """The golden view whose points most matches agree on. Raises ScanError."""
        poses = [_posed(seen, known, self.rays, self.focal_px) for known in self.known]
        told = [
            (view, pose)
            for view, pose in zip(self.golden.views, poses, strict=True)
            if pose is not None
        ]
        if not told:
            raise ScanError(
                f"no pose explains {FEWEST} points of the picture: is it this part, as lit as in "
                "the golden scan, and near one of its viewpoints?"
            )
        best = max(told, key=lambda each: len(each[1].fitted_mm))
        for other in told:
            self._check_no_rival(best, other)
        return best

    def _check_no_rival(self, best: tuple[View, _Pose], other: tuple[View, _Pose]) -> None:
        """Raises ScanError where another view puts the part elsewhere and is as likely."""
        (view, pose), (like, rival) = best, other
        if len(rival.fitted_mm) < RIVAL * len(pose.fitted_mm):
            return
        apart = apply(pose.camera_from_part, self.part_mm)
        apart -= apply(rival.camera_from_part, self.part_mm)
        apart_mm = float(np.sqrt((apart**2).sum(axis=1).mean()))
        if apart_mm <= APART * (self._spread_mm(pose) + self._spread_mm(rival)):
            return
        raise ScanError(
            f"two poses explain the picture, {apart_mm:.0f} mm apart: golden frame {view.frame_id} "
            f"by {len(pose.fitted_mm)} points, {like.frame_id} by {len(rival.fitted_mm)}: show "
            "more of the part than what looks alike from two sides"
        )

    def _spread_mm(self, pose: _Pose) -> float:
        return spread_mm(
            apply(pose.camera_from_part, pose.fitted_mm),
            pose.apart_px,
            apply(pose.camera_from_part, self.part_mm),
            self.focal_px,
        )

    def _too_uncertain(self, found: Located, pose: _Pose) -> str:
        away_mm = float(np.median(apply(pose.camera_from_part, pose.fitted_mm)[:, 2]))
        return (
            f"the pose is certain to {found.uncertain_mm:.1f} mm only (one standard deviation; "
            f"most: {self.most_mm:g}): {found.points} points agree to {found.residual_px:.2f} px, "
            f"a pixel is {away_mm / self.focal_px:.2f} mm: take finer pictures or from nearer, "
            "golden ones too, or from nearer to a golden viewpoint"
        )

    def _refined(self, seen: _Landmarks, view: View, pose: _Pose) -> Iterator[_Pose]:
        """The poses of each round that are more certain."""
        for _ in range(ROUNDS):
            drawn = _drawn(view, pose, self.golden)
            finer = _posed(seen, drawn, self.rays, self.focal_px)
            if finer is None or self._spread_mm(finer) >= SURER * self._spread_mm(pose):
                return
            pose = finer
            yield pose


def _drawn(view: View, pose: _Pose, golden: Golden) -> _Landmarks:
    """Of a golden view as it would be seen from a pose."""
    grey, part_from_camera = replace(view, colour=None), invert(pose.camera_from_part)
    drawn = seen_from(grey, golden.rays, pose.camera_from_part @ view.part_from_camera)
    depth_mm = drawn["depth_mm"][0, 0].astype(np.float32)
    points_mm = apply(part_from_camera, golden.rays.points(depth_mm).astype(np.float64))
    on_part = (depth_mm > 0) & (points_mm[..., 2] >= golden.table_z_mm)
    image = np.asarray(drawn["image"][0, 0], np.uint8)
    return _known(_landmarks(image, on_part), depth_mm, golden.rays, part_from_camera)


def _of_view(view: View, golden: Golden) -> _Landmarks:
    assert view.depth_mm is not None  # load_golden refuses a scan without
    on_part, _ = part_points(view, golden.rays, golden.table_z_mm)
    found = _landmarks(view.image, on_part)
    return _known(found, view.depth_mm, golden.rays, view.part_from_camera)


def _known(
    found: _Landmarks, depth_mm: DepthMap, rays: Rays, part_from_camera: Transform
) -> _Landmarks:
    """With the points behind them: a feature lies between pixels, and so does its point."""
    if len(found.uv) == 0:
        return found
    column, row = np.rint(found.uv).astype(int).T
    depth = depth_mm[row, column].astype(np.float64)[:, None]
    points = np.hstack([_looks(found.uv, rays) * depth, depth])
    return replace(found, points_mm=apply(part_from_camera, points))


def _landmarks(image: GreyImage, on_part: npt.NDArray[np.bool_] | None = None) -> _Landmarks:
    """on_part (h, w): where features count. Their points are not known yet, and 0."""
    mask = None if on_part is None else on_part.astype(np.uint8)
    sift = cv2.SIFT.create(contrastThreshold=FAINT)
    keypoints, features = sift.detectAndCompute(np.ascontiguousarray(image), mask)
    if features is None:
        return _Landmarks(np.zeros((0, WIDTH), np.float32), np.zeros((0, 2)), np.zeros((0, 3)))
    uv = np.array([each.pt for each in keypoints], np.float64)
    return _Landmarks(np.asarray(features, np.float32), uv, np.zeros((len(uv), 3)))


def _posed(seen: _Landmarks, known: _Landmarks, rays: Rays, focal_px: float) -> _Pose | None:
    """What most matches agree on; None for fewer than FEWEST."""
    ours, theirs = _matched(seen.features, known.features)
    if len(ours) < FEWEST:
        return None
    # in pixels: at depth 1 OpenCV's refinement finds its steps too small, and stops early
    pinhole = np.diag([focal_px, focal_px, 1.0])
    looks_px, points = focal_px * _looks(seen.uv[ours], rays), known.points_mm[theirs]
    drawn, turn, shift, inside = cv2.solvePnPRansac(
        points, looks_px, pinhole, STRAIGHT, iterationsCount=DRAWS, confidence=SURE,
        reprojectionError=WITHIN_PX, flags=cv2.SOLVEPNP_EPNP,
    )  # fmt: skip
    if not drawn or inside is None or len(inside) < FEWEST:
        return None
    agreeing = np.asarray(inside.ravel(), np.intp)
    turn, shift = cv2.solvePnPRefineLM(
        points[agreeing], looks_px[agreeing], pinhole, STRAIGHT, turn, shift
    )
    camera_from_part = np.eye(4)
    camera_from_part[:3, :3], camera_from_part[:3, 3] = cv2.Rodrigues(turn)[0], shift.ravel()
    placed = apply(camera_from_part, points[agreeing])
    apart_px = focal_px * placed[:, :2] / placed[:, 2:] - looks_px[agreeing]
    return _Pose(camera_from_part, points[agreeing], apart_px)


def _matched(
    a: npt.NDArray[np.float32], b: npt.NDArray[np.float32]
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Numbers of those that are much nearer to each other than to the next one."""
    if len(a) == 0 or len(b) < 2:
        return np.zeros(0, np.intp), np.zeros(0, np.intp)
    pairs = cv2.BFMatcher().knnMatch(a, b, k=2)
    clear = [first for first, second in pairs if first.distance < RATIO * second.distance]
    found = np.array([(m.queryIdx, m.trainIdx) for m in clear], np.intp).reshape(-1, 2)
    return found[:, 0], found[:, 1]


def _looks(uv: Floats, rays: Rays) -> Floats:
    """(n, 2) where pixels (n, 2) look, x and y at depth 1: without the lens's distortion."""
    u, v = np.ascontiguousarray(uv.T, np.float32)[..., None]
    x, y = (cv2.remap(plane, u, v, cv2.INTER_LINEAR).ravel() for plane in (rays.x, rays.y))
    return np.stack([x, y], axis=1).astype(np.float64)
