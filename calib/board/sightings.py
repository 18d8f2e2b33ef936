"""Where the board's points were seen, in all views: the data of every fit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Sighting:
    """One picture of the board: points_mm (n, 3) of the board frame and pixels (n, 2)."""

    name: str
    points_mm: Array
    pixels: Array

    def __post_init__(self) -> None:
        if self.points_mm.shape != (len(self.pixels), 3) or self.pixels.shape[1:] != (2,):
            raise ValueError(
                f"expected (n, 3) points and (n, 2) pixels, got {self.points_mm.shape} "
                f"and {self.pixels.shape}"
            )


@dataclass(frozen=True, slots=True, eq=False)
class Sightings:
    """Several sightings in one stack: view (n,) is each point's number in `names`."""

    names: tuple[str, ...]
    points_mm: Array
    pixels: Array
    view: npt.NDArray[np.intp]
    starts: npt.NDArray[np.intp]

    @classmethod
    def stack(cls, sightings: Sequence[Sighting]) -> Sightings:
        """In the given order. Raises ValueError when there is none or one is empty."""
        counts = [len(each.pixels) for each in sightings]
        if not counts or min(counts) == 0:
            raise ValueError("sightings need at least one point each")
        return cls(
            names=tuple(each.name for each in sightings),
            points_mm=np.concatenate([each.points_mm for each in sightings]),
            pixels=np.concatenate([each.pixels for each in sightings]),
            view=np.repeat(np.arange(len(counts)), counts),
            starts=np.concatenate([[0], np.cumsum(counts)[:-1]]).astype(np.intp),
        )

    def __len__(self) -> int:
        return len(self.names)

    def of(self, view: int) -> Sighting:
        """One view's own."""
        own = self.view == view
        return Sighting(self.names[view], self.points_mm[own], self.pixels[own])

    def only(self, views: Sequence[int]) -> Sightings:
        """Some of the views, in that order."""
        return Sightings.stack([self.of(view) for view in views])

    def per_view(self, squares: Array) -> Array:
        """(v,) root of the mean over each view's points of values (n,)."""
        counts = np.bincount(self.view, minlength=len(self))
        means = np.bincount(self.view, squares, minlength=len(self)) / counts
        return np.asarray(np.sqrt(means))
