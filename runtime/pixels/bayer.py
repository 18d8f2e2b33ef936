"""A colour filter's mosaic -> grey: missing colours from the neighbours, then luma."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

SECOND_LINE = {"RG": "GB", "BG": "GR", "GR": "BG", "GB": "RG"}
"""What stands below each pattern's first two pixels."""
# ITU-R BT.601 in 1/256
WEIGHTS = {"R": np.uint32(77), "G": np.uint32(150), "B": np.uint32(29)}

Mosaic = npt.NDArray[np.unsignedinteger[Any]]
_Plane = npt.NDArray[np.uint32]


def luma_from_mosaic(pattern: str, mosaic: Mosaic) -> npt.NDArray[np.uint16]:
    """(h, w) luma in the mosaic's own counts; bilinear, mirrored at the border.

    pattern: the first two pixels of the first line, of SECOND_LINE. Raises ValueError for a mosaic
    of less than two lines or columns.
    """
    if min(mosaic.shape) < 2:
        raise ValueError(f"a colour filter has 2 x 2 pixels at the least, got {mosaic.shape}")
    # mirrored about the outermost pixel: the colours keep their places
    padded: Mosaic = np.pad(mosaic, 1, mode="reflect")
    luma = np.empty(mosaic.shape, np.uint16)
    for row in (0, 1):
        for column in (0, 1):
            luma[row::2, column::2] = _luma_at(_Site(padded, row, column), pattern)
    return luma


class _Site:
    """One of the four pixels of the pattern, all over the picture, with its neighbours."""

    def __init__(self, padded: Mosaic, row: int, column: int) -> None:
        self._padded = padded
        self.row, self.column = row, column
        self.own = self._moved(0, 0)
        self.beside = self._moved(0, -1) + self._moved(0, 1)
        self.above = self._moved(-1, 0) + self._moved(1, 0)

    def diagonal(self) -> _Plane:
        above = self._moved(-1, -1) + self._moved(-1, 1)
        return above + self._moved(1, -1) + self._moved(1, 1)

    def _moved(self, down: int, right: int) -> _Plane:
        height, width = self._padded.shape
        rows = slice(1 + self.row + down, height - 1 + down, 2)
        columns = slice(1 + self.column + right, width - 1 + right, 2)
        return self._padded[rows, columns].astype(np.uint32)


def _luma_at(site: _Site, pattern: str) -> _Plane:
    """Summed in whole numbers of 1/1024, rounded once."""
    line = (pattern, SECOND_LINE[pattern])[site.row]
    other_line = (pattern, SECOND_LINE[pattern])[1 - site.row]
    colour, beside = line[site.column], line[1 - site.column]
    above, diagonal = other_line[site.column], other_line[1 - site.column]
    total: _Plane = WEIGHTS[colour] * site.own
    total <<= 2
    if colour == "G":
        pairs = WEIGHTS[beside] * site.beside + WEIGHTS[above] * site.above
        total += pairs + pairs
    else:
        total += WEIGHTS["G"] * (site.beside + site.above) + WEIGHTS[diagonal] * site.diagonal()
    rounded: _Plane = np.right_shift(total + np.uint32(512), np.uint32(10))
    return rounded
