"""What a launch of the fusion kernels is given: the struct `Launch` of fusion_kernels.cu."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.resources import files

import numpy as np
import numpy.typing as npt

SOURCE = "fusion_kernels.cu"
KERNELS = ("claim_pixels", "claim_points", "fuse_pixels", "fuse_points", "pack_blocks")
THREADS = 256
LANES = 32  # threads that pack one block together: a warp

LIFTED, TABLE, INVALID, DROPPED, NOT_FINITE, PEAK, STRAY, COUNTS = 0, 1, 2, 3, 4, 5, 6, 8
"""Columns of a launch's row of counts, and how many there are."""

_POINTERS = (
    *("score", "hits", "seen_by", "keys", "slot_of", "block_of_slot", "used"),
    *("depth_mm", "ray_x", "ray_y", "score_map", "geometry"),
    *("points_mm", "point_score", "point_pixel", "counts"),
    *("packed_count", "packed_block", "packed_score", "packed_hits", "packed_seen_by"),
)
_NUMBERS = ("n", "view", "mask", "capacity", "pack_capacity")

LAUNCH = np.dtype(
    [
        *((name, np.uint64) for name in _POINTERS),
        *((name, np.int32) for name in _NUMBERS),
        ("shape", np.int32, 3),
        ("blocks", np.int32, 2),
        ("table", np.float32),
        ("voxel_from", np.float32, 12),
    ],
    align=True,
)


@cache
def source() -> bytes:
    """The kernels' source."""
    return (files("voxgate.runtime.gpu") / SOURCE).read_bytes()


@cache
def source_digest() -> str:
    """Names a cubin after what it was compiled from."""
    return hashlib.sha256(source()).hexdigest()[:12]


def unordered(key: npt.NDArray[np.int32]) -> npt.NDArray[np.float32]:
    """The floats behind the kernels' ordered integers."""
    bits = np.where(key >= 0, key, key ^ np.int32(0x7FFFFFFF)).astype(np.int32)
    floats: npt.NDArray[np.float32] = bits.view(np.float32)
    return floats
