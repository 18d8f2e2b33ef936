"""What a camera with a projector beside it sees of solids on a table: grey picture and depth."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from voxgate.benchmarks.limits.photo import Array, Lens
from voxgate.benchmarks.made_up.solids import Solid, grain, hidden, normals, rows_of, trace

SAMPLES = 2  # per pixel and axis, of the picture
LENS_BLUR_PX = 0.5
PROJECTOR_MM = np.array([95.0, 0.0, 0.0])  # beside the camera
GRAZING = 0.2  # the sensor gets nothing back from a surface at 78 degrees
LOST_SHARE = 0.005  # of pixels, at random
AMBIENT = 0.35  # of the light
SKIN_MM = 1e-3  # off the surface, so that it does not shade itself
BAR_MM = 1.2  # of a label
TABLE_GRAIN_MM = 4.0
AROUND = 0.08  # radiance where nothing is drawn
ROOM_MM = np.array([95.0, 68.0, 44.0])  # half edges of what is drawn
TABLE_ALBEDO = 0.18
RMS_OF_UNIFORM = 12**-0.5  # of a number from -0.5 to 0.5
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Mark:
    """Paint within radius_mm of the line from a to b: it takes `covers` of the albedo away."""

    a: tuple[float, float, float]
    b: tuple[float, float, float]
    radius_mm: float
    covers: float


@dataclass(frozen=True, slots=True)
class Dent:
    """A round hollow, a cosine squared, around a place of the surface."""

    centre: tuple[float, float, float]
    width_mm: float
    depth_mm: float


@dataclass(frozen=True, slots=True, eq=False)
class Instance:
    """One part: its solids, what is wrong with it, where it stands, and how it is lit.

    texture_mm: by which its grain and print are shifted against another part's.
    """

    solids: tuple[Solid, ...]
    marks: tuple[Mark, ...] = ()
    dents: tuple[Dent, ...] = ()
    part_from_instance: Array | None = None
    light: float = 1.0
    tone: float = 1.0
    gloss: float = 1.0
    texture_mm: tuple[float, float, float] = (0.0, 0.0, 0.0)
    label_mm: float = 0.0
    to_lamp: tuple[float, float, float] = (0.45, -0.3, 0.84)


@dataclass(frozen=True, slots=True, eq=False)
class Camera:
    """lens, size (h, w) px and the true part_from_camera."""

    lens: Lens
    size_px: tuple[int, int]
    part_from_camera: Array


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """Without noise. depth_mm (h, w), NaN where nothing returns; points_mm (h, w, 3), part frame;
    on_part, marked: (h, w) bool."""

    depth_mm: Array
    points_mm: Array
    on_part: Mask
    marked: Mask


@dataclass(frozen=True, slots=True, eq=False)
class _Hits:
    points: Array
    normals: Array
    which: npt.NDArray[np.int32]
    scale: Array
    eye: Array


def measure(part: Instance, camera: Camera) -> Seen:
    """What the sensor would measure, and where marks are."""
    window = _window(camera)
    hits = _hits(part, camera, window, 1)
    projector = camera.part_from_camera[:3, :3] @ PROJECTOR_MM + camera.part_from_camera[:3, 3]
    towards = hits.eye - hits.points
    facing = (hits.normals * towards).sum(1) / np.linalg.norm(towards, axis=1)
    silent = _dark(hits, _instance(part, projector), False, part) | (facing < GRAZING)
    depth = np.where(silent | (hits.which == -2), np.nan, hits.scale)
    placed = hits.points @ _pose(part)[:3, :3].T + _pose(part)[:3, 3]
    marked = (_paint(hits.points, part) > 0) & (hits.which >= 0)
    shape = camera.size_px
    seen = Seen(
        np.full(shape, np.nan),
        np.full((*shape, 3), np.nan),
        np.zeros(shape, np.bool_),
        np.zeros(shape, np.bool_),
    )
    size = seen.on_part[window].shape
    seen.depth_mm[window] = depth.reshape(size)
    seen.points_mm[window] = placed.reshape(*size, 3)
    seen.on_part[window] = (hits.which >= 0).reshape(size)
    seen.marked[window] = marked.reshape(size)
    return seen


def picture(part: Instance, camera: Camera, rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    """(h, w), with the camera's noise."""
    window = _window(camera)
    shade = np.full(camera.size_px, AROUND)
    height, width = shade[window].shape
    fine = _radiance(_hits(part, camera, window, SAMPLES), part)
    shade[window] = fine.reshape(height, SAMPLES, width, SAMPLES).mean(axis=(1, 3))
    shade = cv2.GaussianBlur(shade, (0, 0), LENS_BLUR_PX)
    grey = 255 * np.sqrt(np.clip(shade * part.light, 0, 1))
    noisy = grey + rng.normal(0, 1.2, grey.shape) + rng.normal(0, 0.07, grey.shape) * np.sqrt(grey)
    return np.asarray(np.clip(np.rint(noisy), 0, 255), np.uint8)


