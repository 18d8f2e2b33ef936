"""The golden part again, as another good part would be seen: moved, under other light, with noise.

What one golden scan cannot show (another texture, another label) is not in here either.
"""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import numpy.typing as npt

from voxgate.runtime.common.crew import Crew
from voxgate.runtime.comparison.expected import ExpectedView, expect
from voxgate.runtime.geometry.brought import with_depth
from voxgate.runtime.geometry.rays import Rays
from voxgate.runtime.nouns import DepthMap, Picture, View
from voxgate.runtime.pixels.colour import grey_and_colour
from voxgate.runtime.pixels.picture import decode_picture
from voxgate.runtime.transforms import Transform, apply, invert

SHIFT_MM = 0.6  # how a fixture without clamps places a part
TURN_DEG = 0.4
LIGHT = 0.05  # of the light; the camera's tone curve is a square root
WHITE = 0.03  # of each colour alone: lamps warm up, a camera balances its white anew
GREY_NOISE = 1.5  # shot and read noise, grey levels
DEPTH_NOISE_MM = 0.05
JPEG_QUALITY = 95

FloatMap = npt.NDArray[np.float32]


def placement(rng: np.random.Generator) -> Transform:
    """part_from_reference: a golden part put down again, shifted and turned on the table."""
    turn = np.deg2rad(rng.uniform(-TURN_DEG, TURN_DEG))
    part_from_reference = np.eye(4)
    part_from_reference[:2, :2] = [[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]
    part_from_reference[:2, 3] = rng.uniform(-SHIFT_MM, SHIFT_MM, 2) / np.sqrt(2)
    return part_from_reference


def disturbed(picture: Picture, rng: np.random.Generator) -> Picture:
    """The picture under other light, in colour also of another white, with the noise of another
    exposure and a JPEG's."""
    light = np.sqrt(1 + rng.uniform(-LIGHT, LIGHT))
    white = np.sqrt(1 + rng.uniform(-WHITE, WHITE, 3)) if picture.ndim == 3 else 1.0
    noisy = picture * (light * white) + rng.normal(0, GREY_NOISE, picture.shape)
    levels = np.clip(noisy, 0, 255).round().astype(np.uint8)
    if picture.ndim == 3:
        levels = cv2.cvtColor(levels, cv2.COLOR_RGB2BGR)
    stored = cv2.imencode(".jpg", levels, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1]
    return decode_picture(stored.tobytes(), picture.shape[1], picture.shape[0])


def surface_of(view: View, rays: Rays, table_z_mm: float) -> ExpectedView:
    """What a view tells of its part, for `seen_again`; of a sensor beside the camera too.

    Raises ValueError for a view without depth, or without the part.
    """
    if view.depth_mm is None:
        raise ValueError(f"frame {view.frame_id} has no depth to see again")
    own = expect(view.picture, view.depth_mm, rays, view.part_from_camera, table_z_mm)
    if view.sensed is None:
        return own
    return replace(own, sensed=surface_of(view.sensed, rays.shape, table_z_mm))


def seen_again(
    view: View,
    expected: ExpectedView,
    rays: Rays,
    part_from_reference: Transform,
    rng: np.random.Generator,
) -> View:
    """The golden view of the part moved by `part_from_reference`, first order in the movement.

    A pixel takes what lies one displacement away; displacements are a pixel or two, so their own
    change along it is far below one.
    """
    camera_from_part = invert(view.part_from_camera)
    camera_from_golden = camera_from_part @ part_from_reference @ view.part_from_camera
    moved = apply(camera_from_golden, rays.points(expected.depth_mm).astype(np.float64))
    v, u = np.mgrid[: moved.shape[0], : moved.shape[1]]
    origin = (2 * np.stack([u, v], axis=-1) - rays.project(moved)).astype(np.float32)
    picture = cv2.remap(
        view.picture,
        origin[..., 0],
        origin[..., 1],
        cv2.INTER_CUBIC,
        borderMode=cv2.BORDER_REPLICATE,
    )
    depth_mm = _depth(expected, rays, camera_from_golden, origin)
    noise_mm = rng.normal(0, DEPTH_NOISE_MM, depth_mm.shape)
    image, colour = grey_and_colour(disturbed(np.asarray(picture, np.uint8), rng))
    again = View(
        frame_id=view.frame_id,
        image=image,
        colour=colour,
        part_from_camera=view.part_from_camera,
        uncertainty_mm=view.uncertainty_mm,
        depth_mm=np.asarray(depth_mm + noise_mm, np.float32),
    )
    if view.sensed is None:
        return again
    sensed = seen_again(view.shape, expected.shape, rays.shape, part_from_reference, rng)
    with Crew(1) as crew:
        return with_depth(replace(again, sensed=sensed), rays, crew)


def _depth(
    expected: ExpectedView, rays: Rays, camera_from_golden: Transform, origin: FloatMap
) -> DepthMap:
    """Where each ray meets the moved plane of the pixel it comes from; NaN without a plane."""
    height, width = expected.depth_mm.shape
    u = np.clip(np.rint(origin[..., 0]), 0, width - 1).astype(np.intp)
    v = np.clip(np.rint(origin[..., 1]), 0, height - 1).astype(np.intp)
    plane = expected.plane[v, u].astype(np.float64)
    normal = plane[..., :3] @ camera_from_golden[:3, :3].T
    offset = plane[..., 3] + normal @ camera_from_golden[:3, 3]
    facing = normal[..., 0] * rays.x + normal[..., 1] * rays.y + normal[..., 2]
    known = facing != 0
    depth_mm: DepthMap = np.full(facing.shape, np.nan, np.float32)
    depth_mm[known] = offset[known] / facing[known]
    return depth_mm
