"""Four part types, good and bad: a rack of thin rungs, a glossy body with a printed plate, a milled
block with brass pins, and a dish with a fin on a cast plate."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from voxgate.benchmarks.limits.photo import Array
from voxgate.benchmarks.made_up.render import Dent, Instance, Mark
from voxgate.benchmarks.made_up.solids import BOX, ELLIPSOID, Finish, Solid, rod

SCATTER_MM = 0.04  # rms, of a solid's place from part to part
SHIFT_MM, TURN_DEG = 0.6, 0.4
RUNG_MM = 1.5  # radius

CAST = Finish(0.42, 0.05, 0.10, 2.5)
STEEL = Finish(0.35, 0.35, 0.06, 4.0)
GLOSSY = Finish(0.30, 0.55, 0.03, 6.0)
PAPER = Finish(0.75, 0.0, 0.02, 1.5, label=True)
GRAINED = Finish(0.40, 0.0, 0.45, 1.8)
MILLED = Finish(0.55, 0.15, 0.04, 3.0)
BLACK = Finish(0.12, 0.10, 0.05, 2.0)
BRASS = Finish(0.60, 0.40, 0.05, 2.2)
DIRT = Finish(0.10, 0.0, 0.2, 1.0)

Spoil = Callable[[Instance], Instance]


@dataclass(frozen=True, slots=True, eq=False)
class PartType:
    """The drawing, and one way each to be bad."""

    name: str
    solids: tuple[Solid, ...]
    bad: dict[str, Spoil]


def another(kind: PartType, rng: np.random.Generator) -> Instance:
    """A good part: it stands, shines and is printed a little otherwise, and is no other shape."""
    turn, heading = np.deg2rad(rng.uniform(-TURN_DEG, TURN_DEG)), rng.uniform(0, 2 * np.pi)
    pose = np.eye(4)
    pose[:2, :2] = [[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]
    pose[:2, 3] = rng.uniform(0, SHIFT_MM) * np.array([np.cos(heading), np.sin(heading)])
    x, y, z = rng.uniform(0, 100, 3)
    return Instance(
        solids=tuple(each.moved(*rng.normal(0, SCATTER_MM, 3)) for each in kind.solids),
        part_from_instance=pose,
        light=rng.uniform(0.95, 1.05),
        tone=rng.uniform(0.98, 1.02),
        gloss=rng.uniform(0.9, 1.1),
        texture_mm=(float(x), float(y), float(z)),
        label_mm=rng.uniform(-0.3, 0.3),
    )


def without(number: int) -> Spoil:
    """A solid is not there."""
    return lambda part: replace(part, solids=_less(part, number))


def instead(number: int, change: Callable[[Solid], Solid]) -> Spoil:
    """A solid is another."""

    def spoil(part: Instance) -> Instance:
        changed = change(part.solids[number])
        return replace(part, solids=(*part.solids[:number], changed, *part.solids[number + 1 :]))

    return spoil


def with_lump(at: tuple[float, float, float], radii: tuple[float, float, float]) -> Spoil:
    """Something lies on it."""
    lump = Solid(ELLIPSOID, at, radii, finish=DIRT)
    return lambda part: replace(part, solids=(*part.solids, lump))


def with_bump(
    at: tuple[float, float, float], radii: tuple[float, float, float], like: int
) -> Spoil:
    """The surface of a solid bulges."""
    return lambda part: replace(
        part, solids=(*part.solids, Solid(ELLIPSOID, at, radii, finish=part.solids[like].finish))
    )


def marked(*marks: Mark) -> Spoil:
    """Paint, dirt or a scratch."""
    return lambda part: replace(part, marks=marks)


def dented(*dents: Dent) -> Spoil:
    """Pressed in."""
    return lambda part: replace(part, dents=dents)


def _less(part: Instance, number: int) -> tuple[Solid, ...]:
    return (*part.solids[:number], *part.solids[number + 1 :])


def _shortened(solid: Solid) -> Solid:
    """A third of a rod has broken off its far end."""
    radius, _, half = solid.size_mm
    x, y, z = (np.array(solid.centre_mm) - solid.turn[:, 2] * half / 3).tolist()
    return replace(solid, centre_mm=(x, y, z), size_mm=(radius, radius, half * 2 / 3))


def _bent(solid: Solid) -> Solid:
    return solid.moved(0.0, 1.2, 0.6)


def _turn_x(degrees: float) -> Array:
    angle = np.deg2rad(degrees)
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[1.0, 0, 0], [0, c, -s], [0, s, c]])


RUNGS = tuple(
    rod((x, -38.0, 70.0), (x, 38.0, 70.0), RUNG_MM, STEEL) for x in np.linspace(-54.0, 54.0, 7)
)
RACK = PartType(
    "rack",
    (
        Solid(BOX, (0.0, 0.0, 5.0), (80.0, 52.0, 5.0), finish=CAST),
        *(rod((x, y, 8.0), (x, y, 70.0), 4.5, CAST) for x in (-66.0, 66.0) for y in (-38.0, 38.0)),
        *(rod((-66.0, y, 70.0), (66.0, y, 70.0), 3.5, STEEL) for y in (-38.0, 38.0)),
        *RUNGS,
        *(rod((x, -38.0, 12.0), (x, 38.0, 66.0), RUNG_MM, STEEL) for x in (-66.0, 66.0)),
        Solid(BOX, (0.0, 0.0, 16.0), (24.0, 18.0, 6.0), finish=GRAINED),
    ),
    {
        "missing": without(9),
        "broken": instead(11, _shortened),
        "warp": instead(8, _bent),
        "contamination": with_lump((40.0, -20.0, 10.5), (4.0, 3.0, 2.0)),
        "dent": dented(Dent((-45.0, 25.0, 10.0), 9.0, 1.2)),
        "scratch": marked(Mark((30.0, 25.0, 10.0), (50.0, 38.0, 10.0), 0.5, 0.6)),
        "stain": marked(Mark((-40.0, -28.0, 10.0), (-36.0, -24.0, 10.0), 3.0, 0.5)),
        "bump": with_bump((62.0, 36.5, 40.0), (2.5, 2.5, 3.0), 4),
    },
)
BODY = PartType(
    "body",
    (
        Solid(BOX, (0.0, 0.0, 6.0), (75.0, 50.0, 6.0), finish=GRAINED),
        Solid(ELLIPSOID, (-20.0, 0.0, 30.0), (42.0, 34.0, 40.0), finish=GLOSSY),
        Solid(ELLIPSOID, (32.0, 8.0, 22.0), (24.0, 22.0, 26.0), finish=CAST),
        rod((-20.0, 0.0, 60.0), (32.0, 8.0, 60.0), 7.0, GLOSSY),
        rod((32.0, 8.0, 30.0), (32.0, 8.0, 60.0), 6.0, GLOSSY),
        Solid(BOX, (42.0, -34.0, 18.0), (28.0, 11.0, 1.5), _turn_x(35.0), PAPER),
        rod((-60.0, -36.0, 12.0), (-60.0, 36.0, 12.0), 3.0, STEEL),
    ),
    {
        "dent": dented(Dent((-20.0, -32.4, 43.5), 9.0, 1.2)),
        "bump": with_bump((-44.0, 15.0, 56.5), (3.0, 3.0, 2.5), 1),
        "contamination": with_lump((-5.0, 40.0, 12.0), (5.0, 4.0, 2.5)),
        "scratch": marked(Mark((5.0, 38.0, 12.0), (35.0, 44.0, 12.0), 0.6, 0.6)),
        "stain": marked(Mark((42.0, -34.0, 20.0), (46.0, -33.0, 20.6), 2.5, 0.6)),
        "marker": marked(Mark((-52.0, -8.0, 56.0), (-48.0, 4.0, 59.0), 2.5, 0.6)),
        "missing": without(4),
        "chip": instead(6, _shortened),
    },
)
MANIFOLD = PartType(
    "manifold",
    (
        Solid(BOX, (0.0, 0.0, 14.0), (62.0, 34.0, 14.0), finish=MILLED),
        Solid(BOX, (-48.0, 0.0, 34.0), (10.0, 34.0, 6.0), finish=MILLED),
        *(rod((x, -12.0, 26.0), (x, -12.0, 48.0), 5.0, BRASS) for x in (-20.0, 4.0, 28.0)),
        rod((-34.0, 18.0, 40.0), (50.0, 18.0, 40.0), 3.2, BLACK),
        rod((50.0, 18.0, 24.0), (50.0, 18.0, 40.0), 3.2, BLACK),
        Solid(ELLIPSOID, (48.0, -18.0, 30.0), (11.0, 11.0, 8.0), finish=BRASS),
        Solid(BOX, (10.0, -34.2, 14.0), (20.0, 0.6, 8.0), finish=PAPER),
    ),
    {
        "missing": without(3),
        "short": instead(2, _shortened),
        "bent": instead(5, _bent),
        "contamination": with_lump((20.0, 8.0, 28.5), (3.0, 2.5, 1.6)),
        "dent": dented(Dent((-10.0, 24.0, 28.0), 7.0, 0.9)),
        "scratch": marked(Mark((-10.0, 5.0, 28.0), (14.0, 9.0, 28.0), 0.5, 0.6)),
        "stain": marked(Mark((38.0, 2.0, 28.0), (40.0, 4.0, 28.0), 2.5, 0.5)),
        "bump": with_bump((-48.0, -20.0, 40.0), (2.5, 2.5, 1.8), 1),
    },
)
DISH = PartType(
    "dish",
    (
        Solid(BOX, (0.0, 0.0, 4.0), (66.0, 46.0, 4.0), finish=CAST),
        Solid(ELLIPSOID, (-22.0, 0.0, 8.0), (30.0, 30.0, 18.0), finish=MILLED),
        Solid(BOX, (34.0, 0.0, 24.0), (2.0, 36.0, 18.0), finish=CAST),
        Solid(BOX, (50.0, 0.0, 12.0), (10.0, 12.0, 6.0), finish=BLACK),
        *(rod((-58.0, y, 6.0), (-58.0, y, 14.0), 4.0, STEEL) for y in (-38.0, 38.0)),
        rod((-22.0, 0.0, 24.0), (-22.0, 0.0, 44.0), 6.0, CAST),
        Solid(BOX, (8.0, -34.0, 8.6), (12.0, 6.0, 0.6), finish=PAPER),
    ),
    {
        "missing": without(4),
        "broken": instead(6, _shortened),
        "lean": instead(2, lambda fin: fin.moved(1.2, 0.0, 0.0)),
        "contamination": with_lump((18.0, 24.0, 8.5), (4.0, 3.0, 2.0)),
        "dent": dented(Dent((-38.0, 14.0, 19.0), 8.0, 1.0)),
        "scratch": marked(Mark((6.0, 20.0, 8.0), (22.0, 34.0, 8.0), 0.5, 0.6)),
        "stain": marked(Mark((-2.0, 38.0, 8.0), (2.0, 41.0, 8.0), 2.8, 0.5)),
        "bump": with_bump((34.0, 20.0, 42.0), (2.2, 2.2, 1.8), 2),
    },
)
TYPES = (RACK, BODY, MANIFOLD, DISH)
