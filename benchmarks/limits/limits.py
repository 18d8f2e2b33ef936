"""How small a defect is still found on the public parts, and how much a good part may vary.

    voxgate bench limits [--quick]

Defects of known kind and size are put on good parts, PER_PART at a time, at random places that
three views and more see, in shape and shading of every view (`put`). Found is what the verdict
FAILs the part for, at that place. Parts painted in colour get defects of hue alone (`hue`). Good
parts are varied as they vary on a line (`vary`).
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import repeat
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from voxgate.benchmarks.limits.hue import HUE_ROWS, HueRow, hue_answers
from voxgate.benchmarks.limits.judge import Answer, Judge, recorded, with_pixels
from voxgate.benchmarks.limits.kinds import ROWS, Row
from voxgate.benchmarks.limits.light import Light, light_of
from voxgate.benchmarks.limits.photo import photos
from voxgate.benchmarks.limits.place import places
from voxgate.benchmarks.limits.put import put
from voxgate.benchmarks.limits.vary import VARIATIONS, Variation
from voxgate.benchmarks.quality.detection import scans_folder
from voxgate.runtime.nouns import Outcome, Verdict
from voxgate.runtime.scans.open_scan import open_scan

PER_PART = 4  # defects on one part, far from each other
PARTS = 4  # good parts of a type: 16 places, 32 of two types
SEED = 17
KEEP_VARIABLE = "VOXGATE_LIMITS_RECIPES"
"""A folder for the recipes, to use them again; default: exported anew."""


@dataclass(frozen=True, slots=True)
class Figures:
    """Row, of hues too -> answers of its places; variation -> verdicts on its parts."""

    found: dict[str, list[Answer]]
    varied: dict[str, list[Verdict]]


def measure(folder: Path, work: Path, quick: bool) -> Figures:
    """All part types of a folder, each in a process of its own."""
    parts = sorted(path.parent.parent for path in folder.glob("*/golden/frames.jsonl"))
    fresh = get_context("spawn")  # a fork would copy threads' locks
    with ProcessPoolExecutor(os.cpu_count(), fresh) as pool:
        of_parts = list(pool.map(measure_part, parts, repeat(work), repeat(quick)))
    figures = Figures(defaultdict(list), defaultdict(list))
    for each in of_parts:
        for name, answers in each.found.items():
            figures.found[name] += answers
        for name, verdicts in each.varied.items():
            figures.varied[name] += verdicts
    return figures


def measure_part(part: Path, work: Path, quick: bool) -> Figures:
    """One part type."""
    figures = Figures(defaultdict(list), defaultdict(list))
    rows, good = rows_of(quick), variations_of(quick)
    with Judge.of(part, work) as judge:
        scans = judge.good_scans()
        light = light_of(photos(part / "golden"))
        for number, scan in enumerate(scans[:PARTS]):
            rng = np.random.default_rng([SEED, number])
            _put_all(judge, scan, light, rows, rng, figures)
        for number, scan in enumerate(scans):
            _vary_all(judge, scan, good, number, figures)
    for name, answers in ({} if quick else hue_answers(part, work)).items():
        figures.found[name] += answers
    return figures


def rows_of(quick: bool) -> list[Row]:
    """What the table has, or the short one."""
    return [row for row in ROWS if row.quick or not quick]


def variations_of(quick: bool) -> list[Variation]:
    """How good parts vary in the table, or the short one."""
    return [each for each in VARIATIONS if each.quick or not quick]


def main(*, quick: bool = False) -> None:
    """Print both tables."""
    console = Console()
    try:
        folder = scans_folder()
    except FileNotFoundError as error:
        console.print(f"limits: skipped, {error}", soft_wrap=True)
        return
    with tempfile.TemporaryDirectory() as work:
        kept = Path(os.environ.get(KEEP_VARIABLE) or work)
        figures = measure(folder, kept, quick)
    console.print(_defects_table([*rows_of(quick), *([] if quick else HUE_ROWS)], figures))
    console.print(_good_table(variations_of(quick), figures))


def _put_all(
    judge: Judge,
    scan: Path,
    light: Light,
    rows: Sequence[Row],
    rng: np.random.Generator,
    figures: Figures,
) -> None:
    views, taken = recorded(scan), photos(scan)
    unit_mm = open_scan(scan).calibration.depth_unit_mm
    spots = places(taken, PER_PART, rng)
    for row in rows:
        changed = taken
        for place in spots:
            changed = [put(photo, place, row.defect, light) for photo in changed]
        altered = with_pixels(views, changed, unit_mm)
        figures.found[row.name] += judge.answers(altered, spots, row.defect.reach_mm)


def _vary_all(
    judge: Judge, scan: Path, good: Sequence[Variation], number: int, figures: Figures
) -> None:
    views, rays = recorded(scan), judge.inspector.equipment.rays
    for variation in good:
        rng = np.random.default_rng([SEED, number])
        figures.varied[variation.name].append(judge.verdict(variation.alter(views, rays, rng)))


def _defects_table(rows: Sequence[Row | HueRow], figures: Figures) -> Table:
    count = PARTS * PER_PART * 2
    table = Table("kind", f"found of {count}", "wanted", "score at the place: lowest, median")
    for row in rows:
        answers = figures.found[row.name]
        scores = [answer.score for answer in answers]
        found = sum(answer.found for answer in answers)
        shown = f"{min(scores):.2f}, {statistics.median(scores):.2f}"
        wanted = "-" if row.wanted is None else str(row.wanted)
        table.add_row(row.name, f"{found} of {len(answers)}", wanted, shown)
    return table


def _good_table(good: Sequence[Variation], figures: Figures) -> Table:
    table = Table("good parts", "PASS", "INDETERMINATE", "FAIL", "largest score")
    for variation in good:
        verdicts = figures.varied[variation.name]
        counts = [
            str(sum(verdict.outcome is outcome for verdict in verdicts))
            for outcome in (Outcome.PASS, Outcome.INDETERMINATE, Outcome.FAIL)
        ]
        table.add_row(variation.name, *counts, f"{max(v.score or 0.0 for v in verdicts):.2f}")
    return table


if __name__ == "__main__":
    main(quick="--quick" in sys.argv[1:])
