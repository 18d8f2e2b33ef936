"""The rows of the table: what is put on good parts, how many of 32 are to be found."""

from __future__ import annotations

from dataclasses import dataclass

from voxgate.benchmarks.limits.relief import COVERS, Defect, Paint, bump, dent, hole, scratch, spot

HOLE_MM = 8.0
BUMP_MM = 1.5
DARK = Paint(covers=COVERS)


@dataclass(frozen=True, slots=True)
class Row:
    """One kind and size. wanted: of 32. quick: whether the short run has it."""

    name: str
    defect: Defect
    wanted: int
    quick: bool = False


ROWS = (
    Row("dent 3 mm x 0.5 deep", dent(3.0, 0.5), 16),
    Row("dent 5 mm x 0.5 deep", dent(5.0, 0.5), 28, quick=True),
    Row("dent 3 mm x 1.0 deep", dent(3.0, 1.0), 30),
    Row("bump 1.5 mm high, 1 mm wide", bump(1.0, BUMP_MM), 8),
    Row("bump 1.5 mm high, 2 mm wide", bump(2.0, BUMP_MM), 28, quick=True),
    Row("bump 1.5 mm high, 3 mm wide", bump(3.0, BUMP_MM), 32),
    Row("the same, dark, 1 mm", bump(1.0, BUMP_MM, DARK), 20),
    Row("the same, dark, 2 mm", bump(2.0, BUMP_MM, DARK), 31),
    Row("the same, dark, 3 mm", bump(3.0, BUMP_MM, DARK), 32),
    Row("dark spot, flat, 1 mm", spot(1.0), 16),
    Row("dark spot, flat, 2 mm", spot(2.0), 30, quick=True),
    Row("dark spot, flat, 3 mm", spot(3.0), 32),
    Row("scratch 0.6 mm wide, 30 grey", scratch(0.6, 30), 12),
    Row("scratch 0.6 mm wide, 60 grey", scratch(0.6, 60), 28, quick=True),
    Row("scratch 0.9 mm wide, 30 grey", scratch(0.9, 30), 24),
    Row("scratch 0.9 mm wide, 60 grey", scratch(0.9, 60), 31),
    Row("hole 8 mm deep, 1 mm wide", hole(1.0, HOLE_MM), 20),
    Row("hole 8 mm deep, 2 mm wide", hole(2.0, HOLE_MM), 31),
)
