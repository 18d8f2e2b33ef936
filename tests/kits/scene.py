"""A part made of boxes on a table, ray-cast through a distorting lens, for geometry tests."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import numpy.typing as npt
from scipy.spatial.transform import Rotation

from tests.kits.repository import ROOT
from voxgate.runtime.comparison.expected import ExpectedView, expect
from voxgate.runtime.geometry.calibration import Calibration
from voxgate.runtime.geometry.rays import Rays
from voxgate.runtime.nouns import View
from voxgate.runtime.transforms import Transform, apply, invert

TABLE_Z_MM = 1.0
NOISE_MM = 0.03
RANGE_MM = 900.0  # the sensor returns nothing from farther away
Box = tuple[tuple[float, float, float], tuple[float, float, float]]  # two opposite corners, mm

BODY: Box = ((-50.0, -30.0, 0.0), (50.0, 30.0, 25.0))
TOWER: Box = ((-40.0, -20.0, 25.0), (-10.0, 20.0, 60.0))
BOLT: Box = ((15.0, -10.0, 25.0), (35.0, 10.0, 35.0))
PART = (BODY, TOWER, BOLT)
PLATE = (((-60.0, -40.0, 0.0), (60.0, 40.0, 10.0)),)


@cache
def rays() -> Rays:
    """A camera of 320 x 240 px that sees the part 1 px per mm, with a lens like the example's."""
    example = ROOT / "examples" / "bracket" / "calibration.json"
    matrix = np.array([[480.0, 0, 161.0], [0, 481.0, 119.0], [0, 0, 1]])
    calibration = Calibration.load(example)
    return Rays.from_calibration(
        replace(calibration, width_px=320, height_px=240, camera_matrix=matrix)
    )


def camera(
    azimuth_deg: float, elevation_deg: float = 45.0, distance_mm: float = 420.0
) -> Transform:
    """part_from_camera of a camera that looks at the part's middle."""
    azimuth, elevation = np.radians((azimuth_deg, elevation_deg))
    level = np.cos(elevation)
    towards = np.array([level * np.cos(azimuth), level * np.sin(azimuth), np.sin(elevation)])
    z = -towards
    x = np.cross(z, (0, 0, 1.0))
    x /= np.linalg.norm(x)
    pose = np.eye(4)
    pose[:3, :3] = np.stack([x, np.cross(z, x), z], axis=1)
    pose[:3, 3] = np.array((0, 0, 20.0)) + distance_mm * towards
    return pose


def offset(shift_mm: tuple[float, float, float], turn_deg: tuple[float, float, float]) -> Transform:
    """part_from_instance of a part that stands a little off its fixture."""
    moved = np.eye(4)
    moved[:3, :3] = Rotation.from_rotvec(turn_deg, degrees=True).as_matrix()
    moved[:3, 3] = shift_mm
    return moved


def look(
    part_from_camera: Transform,
    boxes: tuple[Box, ...] = PART,
    part_from_instance: Transform | None = None,
    noise_mm: float = NOISE_MM,
    seed: int = 0,
    through: Rays | None = None,
) -> View:
    """Image and depth of the boxes, standing at part_from_instance, and of the table z = 0.

    through: another camera's pixels than those of `rays`.
    """
    standing = np.eye(4) if part_from_instance is None else part_from_instance
    pixels = rays() if through is None else through
    directions = np.stack([pixels.x, pixels.y, np.ones_like(pixels.x)], axis=-1).astype(np.float64)
    depth = np.minimum(_plane_depth(part_from_camera, directions), RANGE_MM)
    on_part = np.zeros(depth.shape, np.bool_)
    instance_from_camera = invert(standing) @ part_from_camera
    for box in boxes:
        hit = _box_depth(box, instance_from_camera, directions)
        on_part |= hit < depth
        depth = np.minimum(depth, hit)
    points = apply(instance_from_camera, directions * depth[..., None])
    noise = np.random.default_rng(seed).normal(0.0, noise_mm, depth.shape) if noise_mm else 0.0
    depth_mm = np.where(depth < RANGE_MM, depth + noise, np.nan).astype(np.float32)
    image = np.where(on_part, _texture(points), 60).astype(np.uint8)
    return View(seed, image, part_from_camera, 0.0, depth_mm)


def golden(poses: list[Transform], boxes: tuple[Box, ...] = PART) -> list[ExpectedView]:
    """Expected views of a golden part that stands exactly in place."""
    views = [look(pose, boxes, seed=100 + number) for number, pose in enumerate(poses)]
    return [
        expect(view.image, depth(view), rays(), view.part_from_camera, TABLE_Z_MM) for view in views
    ]


def depth(view: View) -> npt.NDArray[np.float32]:
    """The depth map of a view that is known to have one."""
    assert view.depth_mm is not None
    return view.depth_mm


def corners(boxes: tuple[Box, ...] = PART) -> npt.NDArray[np.float64]:
    """(8, 3) corners of the box around the part, mm."""
    lo = np.min([low for low, _ in boxes], axis=0)
    hi = np.max([high for _, high in boxes], axis=0)
    return np.array(
        [[x, y, z] for x in (lo[0], hi[0]) for y in (lo[1], hi[1]) for z in (lo[2], hi[2])]
    )


def _plane_depth(
    part_from_camera: Transform, directions: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    slope = directions @ part_from_camera[2, :3]
    with np.errstate(divide="ignore"):
        found: npt.NDArray[np.float64] = np.where(
            slope < 0, -part_from_camera[2, 3] / slope, np.inf
        )
    return found


def _box_depth(
    box: Box, instance_from_camera: Transform, directions: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Depth of a box along every ray, infinite where it is missed (slab method)."""
    # the axes first: numpy finds the extreme of three pictures faster than of many threes
    along = np.tensordot(instance_from_camera[:3, :3], directions, axes=(1, 2))
    start = instance_from_camera[:3, 3]
    with np.errstate(divide="ignore", invalid="ignore"):
        a, b = ((np.asarray(side) - start)[:, None, None] / along for side in box)
    near = np.minimum(a, b).max(axis=0)
    far = np.maximum(a, b).min(axis=0)
    found: npt.NDArray[np.float64] = np.where((near < far) & (near > 0), near, np.inf)
    return found


def _texture(points: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    with np.errstate(invalid="ignore"):
        waves: npt.NDArray[np.float64] = 130 + 40 * np.sin(points / 4.0).sum(axis=-1) / 1.5
    return np.nan_to_num(waves)
