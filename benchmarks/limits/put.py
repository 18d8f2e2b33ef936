"""A defect put on a view: its relief met ray by ray, in depth and in shading, with its paint.

The picture is sampled SAMPLES x SAMPLES times a pixel and blurred as a lens does; the sensor asks
once a pixel and is blind where it or its projector looks along or past the relief.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt

from voxgate.benchmarks.limits.light import Light
from voxgate.benchmarks.limits.photo import Array, Photo
from voxgate.benchmarks.limits.place import Place
from voxgate.benchmarks.limits.relief import Defect

Mask = npt.NDArray[np.bool_]

SAMPLES = 5
LENS_BLUR_PX = 0.5
MARGIN_PX = 4
STEPS = 64  # heights at which a ray is asked whether it is under the relief
SLOPE_MM = 0.02  # half the step of the slope's difference
ON_PATCH_MM = 1.0  # a measured point further from the plane is another surface
GRAZING = 0.2  # the sensor gets nothing back from a surface at 78 degrees
PROJECTOR_MM = np.array([95.0, 0.0, 0.0])  # beside the camera
LEAST_FALL = 0.02  # of the light, or a division by the dark


@dataclass(frozen=True, slots=True, eq=False)
class _Hits:
    """Where rays (n) meet plane and relief. scale: the depth of each; met: in the footprint."""

    scale: Array
    flat_scale: Array
    met: Mask
    points_mm: Array
    normals: Array


def put(view: Photo, place: Place, defect: Defect, light: Light) -> Photo:
    """The view with the defect; the view itself where it is out of sight."""
    rows, columns = _window(view, place, defect)
    if rows.stop - rows.start < 2 or columns.stop - columns.start < 2:
        return view
    image, depth_mm = view.image.copy(), view.depth_mm.copy()
    image[rows, columns] = _picture(view, rows, columns, place, defect, light)
    if defect.low_mm < defect.high_mm:
        depth_mm[rows, columns] = _depth(view, rows, columns, place, defect)
    return replace(view, image=image, depth_mm=depth_mm)


def _window(view: Photo, place: Place, defect: Defect) -> tuple[slice, slice]:
    reach = max(defect.reach_mm, 0.5) * np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]])
    corners = place.centre_mm + reach @ np.stack([place.along, place.across])
    corners = np.concatenate([corners, corners + defect.high_mm * place.normal])
    if (place.normal @ (view.eye_mm - place.centre_mm)) <= 0:
        return slice(0, 0), slice(0, 0)
    pixels = view.pixels(corners)
    height, width = view.image.shape
    low = np.clip(np.floor(pixels.min(axis=0)).astype(int) - MARGIN_PX, 0, (width, height))
    high = np.clip(np.ceil(pixels.max(axis=0)).astype(int) + MARGIN_PX + 1, 0, (width, height))
    return slice(low[1], high[1]), slice(low[0], high[0])


def _picture(
    view: Photo, rows: slice, columns: slice, place: Place, defect: Defect, light: Light
) -> npt.NDArray[np.uint8]:
    grey = view.image[rows, columns].astype(float)
    offsets = (np.arange(SAMPLES) + 0.5) / SAMPLES - 0.5
    v = (np.arange(rows.start, rows.stop)[:, None] + offsets).ravel()
    u = (np.arange(columns.start, columns.stop)[:, None] + offsets).ravel()
    pixels = np.stack(np.meshgrid(u, v), axis=-1).reshape(-1, 2)
    hits = _meet(view, pixels, place, defect)
    on_patch, depth = _on_patch(view, rows, columns, place)

    def fine(coarse: Array) -> Array:
        return np.repeat(np.repeat(coarse, SAMPLES, axis=0), SAMPLES, axis=1).ravel()

    patch = fine(on_patch.astype(float)) > 0
    seen = hits.met & (patch | (hits.scale < fine(depth) - ON_PATCH_MM))
    base = float(np.median(grey[on_patch])) if on_patch.any() else float(np.median(grey))
    under = np.where(patch, fine(grey), base)
    changed = _shaded(under, hits, place, defect, light)
    s, t, _ = place.in_plane(hits.points_mm)
    painted = np.where(defect.footprint(s, t), defect.paint.on(changed, base), changed)
    difference = np.where(seen, painted - fine(grey), 0.0)
    shape = (grey.shape[0], SAMPLES, grey.shape[1], SAMPLES)
    blurred = cv2.GaussianBlur(
        difference.reshape(shape).mean(axis=(1, 3)),
        (0, 0),
        LENS_BLUR_PX,
        borderType=cv2.BORDER_CONSTANT,
    )
    return np.asarray(np.clip(np.rint(grey + blurred), 0, 255), np.uint8)


def _depth(view: Photo, rows: slice, columns: slice, place: Place, defect: Defect) -> Array:
    depth: Array = view.depth_mm[rows, columns]
    v, u = np.mgrid[rows, columns].astype(float)
    hits = _meet(view, np.stack([u, v], axis=-1).reshape(-1, 2), place, defect)
    on_patch, complete = _on_patch(view, rows, columns, place)
    patch, flat = on_patch.ravel(), complete.ravel()
    seen = hits.met & (patch | (hits.scale < flat - ON_PATCH_MM))
    towards = view.eye_mm - hits.points_mm
    facing = (hits.normals * towards).sum(axis=1) / np.linalg.norm(towards, axis=1)
    projector = view.eye_mm + view.part_from_camera[:3, :3] @ PROJECTOR_MM
    to_projector = projector - hits.points_mm
    blind = (facing < GRAZING) | ~_free(hits.points_mm, to_projector, place, defect)
    old = depth.ravel()
    moved = np.where(patch, hits.scale + (old - hits.flat_scale), hits.scale)
    new = np.where(seen, np.where(blind, np.nan, moved), old)
    return new.reshape(depth.shape)


def _on_patch(view: Photo, rows: slice, columns: slice, place: Place) -> tuple[Mask, Array]:
    """(h, w) whether a pixel shows the plane's surface, and its depth; inf where none is known.

    A pixel without return belongs to what most of its neighbours belong to.
    """
    points = view.points_mm[rows, columns]
    known = np.isfinite(points[..., 2])
    _, _, above = place.in_plane(np.where(known[..., None], points, 1e6))
    on = known & (np.abs(above) < ON_PATCH_MM)
    share, of = (cv2.blur(mask.astype(float), (5, 5)) for mask in (on, known))
    guessed = ~known & (share > 0.5 * np.maximum(of, 1e-6)) & (of > 0)
    return on | guessed, np.where(known, view.depth_mm[rows, columns], np.inf)


def _meet(view: Photo, pixels: Array, place: Place, defect: Defect) -> _Hits:
    """The first point of each ray that lies under the relief."""
    rays = view.directions(pixels)
    falling = rays @ place.normal
    falling = np.where(falling < -1e-6, falling, -1e-6)
    start = (view.eye_mm - place.centre_mm) @ place.normal
    flat_scale = -start / falling
    steps = np.linspace(
        defect.high_mm, defect.low_mm, STEPS if defect.low_mm < defect.high_mm else 1
    )
    scale, found = flat_scale.copy(), np.zeros(len(rays), np.bool_)
    before = np.full(len(rays), np.inf)
    for height in steps:
        reached = (height - start) / falling
        s, t, _ = place.in_plane(view.eye_mm + reached[:, None] * rays)
        gap = height - defect.height(s, t)
        now = ~found & (gap <= 0)
        with np.errstate(invalid="ignore"):
            back = np.where(np.isfinite(before), gap / (gap - before), 0.0)
        step = (
            (steps[0] - steps[-1]) / max(1, len(steps) - 1) / falling
        )  # negative: towards the eye
        scale = np.where(now, reached + back * step, scale)
        found |= now
        before = gap
    points = view.eye_mm + scale[:, None] * rays
    s, t, above = place.in_plane(points)
    met = defect.footprint(s, t) | (np.abs(above) > 1e-3)
    return _Hits(scale, flat_scale, met, points, _normals(s, t, place, defect))


def _normals(s: Array, t: Array, place: Place, defect: Defect) -> Array:
    slope_s = (defect.height(s + SLOPE_MM, t) - defect.height(s - SLOPE_MM, t)) / (2 * SLOPE_MM)
    slope_t = (defect.height(s, t + SLOPE_MM) - defect.height(s, t - SLOPE_MM)) / (2 * SLOPE_MM)
    normals = place.normal - slope_s[:, None] * place.along - slope_t[:, None] * place.across
    return np.asarray(normals / np.linalg.norm(normals, axis=1, keepdims=True), np.float64)


def _shaded(grey: Array, hits: _Hits, place: Place, defect: Defect, light: Light) -> Array:
    """(n,) grey of the surface's own under the changed normal; the tone curve is a square root."""
    if defect.low_mm == defect.high_mm:
        return grey
    everything = np.ones(len(grey))
    flat = light.falls(place.normal[None], everything[:1], everything[:1])
    to_lamp = np.broadcast_to(light.to_lamp, hits.points_mm.shape)
    lit = _free(hits.points_mm, to_lamp * 1e3, place, defect).astype(float)
    sky = everything
    if defect.open_mm is not None:
        _, _, above = place.in_plane(hits.points_mm)
        sky = defect.open_mm**2 / (defect.open_mm**2 + np.minimum(above, 0.0) ** 2)
    falls = light.falls(hits.normals, lit, sky)
    least = LEAST_FALL * (light.ambient + light.lamp)
    return grey * np.sqrt(np.maximum(falls, least) / np.maximum(flat, least))


def _free(points_mm: Array, towards: Array, place: Place, defect: Defect) -> Mask:
    """Whether the relief leaves the way from each point free."""
    rising = towards @ place.normal
    s, t, above = place.in_plane(points_mm)
    along, across = towards @ place.along, towards @ place.across
    free: Mask = rising > 0
    rising = np.where(free, rising, 1.0)
    for share in np.linspace(0.05, 1.0, STEPS // 2):
        up = share * np.maximum(defect.high_mm - above, 0.0)
        way = up / rising
        under = defect.height(s + way * along, t + way * across) > above + up + 1e-3
        free &= ~under
    return free
