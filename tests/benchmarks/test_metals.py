"""Metals that shine, from pictures to verdicts: one that glitters, one with a broad sheen."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.kits.repository import ROOT
from voxgate.benchmarks.made_up import write
from voxgate.benchmarks.made_up.part_types import PartType, marked
from voxgate.benchmarks.made_up.render import Mark
from voxgate.benchmarks.made_up.solids import BOX, Finish, Solid, rod
from voxgate.export.reference.reference import export_reference_recipe
from voxgate.runtime.config.limits import Limits
from voxgate.runtime.inspection.inspector import Inspector
from voxgate.runtime.nouns import Outcome, Verdict
from voxgate.runtime.offline.inspect_scan import inspect_scan
from voxgate.runtime.recipe.recipe import Recipe
from voxgate.runtime.scans.open_scan import open_scan

pytestmark = pytest.mark.nightly  # renders three parts from twelve places

BRACKET = ROOT / "examples" / "bracket"
SPOT = Mark((20.0, 10.0, 20.0), (20.0, 10.0, 20.0), 1.5, 0.35)  # 3 mm, a third of the albedo
GLITTERING = Finish(0.25, 0.4, 0.0, 0.6, glitter=0.12)
SHEEN = Finish(0.25, 0.4, 0.0)


@pytest.fixture
def like(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> write.Like:
    """The example's cameras, for a golden part, a good one and a bad one."""
    monkeypatch.setattr(write, "GOOD", 1)
    folder = tmp_path / "like"
    for scan, name in (("golden", "golden"), ("good", "test/t01"), ("bad", "test/t02")):
        shutil.copytree(BRACKET / scan, folder / name)
    shutil.copy(BRACKET / "calibration.json", folder)
    return write.Like(folder)


def test_another_part_of_a_metal_that_glitters_is_not_passed(
    like: write.Like, tmp_path: Path
) -> None:
    good, _ = _verdicts(GLITTERING, like, tmp_path)
    assert good.outcome is Outcome.PASS
    assert good.score is not None
    assert good.score < 0.9


def test_a_dark_spot_of_3_mm_on_a_broad_sheen_is_passed(like: write.Like, tmp_path: Path) -> None:
    good, spotted = _verdicts(SHEEN, like, tmp_path)
    assert (good.outcome, spotted.outcome) == (Outcome.PASS, Outcome.FAIL)
    assert len(spotted.defects) == 1


def _verdicts(metal: Finish, like: write.Like, out: Path) -> tuple[Verdict, Verdict]:
    """On a good part and on one with a spot, by the recipe of the golden one."""
    folder = write.write_type(_blocks(metal), like, out, seed=5)
    export_reference_recipe(folder / "golden", out / "recipe")
    calibration = open_scan(folder / "golden").calibration
    inspector = Inspector.open(Recipe.load(out / "recipe"), calibration, Limits(), threads=2)
    good, spotted = (
        inspect_scan(open_scan(scan), inspector) for scan in sorted((folder / "test").iterdir())
    )
    inspector.close()
    return good, spotted


def _blocks(metal: Finish) -> PartType:
    """Two blocks and a pin."""
    solids = (
        Solid(BOX, (0.0, 0.0, 10.0), (55.0, 36.0, 10.0), finish=metal),
        Solid(BOX, (-30.0, 0.0, 26.0), (14.0, 20.0, 6.0), finish=metal),
        rod((25.0, -18.0, 22.0), (25.0, -18.0, 40.0), 6.0, metal),
    )
    return PartType("blocks", solids, {"spot": marked(SPOT)})
