"""The lens as the box serves it: OpenCV's models, from a calibration's words to a kernel's numbers.

Brown-Conrady [k1, k2, p1, p2, k3]; rational [k1, k2, p1, p2, k3, k4, k5, k6]; fisheye (Kannala and
Brandt, 2006) [k1, k2, k3, k4].
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from voxgate.runtime.common.strict_json import Fields, quoted

COEFFICIENTS = {"brown": 5, "rational": 8, "fisheye": 4}
BROWN = "brown"
SIZE = 13
"""Numbers of a lens in a kernel: fx fy cx cy, eight coefficients, whether it is a fisheye."""
FISHEYE = 12
CONVERGED = 1e-12  # of a coordinate without unit: rounding
NEWTON_STEPS = 20  # a usual lens needs 4; the rest is for strong wide angles
CHECKED = 200  # radii, from the middle to the farthest corner

Coordinates = npt.NDArray[np.float64]
Pair = tuple[Coordinates, Coordinates]


def model_of(fields: Fields) -> str:
    """The lens_model of a calibration, or of its sensor. Raises ValueError."""
    name = fields.text("lens_model") if fields.has("lens_model") else BROWN
    if name not in COEFFICIENTS:
        raise ValueError(
            f"{fields.inside}lens_model must be {', '.join(COEFFICIENTS)}, got {quoted(name)}"
        )
    return name


def distortion_of(fields: Fields, model: str) -> Coordinates:
    """The coefficients of that model. Raises ValueError."""
    return fields.numbers("distortion", (COEFFICIENTS[model],))


def placing_of(model: str) -> tuple[Coordinates, ...]:
    """What the digest must hold of the model; nothing of the one that has ever been served."""
    code = list(COEFFICIENTS).index(model)
    return () if model == BROWN else (np.array([code], np.float64),)


def numbers(
    camera_matrix: npt.NDArray[np.float64], distortion: Coordinates, model: str
) -> Coordinates:
    """(SIZE,) for kernels."""
    found = np.zeros(SIZE)
    found[:4] = camera_matrix[0, 0], camera_matrix[1, 1], camera_matrix[0, 2], camera_matrix[1, 2]
    found[4 : 4 + len(distortion)] = distortion
    found[FISHEYE] = model == "fisheye"
    return found


def pixel(x: Coordinates, y: Coordinates, lens: Coordinates) -> Pair:
    """Where rays (x/z, y/z) are seen, px."""
    xd, yd = _distort(x, y, lens)
    return lens[0] * xd + lens[2], lens[1] * yd + lens[3]


def undistort(xd: Coordinates, yd: Coordinates, lens: Coordinates) -> Pair:
    """The rays (x/z, y/z) that are seen at distorted places; a lens that folds over gives anything:
    the caller must look."""
    return _of_fisheye(xd, yd, lens) if lens[FISHEYE] else _of_radial(xd, yd, lens[4:FISHEYE])


def single_valued(x: Coordinates, y: Coordinates, lens: Coordinates) -> bool:
    """Whether the model still grows up to the image's corners (no pixel seen twice)."""
    radius = np.linspace(0, np.hypot(x, y).max(), CHECKED)
    grown = radius * _radial(radius, lens)
    return bool((np.diff(grown) > 0).all())


def _distort(x: Coordinates, y: Coordinates, lens: Coordinates) -> Pair:
    r2 = x * x + y * y
    radial = _radial(np.sqrt(r2), lens)
    if lens[FISHEYE]:
        return x * radial, y * radial
    xy2 = 2 * x * y
    return (
        x * radial + lens[6] * xy2 + lens[7] * (r2 + 2 * x * x),
        y * radial + lens[6] * (r2 + 2 * y * y) + lens[7] * xy2,
    )


def _radial(radius: Coordinates, lens: Coordinates) -> Coordinates:
    """By how much a ray's place is stretched."""
    k = lens[4:FISHEYE]
    if lens[FISHEYE]:
        angle = np.arctan(radius)
        return np.asarray(_bent(angle, k) / np.where(radius > 0, radius, 1) + (radius == 0))
    r2 = radius * radius
    above = 1 + r2 * (k[0] + r2 * (k[1] + r2 * k[4]))
    return np.asarray(above / (1 + r2 * (k[5] + r2 * (k[6] + r2 * k[7]))))


def _bent(angle: Coordinates, k: Coordinates) -> Coordinates:
    a2 = angle * angle
    return np.asarray(angle * (1 + a2 * (k[0] + a2 * (k[1] + a2 * (k[2] + a2 * k[3])))))


def _of_radial(xd: Coordinates, yd: Coordinates, d: Coordinates) -> Pair:
    # numba takes a quarter of a second: who only reads a calibration does without
    from voxgate.runtime.geometry.lens_kernels import newton_step

    (x, y), (next_x, next_y) = (xd, yd), (np.empty_like(xd), np.empty_like(yd))
    for step in range(NEWTON_STEPS):
        if newton_step(x, y, xd, yd, d, next_x, next_y) < CONVERGED:
            break
        spare = (np.empty_like(xd), np.empty_like(yd)) if step == 0 else (x, y)
        (x, y), (next_x, next_y) = (next_x, next_y), spare
    return x, y


def _of_fisheye(xd: Coordinates, yd: Coordinates, lens: Coordinates) -> Pair:
    k, bent = lens[4:FISHEYE], np.hypot(xd, yd)
    angle = bent.copy()
    for _ in range(NEWTON_STEPS):
        a2 = angle * angle
        slope = 1 + a2 * (3 * k[0] + a2 * (5 * k[1] + a2 * (7 * k[2] + a2 * 9 * k[3])))
        step = (_bent(angle, k) - bent) / slope
        angle = angle - step
        if not np.abs(step).max() > CONVERGED:
            break
    # what is seen at a right angle or beyond has no place before the camera
    seen = np.where(np.abs(angle) < np.pi / 2, np.tan(angle), np.nan)
    stretch = np.where(bent > 0, seen / np.where(bent > 0, bent, 1), 1.0)
    return xd * stretch, yd * stretch
