"""Mirrored pictures: a chequerboard looks the same in a mirror, the robot's ways do not."""

from __future__ import annotations

import numpy as np

from voxgate.calib.numerics.least_squares import Array

FLIP = np.diag([-1.0, 1.0, 1.0, 1.0])


def unmirrored(camera_from_board: Array) -> Array:
    """Of poses (v, 4, 4) by mirrored pictures those by the pictures as they were, but for where on
    the board its frame lies; mirrored up and down is the same, half a turn on."""
    found: Array = FLIP @ camera_from_board @ FLIP
    return found
