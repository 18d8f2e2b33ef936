"""A tray of made-up parts, seen by posed views: rays met with boxes and balls, nothing of ours."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from scipy.spatial.transform import Rotation

Array = npt.NDArray[np.float64]

WIDTH_PX, HEIGHT_PX, FOCAL_PX = 160, 120, 200.0
MATRIX = np.array([[FOCAL_PX, 0, WIDTH_PX / 2], [0, FOCAL_PX, HEIGHT_PX / 2], [0, 0, 1]])
VIEWS = 12
DISTANCE_MM = 360.0
NOISE_MM = 0.05
UNIT_MM = 0.02
LIGHT = (0.3, -0.2, 0.93)
AMBIENT = 0.35
TONE = 150.0


@dataclass(frozen=True)
class Box:
    """Centre and half its sizes, mm, in the part's frame."""

    centre: tuple[float, float, float]
    half: tuple[float, float, float]


Hue = tuple[float, float, float]
"""Red, green and blue over the luma, whose own is 1 (ITU-R BT.601)."""
WHITE: Hue = (1.0, 1.0, 1.0)
BEIGE: Hue = (1.05, 1.0, 0.869)
BLUE: Hue = (0.72, 1.03, 1.579)
RED: Hue = (1.52, 0.80, 0.6605)


@dataclass(frozen=True)
class Mark:
    """What of the surface within a box has another tone, or hue: without height. hue: None, as the
    part."""

    where: Box
    tone: float
    hue: Hue | None = None


PART = (
    Box((0, 0, 5), (30, 20, 5)),
    Box((-16, 0, 20), (8, 12, 12)),
    Box((20, 10, 12), (5, 5, 4)),
)
"""A plate with a tower and a knob: no turn about the vertical brings it back onto itself."""


@dataclass(frozen=True)
class Part:
    """One instance: where it stands, how it is turned, what it is made of."""

    x: float
    y: float
    degrees: float
    boxes: tuple[Box, ...] = PART
    upside_down: bool = False
    marks: tuple[Mark, ...] = ()
    hue: Hue = BEIGE

    def world_from_part(self) -> Array:
        """(4, 4), the lowest point on the table."""
        turn = Rotation.from_euler("z", self.degrees, degrees=True)
        height = 0.0
        if self.upside_down:
            turn = turn * Rotation.from_euler("x", 180, degrees=True)
            height = max(box.centre[2] + box.half[2] for box in self.boxes)
        pose = np.eye(4)
        pose[:3, :3] = turn.as_matrix()
        pose[:3, 3] = self.x, self.y, height
        return pose


@dataclass(frozen=True)
class Tray:
    """Parts, and what goes wrong: `moved` is (part, first view, shift in x, mm), `silent` a ball,
    (x, y, z, radius) in the world, mm, of which no view gets a return; `shadows`: parts and their
    own boxes keep the light off; `around_deg`: of the circle that views are taken from;
    `sent_again`: this view stands there once more at the end; `grey`: views whose pictures have no
    colour, None for all."""

    parts: Sequence[Part]
    moved: tuple[int, int, float] | None = None
    wrong_pose: tuple[int, float] | None = None
    silent: tuple[float, float, float, float] | None = None
    views: int = VIEWS
    aim: tuple[float, float] = (0.0, 0.0)
    seed: int = field(default=1)
    shadows: bool = False
    brightness: float = 1.0
    around_deg: float = 360.0
    sent_again: int | None = None
    light: tuple[float, float, float] = LIGHT
    distortion: tuple[float, ...] = ()
    grey: tuple[int, ...] | None = None


def with_box(part: Part, box: Box) -> Part:
    """The part with something on it."""
    return replace(part, boxes=(*part.boxes, box))


def with_mark(part: Part, *marks: Mark) -> Part:
    """The part with something printed on it."""
    return replace(part, marks=(*part.marks, *marks))


def without(part: Part, index: int) -> Part:
    """The part without one of its boxes."""
    return replace(part, boxes=part.boxes[:index] + part.boxes[index + 1 :])


