"""A simulated cell that takes calibration pictures: known lens, hand-eye and board, honest noise.

The robot goes to `base_from_flange` up to its own error and reports the pose it was told; corners
are projected and get noise (`see`), or the board is rendered through the lens (`render`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

import cv2
import numpy as np
from scipy.spatial.transform import Rotation

from voxgate.calib.board.board import Board, Kind
from voxgate.calib.board.board_print import raster
from voxgate.calib.board.board_shapes import extent_mm
from voxgate.calib.board.sightings import Sighting, Sightings
from voxgate.calib.lens.lens import Lens, LensModel
from voxgate.calib.numerics.least_squares import Array
from voxgate.calib.numerics.twist import inverse, motion
from voxgate.runtime.nouns import GreyImage
from voxgate.runtime.transforms import Transform, apply

SIZE_PX = (800, 600)
# the public bracket's camera
FOCAL_PX = (1196.475, 1196.655)
CENTRE_PX = (401.938, 301.766)
DISTORTION = (-0.12107, 0.0902, 0.000474, -0.000388, -0.02001)
BOARD = Board(Kind.CHARUCO, 14, 10, 18.0, 13.5, "5x5_100")
EDGE_PX = 4.0  # a corner nearer to the picture's edge is not found
MIN_CORNERS = 12


@dataclass(frozen=True, slots=True)
class Noise:
    """Standard deviations: corners, and the robot's pose on each axis."""

    corner_px: float = 0.1
    robot_mm: float = 0.03
    robot_deg: float = 0.01


@dataclass(frozen=True, slots=True, eq=False)
class CalibCell:
    """The truth: mount_from_camera X and world_from_board Z, camera on the robot or beside it."""

    lens: Lens
    x: Transform
    z: Transform
    reported: Array  # (v, 4, 4) base_from_flange as the robot says
    camera_from_board: Array  # (v, 4, 4), where the robot really was
    eye_in_hand: bool = True
    board: Board = field(default=BOARD)

    def see(self, noise: Noise, seed: int) -> tuple[Sightings, Array]:
        """Corners in the pictures with noise, and the reported poses of the views that show
        enough of them."""
        generator = np.random.default_rng(seed)
        seen, kept = [], []
        for view, pose in enumerate(self.camera_from_board):
            points = self.board.points_mm
            pixels = self.lens.project(apply(pose, points))
            pixels = pixels + generator.normal(0, noise.corner_px, pixels.shape)
            inside = _inside(pixels, self.lens)
            if inside.sum() >= MIN_CORNERS:
                seen.append(Sighting(f"{view:02d}.png", points[inside], pixels[inside]))
                kept.append(view)
        return Sightings.stack(seen), self.reported[kept]


def lens(model: LensModel = LensModel.BROWN) -> Lens:
    """The public bracket's camera; as rational lens with zeros, or a fisheye."""
    values = [*FOCAL_PX, *CENTRE_PX, *DISTORTION]
    if model is LensModel.RATIONAL:
        values += [0.05, 0.02, 0.0]
    if model is LensModel.FISHEYE:
        values = [420.0, 421.0, 402.0, 298.0, 0.05, -0.01, 0.004, -0.001]
    return Lens(model, *SIZE_PX, np.array(values))


def make_cell(
    seed: int,
    views: int = 25,
    noise: Noise | None = None,
    eye_in_hand: bool = True,
    of: Lens | None = None,
    board: Board = BOARD,
    distance_mm: tuple[float, float] = (300.0, 560.0),
    tilt_deg: float = 45.0,
) -> CalibCell:
    """A random but sensible cell: the board is looked at from `views` sides and distances."""
    generator = np.random.default_rng(seed)
    noise = noise or Noise()
    x = motion(np.array([*generator.normal(0, 0.05, 3), *generator.normal(0, 50, 3)]))
    x = x @ motion(np.array([0, 0, generator.uniform(-3, 3), 0, 0, generator.uniform(40, 120)]))
    looks = [_look(generator, board, distance_mm, tilt_deg) for _ in range(views)]
    camera_from_board = np.array(looks)
    z = _board_place(generator, eye_in_hand)
    # Z = M X T, M the flange in the base, or the base in the flange
    mounts = z @ inverse(camera_from_board) @ inverse(x)
    flanges = mounts if eye_in_hand else inverse(mounts)
    off = np.array(
        [
            motion(
                np.concatenate(
                    [
                        generator.normal(0, np.radians(noise.robot_deg), 3),
                        generator.normal(0, noise.robot_mm, 3),
                    ]
                )
            )
            for _ in range(views)
        ]
    )
    return CalibCell(of or lens(), x, z, flanges @ off, camera_from_board, eye_in_hand, board)


def with_outliers(reported: Array, seed: int, count: int, mm: float, deg: float) -> Array:
    """`count` of the reported poses are wrong by about so much."""
    generator = np.random.default_rng(seed)
    spoilt = reported.copy()
    for view in generator.choice(len(reported), count, replace=False):
        turn = generator.normal(0, 1, 3)
        shift = generator.normal(0, 1, 3)
        turn *= np.radians(deg) / np.linalg.norm(turn)
        shift *= mm / np.linalg.norm(shift)
        spoilt[view] = spoilt[view] @ motion(np.concatenate([turn, shift]))
    return np.asarray(spoilt)


