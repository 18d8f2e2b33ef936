"""What no good part looks like: inputs that a detector must be able to tell from the golden part.

A few are mild, a golden part with a flaw or under other light: on those a graph is held to its
model. The others lie far off the golden part: some of them must be over the threshold, or nothing
ever will be.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import cv2
import numpy as np
import numpy.typing as npt

from voxgate.runtime.engines.engine import Tensor
from voxgate.runtime.nouns import DepthMap, Picture, View
from voxgate.runtime.pixels.colour import with_picture

MARK_OF_HEIGHT = 1 / 60  # radius of the mark: a flaw of some 10 px on 600
DENT_MM = 5.0  # how far the mark stands out in depth
BRIGHT, DARK = 1.8, 0.5  # nearly a stop either way
FLIP_CELLS = 4  # side of the block of cells that is turned over
SHIFT_OF_CUBE = 8  # the cube's side over how far its part is shifted
WHITE = 255

Mask = npt.NDArray[np.bool_]


def marked(view: View, part: Mask, rng: np.random.Generator) -> View:
    """A spot where the part is widest, black or white, whichever it is not, and 5 mm nearer."""
    row, column = _middle(part)
    picture, depth_mm = view.picture.copy(), _depth(view).copy()
    radius_px = max(2, round(picture.shape[0] * MARK_OF_HEIGHT))
    spot = np.zeros(view.image.shape, np.uint8)
    cv2.circle(spot, (column, row), radius_px, 1, thickness=-1)
    where = spot > 0
    picture[where] = 0 if view.image[row, column] > WHITE // 2 else WHITE
    depth_mm[where] -= np.float32(DENT_MM)
    return replace(with_picture(view, picture), depth_mm=depth_mm)


def brighter(view: View, part: Mask, rng: np.random.Generator) -> View:
    """Under more light."""
    return with_picture(view, _lit(view.picture, BRIGHT))


def darker(view: View, part: Mask, rng: np.random.Generator) -> View:
    """Under less light."""
    return with_picture(view, _lit(view.picture, DARK))


def inverted(view: View, part: Mask, rng: np.random.Generator) -> View:
    """Black for white, and what is near far."""
    depth_mm = _depth(view)
    mirrored = 2 * np.nanmedian(depth_mm) - depth_mm
    inverse = with_picture(view, WHITE - view.picture)
    return replace(inverse, depth_mm=mirrored.astype(np.float32))


def noise(view: View, part: Mask, rng: np.random.Generator) -> View:
    """Nothing but noise, in depth half as far to half as far again."""
    picture = rng.integers(0, WHITE + 1, view.picture.shape, dtype=np.uint8)
    factor = rng.uniform(0.5, 1.5, view.image.shape)
    noisy = (_depth(view) * factor).astype(np.float32)
    return replace(with_picture(view, picture), depth_mm=noisy)


def bare(view: View, part: Mask, rng: np.random.Generator) -> View:
    """A white board where the part stood."""
    depth_mm = np.full(view.image.shape, np.nanmedian(_depth(view)), np.float32)
    board = with_picture(view, np.full_like(view.picture, WHITE))
    return replace(board, depth_mm=depth_mm)


Alter = Callable[[View, Mask, np.random.Generator], View]
MILD_VIEWS: tuple[Alter, ...] = (marked, brighter, darker)
WILD_VIEWS: tuple[Alter, ...] = (inverted, noise, bare)


def mild_cubes(inputs: Mapping[str, Tensor]) -> dict[str, dict[str, Tensor]]:
    """Name -> the tensors of a volume detector with a block turned over, or the part shifted."""
    occupied = _cube(inputs, "occupied")
    steps = occupied.shape[0] // SHIFT_OF_CUBE
    found = {
        "marked": _filled_like(inputs, _block_flipped(occupied)),
        "shifted": {name: np.roll(np.asarray(t), steps, axis=2) for name, t in inputs.items()},
    }
    if "grey" in inputs:
        for name, factor in (("brighter", BRIGHT), ("darker", DARK)):
            grey = np.clip(np.asarray(inputs["grey"], np.float32) * np.float32(factor), 0, WHITE)
            found[name] = {**inputs, "grey": grey}
    return found


def wild_cubes(
    inputs: Mapping[str, Tensor], rng: np.random.Generator
) -> dict[str, dict[str, Tensor]]:
    """Name -> the tensors of a volume detector that sees no part at all."""
    occupied = _cube(inputs, "occupied")
    cubes = {
        "empty": np.zeros_like(occupied),
        "full": np.ones_like(occupied),
        "inverted": 1 - occupied,
        "noise": rng.integers(0, 2, occupied.shape, dtype=np.uint8),
    }
    return {name: _filled_like(inputs, np.asarray(c, np.uint8)) for name, c in cubes.items()}


def _middle(part: Mask) -> tuple[int, int]:
    """(row, column) of the pixel that is farthest from the part's outline."""
    inside = cv2.distanceTransform(np.pad(part, 1).astype(np.uint8), cv2.DIST_L2, 5)[1:-1, 1:-1]
    row, column = np.unravel_index(int(inside.argmax()), inside.shape)
    return int(row), int(column)


def _depth(view: View) -> DepthMap:
    assert view.depth_mm is not None  # the golden scan has depth
    return view.depth_mm


def _lit(picture: Picture, factor: float) -> Picture:
    return np.asarray(np.clip(picture * factor, 0, WHITE).round(), np.uint8)


def _cube(inputs: Mapping[str, Tensor], name: str) -> npt.NDArray[np.uint8]:
    cube: npt.NDArray[np.uint8] = np.asarray(inputs[name], np.uint8)[0, 0]
    return cube


def _block_flipped(occupied: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Around the occupied cell in the middle of the list: full where it was empty, and so on."""
    cells = np.argwhere(occupied)
    centre = cells[len(cells) // 2] if len(cells) else np.array(occupied.shape) // 2
    low = np.clip(centre - FLIP_CELLS // 2, 0, np.array(occupied.shape) - FLIP_CELLS)
    block = tuple(slice(int(n), int(n) + FLIP_CELLS) for n in low)
    flipped = np.array(occupied, np.uint8)
    flipped[block] = 1 - flipped[block]
    return flipped


def _filled_like(
    inputs: Mapping[str, Tensor], occupied: npt.NDArray[np.uint8]
) -> dict[str, Tensor]:
    """These cells, white where nothing stood before."""
    tensors: dict[str, Tensor] = {"occupied": occupied[None, None]}
    if "grey" in inputs:
        was = np.asarray(inputs["occupied"])[0, 0] > 0
        grey = np.where(was, np.asarray(inputs["grey"])[0, 0], WHITE) * (occupied > 0)
        tensors["grey"] = grey.astype(np.float32)[None, None]
    return {name: tensors[name] for name in inputs}
