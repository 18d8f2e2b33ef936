"""One rule how colour becomes grey, and how a picture is handed to graphs.

Grey is luma by the weights of ITU-R BT.601 for red, green and blue as the camera gives them. What
looks at grey (placement, flicker, the drift of pictures) sees that of a colour picture.
"""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import numpy.typing as npt

from voxgate.runtime.nouns import ColourImage, GreyImage, Picture, View

COLOURS = 3


def luma(colour: ColourImage) -> GreyImage:
    """(h, w) uint8 of (h, w, 3)."""
    return np.asarray(cv2.cvtColor(colour, cv2.COLOR_RGB2GRAY), np.uint8)


def grey_and_colour(picture: Picture) -> tuple[GreyImage, ColourImage | None]:
    """What is to be looked at in grey, and the picture itself where it is in colour."""
    return (luma(picture), picture) if picture.ndim == 3 else (picture, None)


def with_picture(view: View, picture: Picture) -> View:
    """The view, as if this were its picture."""
    image, colour = grey_and_colour(picture)
    return replace(view, image=image, colour=colour)


def by_channels(picture: Picture) -> dict[int, npt.NDArray[np.uint8]]:
    """As graphs of one channel take it and, where it is in colour, as those of three do."""
    grey, colour = grey_and_colour(picture)
    return {1: in_front(grey)} | ({} if colour is None else {COLOURS: in_front(colour)})


def in_front(picture: Picture) -> npt.NDArray[np.uint8]:
    """As a graph takes it: (1, channels, h, w) uint8, channels 1 or 3."""
    if picture.ndim == 2:
        return picture[None, None]
    return np.ascontiguousarray(picture.transpose(2, 0, 1))[None]