def regular(count: int) -> list[Part]:
    """Up to five parts that do not touch, turned differently."""
    places = ((-75, -70, 10), (70, -65, 200), (-72, 60, 95), (70, 75, 300), (0, 0, 45))
    return [Part(x, y, degrees) for x, y, degrees in places[:count]]


def write(tray: Tray, folder: Path) -> Path:
    """Render it as a scene folder."""
    rng = np.random.default_rng(tray.seed)
    folder.mkdir(parents=True, exist_ok=True)
    views = []
    for number in range(tray.views):
        pose = _pose(number, tray)
        image, depth = _render(_parts(tray, number), pose, tray, rng)
        if number in (tray.grey or ()):
            image = np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), np.uint8)
        if tray.silent is not None:
            depth[_within(tray.silent, depth, pose)] = 0
        _png(folder / f"{number:02d}.png", image)
        _png(folder / f"{number:02d}d.png", depth)
        said = pose.copy()
        if tray.wrong_pose is not None and number == tray.wrong_pose[0]:
            said[0, 3] += tray.wrong_pose[1]
        views.append(
            {
                "image": f"{number:02d}.png",
                "depth": f"{number:02d}d.png",
                "T_world_cam": said.tolist(),
            }
        )
    if tray.sent_again is not None:
        views.append(views[tray.sent_again])
    scene = {
        "units": "mm",
        "image_size": {"width": WIDTH_PX, "height": HEIGHT_PX},
        "K": MATRIX.tolist(),
        "distortion": list(tray.distortion),
        "depth_unit_mm": UNIT_MM,
        "table_z_mm": 0.0,
        "views": views,
    }
    (folder / "scene.json").write_text(json.dumps(scene), "utf-8")
    return folder


def _rays(distortion: tuple[float, ...]) -> Array:
    """(h, w, 3) where each pixel looks, z = 1."""
    v, u = np.mgrid[0:HEIGHT_PX, 0:WIDTH_PX].astype(np.float64)
    bent = np.stack([(u - WIDTH_PX / 2) / FOCAL_PX, (v - HEIGHT_PX / 2) / FOCAL_PX], axis=-1)
    x, y = np.moveaxis(bent, -1, 0)
    k1, k2, p1, p2, k3 = distortion or (0.0,) * 5
    for _ in range(60):
        r2 = x**2 + y**2
        stretch = 1 + k1 * r2 + k2 * r2**2 + k3 * r2**3
        aside = 2 * p1 * x * y + p2 * (r2 + 2 * x**2), p1 * (r2 + 2 * y**2) + 2 * p2 * x * y
        x, y = (bent[..., 0] - aside[0]) / stretch, (bent[..., 1] - aside[1]) / stretch
    return np.stack([x, y, np.ones(u.shape)], axis=-1)


def _parts(tray: Tray, view: int) -> list[Part]:
    parts = list(tray.parts)
    if tray.moved is not None and view >= tray.moved[1]:
        index, _, shift = tray.moved
        parts[index] = replace(parts[index], x=parts[index].x + shift)
    return parts


def _pose(number: int, tray: Tray) -> Array:
    """Two thirds of the views on a ring, the rest higher above."""
    high = number % 3 == 2
    around = np.radians(tray.around_deg) * number / tray.views
    up = np.radians(70 if high else 42)
    centre = np.array([*tray.aim, 10.0])
    eye = centre + DISTANCE_MM * np.array(
        [np.cos(around) * np.cos(up), np.sin(around) * np.cos(up), np.sin(up)]
    )
    z = (centre - eye) / np.linalg.norm(centre - eye)
    x = np.cross(z, (0, 0, 1.0))
    x /= np.linalg.norm(x)
    pose = np.eye(4)
    pose[:3, :3] = np.stack([x, np.cross(z, x), z], axis=1)
    pose[:3, 3] = eye
    return pose


def _within(
    ball: tuple[float, float, float, float], depth: npt.NDArray[np.uint16], pose: Array
) -> npt.NDArray[np.bool_]:
    v, u = np.mgrid[0:HEIGHT_PX, 0:WIDTH_PX]
    z = depth * UNIT_MM
    camera = [(u - WIDTH_PX / 2) / FOCAL_PX * z, (v - HEIGHT_PX / 2) / FOCAL_PX * z, z]
    world = np.stack(camera, axis=-1) @ pose[:3, :3].T + pose[:3, 3]
    return np.asarray(np.linalg.norm(world - ball[:3], axis=-1) < ball[3])


