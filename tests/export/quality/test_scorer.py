"""A classifier's rows: what a scan may teach that the recipe was made of."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.kits.small_scan import small_bracket
from voxgate.export.quality.scorer import Samples, table_of
from voxgate.runtime.errors import ScanError
from voxgate.runtime.recipe.recipe import Recipe
from voxgate.runtime.recipe.zones import Zones

pytestmark = pytest.mark.slow


def test_the_golden_scan_put_down_again_teaches_nothing(small_recipe: Path) -> None:
    recipe, golden = Recipe.load(small_recipe), small_bracket() / "golden"
    table = table_of(recipe, Zones.whole(), Samples((golden,), (), 2))
    assert list(table.bad) == [False, True, False, True]  # the pictures themselves prove nothing
    assert all("again" in name or "with a" in name for name in table.samples)


def test_the_golden_scan_itself_is_taken_for_a_good_part(small_recipe: Path) -> None:
    golden = small_bracket() / "golden"
    with pytest.raises(ScanError, match="golden scan's own"):
        table_of(Recipe.load(small_recipe), Zones.whole(), Samples((golden,), (), 0))
