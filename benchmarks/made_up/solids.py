"""Solids that a ray meets in closed form: boxes, ellipsoids, capsules, each turned and placed."""

# numba infers its own types: annotations inside the kernels would be decoration
# mypy: disable-error-code="no-untyped-def, no-untyped-call"
from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt
from numba import njit, prange

Array = npt.NDArray[np.float64]
BOX, ELLIPSOID, CAPSULE = 0, 1, 2
NEAR = 1e-6


@dataclass(frozen=True, slots=True)
class Finish:
    """How a solid looks: albedo 0 to 1, height of its highlight, share of albedo that its texture
    takes, mm of a grain, whether bars are printed on its upper face, and the tilt (rms, rad) of the
    facets that it glitters with, each a grain across."""

    albedo: float = 0.45
    gloss: float = 0.0
    texture: float = 0.05
    grain_mm: float = 3.0
    label: bool = False
    glitter: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Solid:
    """size: half edges of a box, radii of an ellipsoid, radius twice and half length along z of a
    capsule, mm. turn: (3, 3) part from solid."""

    kind: int
    centre_mm: tuple[float, float, float]
    size_mm: tuple[float, float, float]
    turn: Array = field(default_factory=lambda: np.eye(3))
    finish: Finish = Finish()

    def moved(self, x: float, y: float, z: float) -> Solid:
        """By so many mm."""
        cx, cy, cz = self.centre_mm
        return replace(self, centre_mm=(cx + x, cy + y, cz + z))


def rod(
    a: tuple[float, float, float], b: tuple[float, float, float], radius: float, finish: Finish
) -> Solid:
    """A capsule from a to b."""
    start, end = np.array(a), np.array(b)
    along = (end - start) / np.linalg.norm(end - start)
    side = np.cross(along, (1.0, 0, 0) if abs(along[0]) < 0.9 else (0, 1.0, 0))
    side /= np.linalg.norm(side)
    turn = np.column_stack([side, np.cross(along, side), along])
    x, y, z = (float(each) for each in (start + end) / 2)
    half = float(np.linalg.norm(end - start)) / 2
    return Solid(CAPSULE, (x, y, z), (radius, radius, half), turn, finish)


def rows_of(solids: tuple[Solid, ...]) -> Array:
    """(n, 17): kind, centre, size, turn row by row, and the radius of a ball around it."""
    rows = np.zeros((len(solids), 17))
    for row, solid in zip(rows, solids, strict=True):
        reach = np.linalg.norm(solid.size_mm) + (solid.size_mm[0] if solid.kind == CAPSULE else 0)
        row[0], row[1:4], row[4:7] = solid.kind, solid.centre_mm, solid.size_mm
        row[7:16], row[16] = solid.turn.reshape(-1), reach
    return rows


@njit(inline="always")
def _box(ox, oy, oz, dx, dy, dz, sx, sy, sz):
    """Distance to a box around the origin, and the axis of the face; infinite where missed."""
    near, far, axis = -np.inf, np.inf, 0
    for k in range(3):
        o, d, s = (ox, dx, sx) if k == 0 else ((oy, dy, sy) if k == 1 else (oz, dz, sz))
        if abs(d) < 1e-12:
            if abs(o) > s:
                return np.inf, 0
            continue
        a, b = (-s - o) / d, (s - o) / d
        if a > b:
            a, b = b, a
        if a > near:
            near, axis = a, k
        far = min(far, b)
    return (near, axis) if near <= far and near > NEAR else (np.inf, 0)


@njit(inline="always")
def _quadric(a, b, c):
    """The nearer root of a t^2 + 2 b t + c = 0 ahead; infinite without one."""
    root = b * b - a * c
    if root < 0 or a == 0:
        return np.inf
    t = (-b - np.sqrt(root)) / a
    return t if t > NEAR else np.inf


@njit(inline="always")
def _capsule(ox, oy, oz, dx, dy, dz, radius, half):
    a, b = dx * dx + dy * dy, ox * dx + oy * dy
    t = _quadric(a, b, ox * ox + oy * oy - radius * radius)
    if t < np.inf and abs(oz + t * dz) <= half:
        return t
    best = np.inf
    for end in (-half, half):
        z = oz - end
        b = ox * dx + oy * dy + z * dz
        t = _quadric(a + dz * dz, b, ox * ox + oy * oy + z * z - radius * radius)
        if t < best and (oz + t * dz - end) * (1.0 if end > 0 else -1.0) >= 0:
            best = t
    return best


@njit(inline="always")
def _meet(row, ox, oy, oz, dx, dy, dz):
    """Distance along the ray, and the face of a box that it meets."""
    px, py, pz = ox - row[1], oy - row[2], oz - row[3]
    dd = dx * dx + dy * dy + dz * dz
    pd = px * dx + py * dy + pz * dz
    if px * px + py * py + pz * pz - pd * pd / dd > row[16] * row[16]:
        return np.inf, 0
    lx, ly, lz = (
        row[7] * px + row[10] * py + row[13] * pz,
        row[8] * px + row[11] * py + row[14] * pz,
        row[9] * px + row[12] * py + row[15] * pz,
    )
    ex, ey, ez = (
        row[7] * dx + row[10] * dy + row[13] * dz,
        row[8] * dx + row[11] * dy + row[14] * dz,
        row[9] * dx + row[12] * dy + row[15] * dz,
    )
    if row[0] == BOX:
        return _box(lx, ly, lz, ex, ey, ez, row[4], row[5], row[6])
    if row[0] == CAPSULE:
        return _capsule(lx, ly, lz, ex, ey, ez, row[4], row[6]), 0
    lx, ly, lz, ex, ey, ez = (
        lx / row[4],
        ly / row[5],
        lz / row[6],
        ex / row[4],
        ey / row[5],
        ez / row[6],
    )
    a, b = ex * ex + ey * ey + ez * ez, lx * ex + ly * ey + lz * ez
    return _quadric(a, b, lx * lx + ly * ly + lz * lz - 1), 0


