"""Pictures that show again what another one showed: no new evidence, however many there are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from voxgate.calib.board.sightings import Sighting

SAME = 0.0025  # of the picture's longer side: a hand or a robot that moved goes farther
LEAST_COMMON = 4  # points that both saw


@dataclass(frozen=True, slots=True)
class Repeat:
    """A picture that counts with another one."""

    name: str
    of: str

    def __str__(self) -> str:
        return f"{self.name}: shows what {self.of} shows: both count as one"


def first_of(
    sighting: Sighting, before: Sequence[Sighting], size_px: tuple[int, int]
) -> str | None:
    """The name of an earlier picture on which the board stands at the same place."""
    limit_px = SAME * max(size_px)
    for other in before:
        if apart_px(sighting, other) < limit_px:
            return other.name
    return None


def apart_px(one: Sighting, other: Sighting) -> float:
    """Root mean square distance of the points that both saw; infinite where those are too few."""
    place = {tuple(point): number for number, point in enumerate(one.points_mm.tolist())}
    pairs = [
        (place[tuple(point)], number)
        for number, point in enumerate(other.points_mm.tolist())
        if tuple(point) in place
    ]
    if len(pairs) < max(LEAST_COMMON, len(one.pixels) // 2):
        return float("inf")
    first, second = np.array(pairs).T
    off = one.pixels[first] - other.pixels[second]
    return float(np.sqrt((off**2).sum(axis=1).mean()))
