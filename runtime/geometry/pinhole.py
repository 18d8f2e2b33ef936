"""Camera matrix and transforms as a calibration's JSON holds them. ValueError names the key."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from voxgate.runtime.common.strict_json import Fields
from voxgate.runtime.transforms import Transform, rigid

MAX_SIDE_PX = 16_384
ALIKE, OFF_MIDDLE = 0.1, 0.3  # of half a picture: no lens sits that far off, both ways alike


def camera_matrix_of(fields: Fields, width_px: int, height_px: int) -> npt.NDArray[np.float64]:
    """K (3, 3), px, of a picture of this size."""
    matrix = fields.numbers("K", (3, 3))
    (fx, skew, cx), (zero, fy, cy), last = matrix.tolist()
    if not (fx > 0 and fy > 0 and skew == zero == 0 and last == [0.0, 0.0, 1.0]):
        raise ValueError(
            f"{fields.inside}K must be [[fx, 0, cx], [0, fy, cy], [0, 0, 1]] with fx, fy > 0"
        )
    if not (0 <= cx < width_px and 0 <= cy < height_px):
        raise ValueError(
            f"{fields.inside}K must have its principal point inside {width_px} x {height_px} px, "
            f"got ({cx:.1f}, {cy:.1f})"
        )
    _check_size(fields, (cx, cy), (width_px, height_px))
    return matrix


def _check_size(fields: Fields, middle: tuple[float, float], size: tuple[int, int]) -> None:
    """Raises ValueError for the matrix of pictures of another size: its middle is off this one's by
    the same factor across and down. Where a part of the chip is read out it may be."""
    across, down = (2 * (at + 0.5) / side for at, side in zip(middle, size, strict=True))
    scale = (across + down) / 2
    if fields.has("region") or abs(across - down) > ALIKE or abs(scale - 1) < OFF_MIDDLE:
        return
    told = " x ".join(f"{scale * side:.0f}" for side in size)
    raise ValueError(
        f"{fields.inside}K seems to be of pictures of some {told} px: its principal point "
        f"({middle[0]:.1f}, {middle[1]:.1f}) is not near the middle of {size[0]} x {size[1]}: "
        "bring it to their size, or say `region` where a part of the chip is read out"
    )


def transform_of(fields: Fields, key: str) -> Transform:
    """The rigid transform under `key`."""
    matrix = fields.numbers(key, (4, 4))
    try:
        return rigid(matrix)
    except ValueError as error:
        raise ValueError(f"{fields.inside}{key}: {error}") from error