@njit(cache=True, parallel=True, nogil=True)
def trace(eye, rays, rows, scale, which, face):
    """Write for rays (n, 3) the scale at which each meets something, which solid (-1: the table
    z = 0, -2: nothing) and the face of a box."""
    for n in prange(rays.shape[0]):
        dx, dy, dz = rays[n, 0], rays[n, 1], rays[n, 2]
        best, found, axis = np.inf, -2, 0
        if dz < 0:
            best, found = -eye[2] / dz, -1
        for m in range(rows.shape[0]):
            t, k = _meet(rows[m], eye[0], eye[1], eye[2], dx, dy, dz)
            if t < best:
                best, found, axis = t, m, k
        scale[n], which[n], face[n] = best, found, axis


@njit(cache=True, parallel=True, nogil=True)
def hidden(points, to, directional, rows, dark):
    """Write whether anything stands between points (n, 3) and `to` (3,), a place or a direction."""
    for n in prange(points.shape[0]):
        if directional:
            dx, dy, dz, far = to[0], to[1], to[2], np.inf
        else:
            dx, dy, dz, far = to[0] - points[n, 0], to[1] - points[n, 1], to[2] - points[n, 2], 1.0
        dark[n] = False
        for m in range(rows.shape[0]):
            t, _ = _meet(rows[m], points[n, 0], points[n, 1], points[n, 2], dx, dy, dz)
            if t < far:
                dark[n] = True
                break


@njit(cache=True, parallel=True, nogil=True)
def grain(points, size_mm, found):
    """Write smooth noise from -1 to 1 at points (n, 3)."""
    for n in prange(points.shape[0]):
        x, y, z = points[n, 0] / size_mm, points[n, 1] / size_mm, points[n, 2] / size_mm
        i, j, k = np.floor(x), np.floor(y), np.floor(z)
        total = 0.0
        for corner in range(8):
            a, b, c = corner & 1, (corner >> 1) & 1, corner >> 2
            weight = _share(x - i, a) * _share(y - j, b) * _share(z - k, c)
            mixed = np.sin((i + a) * 12.9898 + (j + b) * 78.233 + (k + c) * 37.719) * 43758.5453
            total += weight * (mixed - np.floor(mixed))
        found[n] = 2 * total - 1


@njit(inline="always")
def _share(away, far):
    smooth = away * away * (3 - 2 * away)
    return smooth if far else 1 - smooth


def normals(
    points: Array,
    which: npt.NDArray[np.int32],
    face: npt.NDArray[np.int32],
    solids: tuple[Solid, ...],
) -> Array:
    """(n, 3) outward, of the points where rays met; up on the table."""
    found = np.tile(np.array([0.0, 0.0, 1.0]), (len(points), 1))
    for number, solid in enumerate(solids):
        here = which == number
        local = (points[here] - solid.centre_mm) @ solid.turn
        size = np.array(solid.size_mm)
        if solid.kind == BOX:
            normal = np.eye(3)[face[here]] * np.sign(local)
        elif solid.kind == ELLIPSOID:
            normal = local / size**2
        else:
            normal = local - np.clip(local[:, 2], -size[2], size[2])[:, None] * [0, 0, 1.0]
        turned = normal @ solid.turn.T
        found[here] = turned / np.linalg.norm(turned, axis=1, keepdims=True)
    return found


def off_surface_mm(points: Array, solids: tuple[Solid, ...]) -> Array:
    """(n,) how far points (n, 3) lie outside what the solids are together (+) or inside it (-).

    Exact outside of boxes and capsules, to first order at ellipsoids; inside, of the solid that a
    point is deepest in.
    """
    off = np.full(len(points), np.inf)
    for solid in solids:
        off = np.minimum(off, _off_solid(points, solid))
    return off


def _off_solid(points: Array, solid: Solid) -> Array:
    local = (points - solid.centre_mm) @ solid.turn
    size = np.array(solid.size_mm)
    if solid.kind == BOX:
        beyond = np.abs(local) - size
        inside = np.minimum(beyond.max(axis=1), 0.0)
        return np.asarray(np.linalg.norm(np.maximum(beyond, 0), axis=1) + inside)
    if solid.kind == CAPSULE:
        axis = np.clip(local[:, 2], -size[2], size[2])
        return np.asarray(np.linalg.norm(local - axis[:, None] * [0, 0, 1.0], axis=1) - size[0])
    value = (local**2 / size**2).sum(axis=1) - 1
    steep = 2 * np.linalg.norm(local / size**2, axis=1)
    return np.asarray(value / np.maximum(steep, NEAR))
