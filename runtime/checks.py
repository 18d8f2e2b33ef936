"""Whether arrays are the pictures and depth that they are said to be."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Bytes = npt.NDArray[np.uint8]
Depth = npt.NDArray[np.float32]


def check_image(image: Bytes) -> None:
    """Grey. Raises ValueError: expected and actual."""
    if image.ndim != 2 or image.dtype != np.uint8:
        raise ValueError(f"an image is (h, w) uint8, got {image.shape} {image.dtype}")


def check_picture(picture: Bytes) -> None:
    """Grey or colour. Raises ValueError: expected and actual."""
    check_image(picture[..., 0] if picture.ndim == 3 and picture.shape[2] == 3 else picture)


def check_colour(colour: Bytes | None, image: Bytes) -> None:
    """Of the same size as the grey one. Raises ValueError: expected and actual."""
    if colour is not None and (colour.shape != (*image.shape, 3) or colour.dtype != np.uint8):
        raise ValueError(
            f"colour is uint8 of the image's shape {image.shape} and 3 channels, "
            f"got {colour.shape} {colour.dtype}"
        )


def check_depth(depth_mm: Depth | None, image: Bytes) -> None:
    """On the pixels of the image. Raises ValueError: expected and actual."""
    if depth_mm is None:
        return
    if depth_mm.dtype != np.float32 or depth_mm.shape != image.shape[:2]:
        raise ValueError(
            f"depth is float32 of the image's shape {image.shape[:2]}, "
            f"got {depth_mm.shape} {depth_mm.dtype}"
        )


def check_sensed(sensed_mm: Depth | None, depth_mm: Depth | None) -> None:
    """On the pixels of a sensor beside the camera. Raises ValueError: expected and actual."""
    if sensed_mm is None:
        return
    if depth_mm is not None:
        raise ValueError("depth is of the image's pixels or of a sensor's own, not both")
    if sensed_mm.dtype != np.float32 or sensed_mm.ndim != 2:
        raise ValueError(f"depth is (h, w) float32, got {sensed_mm.shape} {sensed_mm.dtype}")
