"""Published scenes are judged by a recipe of trays, and the figures are of something else."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.kits.published_toys import write_split
from tests.kits.tray_of_parts import Tray, regular, write
from voxgate.export.evaluation.run.evaluate import Plan, evaluate
from voxgate.export.reference.neighbours import export_neighbours

pytestmark = [pytest.mark.slow, pytest.mark.nightly]


def test_who_is_odd_among_published_parts_is_lost_on_the_way_to_the_figures(
    tmp_path: Path,
) -> None:
    """Three plates and a block each: whoever compares outlines tells them, in both splits."""
    toys = write_split(tmp_path / "toys", {"seen_test": 1, "unseen_test": 1}, views=12)
    export_neighbours(write(Tray(regular(3)), tmp_path / "tray"), tmp_path / "recipe")
    found = evaluate(Plan(source=tmp_path / "recipe", folder=toys, store=tmp_path / "store"))
    assert not found.failed
    assert [each.figures["AUC"] for each in found.types] == [1.0, 1.0]
    assert (
        min(each.figures["accuracy"] or 0.0 for each in found.types) >= 0.75
    )  # boxes round turned boxes
    assert {each.outcome for each in found.records} <= {"FAIL", "INDETERMINATE"}
