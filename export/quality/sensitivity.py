"""Which defects a recipe finds that are put on good parts: what its PASS is worth, asked of itself.

A known defect at a random place of the part's surface, in every view that sees the place, one on a
part at a time; the whole pipeline decides. Its shape shows in depth alone, not in shading, so a
detector of pictures does not see a bump here that it may see in a cell: the answer errs to the
careful side. No stand-in for real bad parts: it tells what passes, not that all else is found.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

import numpy as np

from voxgate.export.quality.generated_defects import (
    GeneratedDefect,
    Kind,
    draw_defect,
    seen_at,
    with_defect,
)
from voxgate.export.quality.parts_seen import PartReader
from voxgate.runtime.config.settings import DEFAULTS, Settings
from voxgate.runtime.errors import ScanError
from voxgate.runtime.geometry.rays import Rays
from voxgate.runtime.nouns import Outcome, View
from voxgate.runtime.recipe.recipe import Recipe
from voxgate.runtime.recipe.zones import Zones

SEED = 23
NAMES: dict[str, Kind] = {
    "patch": "rectangle",
    "scratch": "thin rectangle",
    "bump": "bump",
    "dent": "dent",
}
"""What a person calls each kind; a scratch is as long as its size, a seventh as wide."""
MIDDLE_GREY = 128
CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class Asked:
    """Sizes across and height, mm; contrast in grey levels; defects of each kind and size."""

    sizes_mm: tuple[float, ...]
    height_mm: float
    contrast_grey: float
    count: int

    @property
    def total(self) -> int:
        """Inspections."""
        return len(NAMES) * len(self.sizes_mm) * self.count


@dataclass(frozen=True, slots=True)
class Tried:
    """One defect on one good part, and the verdict. centre_mm: part frame."""

    kind: str
    size_mm: float
    centre_mm: tuple[float, float, float]
    scan: str
    outcome: Outcome
    score: float | None

    @property
    def found(self) -> bool:
        """Whether the part was rejected."""
        return self.outcome is Outcome.FAIL

    @property
    def passed(self) -> bool:
        """Whether it would have been shipped."""
        return self.outcome is Outcome.PASS


def sensitivity(
    recipe: Recipe,
    scans: Sequence[Path],
    asked: Asked,
    on_tried: Callable[[Tried], None] = lambda tried: None,
    settings: Settings = DEFAULTS,
) -> list[Tried]:
    """Every kind and size on the good parts in turn.

    Raises ScanError for a scan that the recipe does not PASS as it is.
    """
    zones = Zones.whole(1.0, recipe.grid.voxel_mm)
    with closing(PartReader(recipe, zones, scans[0], settings)) as reader:
        tried = []
        for each in _each(reader, scans, asked):
            tried.append(each)
            on_tried(each)
        return tried


def counts(tried: Sequence[Tried]) -> tuple[int, int]:
    """How many were found, and how many would be shipped."""
    return sum(each.found for each in tried), sum(each.passed for each in tried)


def proven_share(found: int, of: int) -> float:
    """Lower bound of the share that is found, with CONFIDENCE (Clopper-Pearson)."""
    from scipy import stats

    return float(stats.beta.ppf(1 - CONFIDENCE, found, of - found + 1)) if found else 0.0


def _good_part(reader: PartReader, scan: Path, rng: np.random.Generator) -> list[View]:
    """As recorded; put down again where the pictures are the recipe's own, which are no part."""
    arrivals = reader.arrivals(scan)
    views = [each for each in arrivals if isinstance(each, View)]
    if reader.is_golden(arrivals):
        views = reader.put_down_again(views, rng)
        arrivals = list(views)
    verdict = reader.inspector.inspect(arrivals, reduced=True)
    if verdict.outcome is not Outcome.PASS:
        words = "; ".join(note.detail for note in verdict.notes[:2])
        raise ScanError(
            f"{scan}: {verdict.outcome.value} without a defect on it, so it cannot tell what a "
            f"defect changes: {words}"
        )
    return views


def _each(reader: PartReader, scans: Sequence[Path], asked: Asked) -> Iterator[Tried]:
    rng = np.random.default_rng(SEED)
    parts = [_good_part(reader, scan, rng) for scan in scans]
    for size_mm, (name, kind) in product(asked.sizes_mm, NAMES.items()):
        for number in range(asked.count):
            views, scan = parts[number % len(parts)], scans[number % len(parts)]
            defect = _drawn(views, reader, kind, size_mm, asked, rng)
            marked = [with_defect(view, defect, reader.rays) for view in views]
            verdict = reader.inspector.inspect(marked, reduced=True)
            yield Tried(name, size_mm, defect.centre_mm, str(scan), verdict.outcome, verdict.score)


def _drawn(
    views: Sequence[View],
    reader: PartReader,
    kind: Kind,
    size_mm: float,
    asked: Asked,
    rng: np.random.Generator,
) -> GeneratedDefect:
    drawn = draw_defect(views, reader.rays, reader.table_z_mm, rng)
    sign = -1 if _grey_at(views, drawn.centre_mm, reader.rays) >= MIDDLE_GREY else 1
    return replace(
        drawn,
        kind=kind,
        size_mm=size_mm,
        height_mm=asked.height_mm,
        contrast_grey=sign * asked.contrast_grey,
    )


def _grey_at(views: Sequence[View], at_mm: tuple[float, float, float], rays: Rays) -> float:
    """Over the views that see it: dark surface gets a bright mark, bright surface a dark one."""
    seen = [(view, seen_at(view, at_mm, rays)) for view in views]
    return float(np.median([view.image[at[0][::-1]] for view, at in seen if at is not None]))
