"""What several test modules share: one recipe of the example bracket, exported once."""

from __future__ import annotations

from pathlib import Path

import pytest

from sim.recipes import export_once

ROOT = Path(__file__).parents[1]
BRACKET = ROOT / "examples" / "bracket"


@pytest.fixture(scope="session")
def bracket_recipe() -> Path:
    """Folder of the recipe of examples/bracket/golden; kept in out/ until scan or code change."""
    return export_once(BRACKET / "golden", ROOT / "out" / "recipes")