def _render(
    parts: list[Part], world_from_camera: Array, tray: Tray, rng: np.random.Generator
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint16]]:
    ray = _rays(tray.distortion)
    way = ray @ world_from_camera[:3, :3].T
    eye = world_from_camera[:3, 3]
    depth = np.where(way[..., 2] < 0, -eye[2] / np.minimum(way[..., 2], -1e-9), np.inf)
    normal = np.zeros_like(way)
    normal[..., 2] = 1.0
    tone, hue = np.full(depth.shape, 60.0), np.ones_like(way)
    for part in parts:
        pose = part.world_from_part()
        for box in part.boxes:
            _meet(box, pose, eye, way, depth, normal, tone, hue, part)
    light = np.array(tray.light) / np.linalg.norm(tray.light)
    direct = np.clip(normal @ light, 0, 1)
    if tray.shadows:
        direct[_shaded(parts, eye + way * depth[..., None] + 0.05 * normal, light)] = 0
    shade = AMBIENT + (1 - AMBIENT) * direct
    lit = tray.brightness * tone * shade
    lit = lit if tray.grey is None else lit[..., None] * hue
    image = np.clip(lit + rng.normal(0, 1.5, lit.shape), 0, 255).astype(np.uint8)
    counts = np.rint((depth + rng.normal(0, NOISE_MM, depth.shape)) / UNIT_MM)
    return image, np.where((counts > 0) & (counts < 65535), counts, 0).astype(np.uint16)


def _meet(
    box: Box,
    pose: Array,
    eye: Array,
    way: Array,
    depth: Array,
    normal: Array,
    tone: Array,
    hue: Array,
    part: Part,
) -> None:
    """Where rays meet a box first, in place."""
    start, along, enter, leave, first = _slabs(box, pose, eye, way)
    hit = (enter < leave) & (enter > 0) & (enter < depth)
    face = np.zeros_like(along)
    np.put_along_axis(face, first.argmax(axis=-1)[..., None], 1.0, axis=-1)
    depth[hit] = enter[hit]
    normal[hit] = ((-np.sign(along) * face) @ pose[:3, :3].T)[hit]
    tone[hit], hue[hit] = TONE, part.hue
    on_part = start + along * enter[..., None] + box.centre
    for mark in part.marks:
        inside = (np.abs(on_part - mark.where.centre) < mark.where.half).all(axis=-1)
        tone[hit & inside] = mark.tone
        hue[hit & inside] = part.hue if mark.hue is None else mark.hue


def _slabs(
    box: Box, pose: Array, eye: Array, way: Array
) -> tuple[Array, Array, Array, Array, Array]:
    """Start and way in the box's frame, where rays enter and leave it, and each face's entry."""
    turn = pose[:3, :3]
    start = (eye - pose[:3, 3]) @ turn - box.centre
    along = way @ turn
    along = np.where(np.abs(along) < 1e-12, 1e-12, along)
    first = (-np.sign(along) * box.half - start) / along
    last = (np.sign(along) * box.half - start) / along
    return start, along, first.max(axis=-1), last.min(axis=-1), first


def _shaded(parts: list[Part], points: Array, light: Array) -> npt.NDArray[np.bool_]:
    dark = np.zeros(points.shape[:2], bool)
    for part in parts:
        for box in part.boxes:
            _, _, enter, leave, _ = _slabs(
                box, part.world_from_part(), points, np.broadcast_to(light, points.shape)
            )
            dark |= (enter < leave) & (leave > 0) & (enter > 0)
    return dark


def _png(path: Path, pixels: npt.NDArray[np.uint8] | npt.NDArray[np.uint16]) -> None:
    done, content = cv2.imencode(".png", pixels[..., ::-1] if pixels.ndim == 3 else pixels)
    assert done
    path.write_bytes(content.tobytes())
