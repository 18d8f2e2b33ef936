"""A colour filter's mosaic -> colour, or its luma: missing colours from the neighbours."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

SECOND_LINE = {"RG": "GB", "BG": "GR", "GR": "BG", "GB": "RG"}
"""What stands below each pattern's first two pixels."""
# ITU-R BT.601 in 1/256
WEIGHTS = {"R": np.uint32(77), "G": np.uint32(150), "B": np.uint32(29)}

Mosaic = npt.NDArray[np.unsignedinteger[Any]]
_Plane = npt.NDArray[Any]


def luma_from_mosaic(pattern: str, mosaic: Mosaic) -> npt.NDArray[np.uint16]:
    """(h, w) luma in the mosaic's own counts; bilinear, mirrored at the border.

    pattern: the first two pixels of the first line, of SECOND_LINE. Raises ValueError for a mosaic
    of less than two lines or columns.
    """
    padded = _padded(mosaic)
    luma = np.empty(mosaic.shape, np.uint16)
    for row in (0, 1):
        for column in (0, 1):
            luma[row::2, column::2] = _luma_at(_Site(padded, row, column, np.uint32), pattern)
    return luma


def colours_from_mosaic(pattern: str, mosaic: Mosaic) -> Mosaic:
    """(h, w, 3) red, green and blue in the mosaic's own counts and type; else as the luma."""
    padded = _padded(mosaic)
    colours = np.empty((*mosaic.shape, 3), mosaic.dtype)
    kind = np.uint16 if mosaic.dtype == np.uint8 else np.uint32  # the sum of four fits
    for row in (0, 1):
        for column in (0, 1):
            found = _colours_at(_Site(padded, row, column, kind), pattern)
            for channel, name in enumerate("RGB"):
                colours[row::2, column::2, channel] = found[name]
    return colours


def _padded(mosaic: Mosaic) -> Mosaic:
    """Mirrored about the outermost pixel: the colours keep their places."""
    if min(mosaic.shape) < 2:
        raise ValueError(f"a colour filter has 2 x 2 pixels at the least, got {mosaic.shape}")
    return np.pad(mosaic, 1, mode="reflect")


def _colours_at(site: _Site, pattern: str) -> dict[str, _Plane]:
    """By bilinear interpolation, rounded."""
    line = (pattern, SECOND_LINE[pattern])[site.row]
    other_line = (pattern, SECOND_LINE[pattern])[1 - site.row]
    colour, beside = line[site.column], line[1 - site.column]
    above, diagonal = other_line[site.column], other_line[1 - site.column]
    if colour == "G":
        return {"G": site.own, beside: _mean(site.beside, 1), above: _mean(site.above, 1)}
    cross = _mean(site.beside + site.above, 2)
    return {colour: site.own, "G": cross, diagonal: _mean(site.diagonal(), 2)}


def _mean(total: _Plane, halvings: int) -> _Plane:
    """Of 2 or 4, rounded half up."""
    kind = total.dtype.type
    total += kind(halvings)
    total >>= kind(halvings)
    return total


class _Site:
    """One of the four pixels of the pattern, all over the picture, with its neighbours."""

    def __init__(
        self, padded: Mosaic, row: int, column: int, kind: type[np.unsignedinteger[Any]]
    ) -> None:
        self._padded = padded
        self._kind = kind
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
        return self._padded[rows, columns].astype(self._kind)


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