def _look(
    generator: np.random.Generator,
    board: Board,
    distance_mm: tuple[float, float],
    tilt_deg: float,
) -> Transform:
    """camera_from_board: some point of the board in some place of the picture, tilted."""
    middle = board.points_mm.mean(axis=0)
    reach = np.ptp(board.points_mm, axis=0)
    aim = middle + generator.uniform(-0.3, 0.3, 3) * reach
    tilt = generator.uniform(0.2, 1.0) * np.radians(tilt_deg)
    about = generator.uniform(0, 2 * np.pi)
    turn = Rotation.from_rotvec([tilt * np.cos(about), tilt * np.sin(about), 0])
    roll = Rotation.from_rotvec([0, 0, generator.uniform(-np.pi, np.pi)])
    pose = np.eye(4)
    pose[:3, :3] = (turn * roll).as_matrix()
    pose[:3, 3] = [0, 0, generator.uniform(*distance_mm)] - pose[:3, :3] @ aim
    return np.asarray(pose)


def _board_place(generator: np.random.Generator, eye_in_hand: bool) -> Transform:
    if eye_in_hand:
        place = motion(np.array([np.pi, 0, 0, *generator.uniform([500, -200, 0], [800, 200, 200])]))
    else:
        place = motion(np.array([0, 0, 0, *generator.uniform([-150, -150, 40], [-90, -60, 90])]))
    tilted = motion(np.array([*generator.normal(0, 0.1, 3), 0, 0, 0]))
    placed: Transform = place @ tilted
    return placed


def _inside(pixels: Array, of: Lens) -> Array:
    low, high = EDGE_PX, np.array([of.width_px, of.height_px]) - 1 - EDGE_PX
    return np.asarray(((pixels > low) & (pixels < high)).all(axis=1))


# --- pictures ------------------------------------------------------------------------------------

SUPERSAMPLED = 2
INK, PAPER = 30.0, 215.0
MARGIN_MM = 12.0
READ_NOISE = 1.5  # grey levels
BOW_STEPS = 3


class Camera:
    """Renders a board through a lens: every pixel's ray meets the board, flat or with a bow_mm of
    x and y squared at its edges, and of their product. blur_px: of the lens."""

    def __init__(
        self,
        of: Lens,
        board: Board,
        px_per_mm: float = 5.0,
        bow_mm: tuple[float, float, float] = (0.0, 0.0, 0.0),
        blur_px: float = 0.6,
    ) -> None:
        points = board.points_mm[:, :2]
        self._middle = (points.min(axis=0) + points.max(axis=0)) / 2
        self._half = np.ptp(points, axis=0) / 2
        self._bow_mm, self._blur_px = bow_mm, blur_px
        self._rays = _rays(of.model, of.width_px, of.height_px, tuple(of.values.tolist()))
        self._texture = raster(board, px_per_mm, MARGIN_MM)
        left, top, _, _ = extent_mm(board)
        # texel centre of board point (x, y): (x - left + margin) * px_per_mm - 0.5
        self._texel = px_per_mm, MARGIN_MM - left, MARGIN_MM - top
        self._size = of.width_px, of.height_px

    def render(self, camera_from_board: Transform, seed: int) -> GreyImage:
        """The picture with read noise; a grey room behind the board."""
        to_board = inverse(camera_from_board[None])[0]
        along = self._rays @ to_board[:3, :3].T
        distance = self._distance(to_board, along)
        scale, across, down = self._texel
        x = (along[..., 0] * distance + to_board[0, 3] + across) * scale - 0.5
        y = (along[..., 1] * distance + to_board[1, 3] + down) * scale - 0.5
        fine = cv2.remap(
            self._texture,
            x.astype(np.float32),
            y.astype(np.float32),
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_CONSTANT,
            borderValue=140,
        )
        grey = cv2.resize(fine.astype(np.float32), self._size, interpolation=cv2.INTER_AREA)
        lit = INK + (PAPER - INK) / 255 * cv2.GaussianBlur(grey, (0, 0), self._blur_px)
        noise = np.random.default_rng(seed).normal(0, READ_NOISE, lit.shape)
        return np.clip(np.rint(lit + noise), 0, 255).astype(np.uint8)

    def _distance(self, to_board: Transform, along: Array) -> Array:
        """(h, w) to the board along each ray: where the plane is, then where the bow is there."""
        distance = -to_board[2, 3] / along[..., 2]
        for _ in range(BOW_STEPS if any(self._bow_mm) else 0):
            place = along[..., :2] * distance[..., None] + to_board[:2, 3]
            x, y = np.moveaxis(np.clip((place - self._middle) / self._half, -2, 2), -1, 0)
            height = self._bow_mm[0] * x**2 + self._bow_mm[1] * y**2 + self._bow_mm[2] * x * y
            distance = (height - to_board[2, 3]) / along[..., 2]
        return np.asarray(distance)


@lru_cache(maxsize=2)
def _rays(model: LensModel, width_px: int, height_px: int, values: tuple[float, ...]) -> Array:
    """(h, w, 3) directions of the pixels, several per side, z = 1."""
    of = Lens(model, width_px, height_px, np.array(values))
    fine = SUPERSAMPLED
    height, width = height_px * fine, width_px * fine
    v, u = np.mgrid[0:height, 0:width]
    pixels = np.stack([(u + 0.5) / fine - 0.5, (v + 0.5) / fine - 0.5], axis=-1)
    flat = of.normalised(pixels.reshape(-1, 2)).reshape(height, width, 2)
    return np.dstack([flat, np.ones_like(u)])