def _window(camera: Camera) -> tuple[slice, slice]:
    """Rows and columns around the part; the sensor sees no further, and nothing else is drawn."""
    corners = np.array(list(np.ndindex(2, 2, 2))) * 2.0 - 1
    box = corners * ROOM_MM + np.array([0.0, 0.0, ROOM_MM[2]])
    pose = camera.part_from_camera
    pixels = camera.lens.pixels((box - pose[:3, 3]) @ pose[:3, :3])
    low = np.maximum(np.floor(pixels.min(axis=0)).astype(int), 0)
    high = np.minimum(np.ceil(pixels.max(axis=0)).astype(int), camera.size_px[::-1])
    return slice(low[1], high[1]), slice(low[0], high[0])


def noisy_depth(seen: Seen, rng: np.random.Generator) -> Array:
    """With the sensor's noise, its missing pixels and most of its missing edges."""
    depth = seen.depth_mm + rng.normal(0, 0.05, seen.depth_mm.shape)
    known = np.nan_to_num(seen.depth_mm, nan=0.0).astype(np.float32)
    three = np.ones((3, 3), np.uint8)
    edge = cv2.dilate(known, three) - cv2.erode(known, three) > 6.0
    lost = rng.random(depth.shape) < np.where(edge, 0.6, LOST_SHARE)
    return np.where(lost, np.nan, depth)


def _hits(part: Instance, camera: Camera, window: tuple[slice, slice], samples: int) -> _Hits:
    offsets = (np.arange(samples) + 0.5) / samples - 0.5
    rows, columns = window
    v = (np.arange(rows.start, rows.stop)[:, None] + offsets).ravel()
    u = (np.arange(columns.start, columns.stop)[:, None] + offsets).ravel()
    pixels = np.stack(np.meshgrid(u, v), axis=-1).reshape(-1, 2)
    pose = _pose(part)
    turn = pose[:3, :3].T @ camera.part_from_camera[:3, :3]
    rays = camera.lens.rays(pixels) @ turn.T
    eye = _instance(part, camera.part_from_camera[:3, 3])
    count = len(rays)
    scale = np.empty(count)
    which, face = np.empty(count, np.int32), np.empty(count, np.int32)
    trace(eye, rays, rows_of(part.solids), scale, which, face)
    scale[~np.isfinite(scale)] = 1e4
    points = eye + scale[:, None] * rays
    normal = normals(points, which, face, part.solids)
    for dent in part.dents:
        _press(dent, points, normal, scale, which, rays)
    return _Hits(points, normal, which, scale, eye)


def _press(
    dent: Dent,
    points: Array,
    normal: Array,
    scale: Array,
    which: npt.NDArray[np.int32],
    rays: Array,
) -> None:
    """In place, first order: the dent is shallow."""
    offset = points - dent.centre
    r = np.linalg.norm(offset, axis=1)
    near = np.flatnonzero((r < dent.width_mm / 2) & (which >= 0))
    share = np.pi * r[near] / dent.width_mm
    deep = dent.depth_mm * np.cos(share) ** 2
    facing = np.minimum((normal[near] * rays[near]).sum(1), -0.1)
    scale[near] += deep / -facing
    points[near] += (deep / -facing)[:, None] * rays[near]
    slope = dent.depth_mm * np.pi / dent.width_mm * np.sin(2 * share)
    outward = offset[near] / np.maximum(r[near], 1e-9)[:, None]
    tilted = normal[near] - slope[:, None] * outward
    normal[near] = tilted / np.linalg.norm(tilted, axis=1, keepdims=True)


