"""A good part whose grain lies elsewhere passes, a mark on its grain fails, and the golden scan's
own pictures are still known as such."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from tests.kits.repository import BRACKET
from voxgate.benchmarks.made_up import write
from voxgate.benchmarks.made_up.part_types import CAST, GRAINED, PartType, marked
from voxgate.benchmarks.made_up.render import Mark
from voxgate.benchmarks.made_up.solids import BOX, Solid, rod
from voxgate.export.reference.grain_borne import words_of
from voxgate.export.reference.reference import export_reference_recipe
from voxgate.runtime.config.settings import DEFAULTS
from voxgate.runtime.inspection.inspector import Inspector
from voxgate.runtime.nouns import Outcome, Reason, Verdict
from voxgate.runtime.offline.inspect_scan import inspect_scan
from voxgate.runtime.recipe.recipe import Recipe
from voxgate.runtime.scans.open_scan import open_scan

# renders three scans, 40 seconds; by day: test_grain.py
pytestmark = [pytest.mark.slow, pytest.mark.nightly]

SPOT_MM, SPOT_RADIUS_MM = (20.0, -15.0, 20.0), 2.5
GRAINED_BLOCK = PartType(
    "grained-block",
    (
        Solid(BOX, (0.0, 0.0, 10.0), (65.0, 45.0, 10.0), finish=GRAINED),
        rod((-30.0, 10.0, 20.0), (-30.0, 10.0, 45.0), 8.0, CAST),
    ),
    {"spot": marked(Mark(SPOT_MM, (21.0, -15.0, 20.0), SPOT_RADIUS_MM, 0.7))},
)


@dataclass(frozen=True, slots=True, eq=False)
class Example(write.Like):
    """The cameras and robot of the example."""

    @property
    def scans(self) -> list[Path]:
        return [self.folder / name for name in ("golden", "good", "bad")]


@pytest.fixture(scope="module")
def scans(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """golden; test/t01, a good one; test/t02, with a spot."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(write, "GOOD", 1)
        return write.write_type(
            GRAINED_BLOCK, Example(BRACKET), tmp_path_factory.mktemp("grained"), seed=3
        )


@pytest.fixture(scope="module")
def recipe(scans: Path) -> Path:
    folder = scans.parent / "recipe"
    summary = export_reference_recipe(scans / "golden", folder)
    assert "grained all over" in words_of(summary["grain"])[0]
    return folder


def _inspected(recipe: Path, scan: Path) -> Verdict:
    opened, loaded = open_scan(scan), Recipe.load(recipe)
    with closing(Inspector.open(loaded, opened.calibration, DEFAULTS.limits)) as inspector:
        return inspect_scan(opened, inspector)


def test_a_good_part_fails_by_grain_that_lies_elsewhere(scans: Path, recipe: Path) -> None:
    verdict = _inspected(recipe, scans / "test" / "t01")
    assert verdict.outcome is Outcome.PASS, verdict.notes


def test_a_dark_spot_passes_on_a_grained_face(scans: Path, recipe: Path) -> None:
    verdict = _inspected(recipe, scans / "test" / "t02")
    assert verdict.outcome is Outcome.FAIL, verdict.notes
    strongest = max(verdict.defects, key=lambda defect: defect.peak_score)
    assert np.linalg.norm(np.subtract(strongest.centroid_part_mm, SPOT_MM)) < 5.0


def test_the_golden_scan_s_own_pictures_pass_where_its_grain_is_evened(
    scans: Path, recipe: Path
) -> None:
    verdict = _inspected(recipe, scans / "golden")
    assert verdict.outcome is Outcome.INDETERMINATE
    assert Reason.DUPLICATE_VIEW in {note.reason for note in verdict.notes}