def _radiance(hits: _Hits, part: Instance) -> Array:
    lamp = np.array(part.to_lamp) / np.linalg.norm(part.to_lamp)
    lamp = _pose(part)[:3, :3].T @ lamp
    lit = ~_dark(hits, lamp, True, part) * np.maximum(hits.normals @ lamp, 0)
    light = AMBIENT * (0.6 + 0.4 * hits.normals[:, 2]) + (1 - AMBIENT) * lit
    albedo, gloss = _surface(hits, part)
    towards = hits.eye - hits.points
    towards /= np.linalg.norm(towards, axis=1, keepdims=True)
    half = towards + lamp
    half /= np.linalg.norm(half, axis=1, keepdims=True)
    shine = gloss * np.maximum((_facets(hits, part) * half).sum(1), 0) ** 40 * (lit > 0)
    albedo = albedo * (1 - _paint(hits.points, part) * (hits.which >= 0))
    return np.where(hits.which == -2, 0.05, albedo * light + shine)


def _facets(hits: _Hits, part: Instance) -> Array:
    """(n, 3) normals of what mirrors the lamp: of a metal that glitters, each facet's own."""
    facing: Array = hits.normals.copy()
    for number, solid in enumerate(part.solids):
        if solid.finish.glitter:
            here = np.flatnonzero(hits.which == number)
            cells = np.floor((hits.points[here] + part.texture_mm) / solid.finish.grain_mm).T
            tilts = np.stack([_noise(*(cells + 7.0 * axis)) for axis in range(3)], axis=1) - 0.5
            tilted = facing[here] + solid.finish.glitter / RMS_OF_UNIFORM * tilts
            facing[here] = tilted / np.linalg.norm(tilted, axis=1, keepdims=True)
    return facing


def _surface(hits: _Hits, part: Instance) -> tuple[Array, Array]:
    """(n,) albedo and highlight."""
    on_table = hits.points @ _pose(part)[:3, :3].T + _pose(part)[:3, 3]
    albedo = TABLE_ALBEDO * (1 + 0.5 * _grain(on_table, TABLE_GRAIN_MM))
    gloss = np.zeros(len(albedo))
    for number, solid in enumerate(part.solids):
        here = np.flatnonzero(hits.which == number)
        look, at = solid.finish, hits.points[here]
        texture = look.texture * _grain(at + part.texture_mm, look.grain_mm)
        own = look.albedo * part.tone * (1 + texture)
        if look.label:
            local = (at - solid.centre_mm) @ solid.turn
            upper = hits.normals[here] @ solid.turn[:, 2] > 0.9
            own = np.where(upper & _bars(local[:, 0] + part.label_mm, local[:, 1]), 0.05, own)
        albedo[here], gloss[here] = own, look.gloss * part.gloss
    return albedo, gloss


def _bars(x: Array, y: Array) -> Mask:
    """A code of bars, each BAR_MM wide, and a line of letters below."""
    code = _noise(np.floor(x / BAR_MM), np.zeros_like(x), np.zeros_like(x)) > 0.5
    letters = _noise(np.floor(x / 0.8), np.floor(y / 0.8), np.ones_like(x)) > 0.5
    return np.where(y > 0, code, letters & (y < -3))


def _paint(points: Array, part: Instance) -> Array:
    """(n,) share of the albedo that marks take."""
    covered = np.zeros(len(points))
    for mark in part.marks:
        a, b = np.array(mark.a), np.array(mark.b)
        length = max(float((b - a) @ (b - a)), 1e-12)
        along = np.clip((points - a) @ (b - a) / length, 0, 1)
        away = np.linalg.norm(points - a - along[:, None] * (b - a), axis=1)
        covered = np.where(away < mark.radius_mm, mark.covers, covered)
    return covered


def _dark(hits: _Hits, to: Array, directional: bool, part: Instance) -> Mask:
    dark = np.empty(len(hits.points), np.bool_)
    hidden(hits.points + SKIN_MM * hits.normals, to, directional, rows_of(part.solids), dark)
    return dark


def _grain(points: Array, size_mm: float) -> Array:
    """(n,) smooth noise from -1 to 1."""
    found = np.empty(len(points))
    grain(np.ascontiguousarray(points), size_mm, found)
    return found


def _noise(i: Array, j: Array, k: Array) -> Array:
    """(n,) 0 to 1, of whole numbers."""
    mixed = np.sin(i * 12.9898 + j * 78.233 + k * 37.719) * 43758.5453
    return mixed - np.floor(mixed)


def _pose(part: Instance) -> Array:
    return np.eye(4) if part.part_from_instance is None else part.part_from_instance


def _instance(part: Instance, point_mm: Array) -> Array:
    """A point of the part frame in the frame of the instance."""
    pose = _pose(part)
    found: Array = pose[:3, :3].T @ (point_mm - pose[:3, 3])
    return found
