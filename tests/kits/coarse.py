"""A recipe for the example's pictures of 800 x 600 px that inspects 400 x 300 of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.kits.once import once
from tests.kits.repository import BRACKET, ROOT
from voxgate.export.reference.reference import export_reference_recipe
from voxgate.sim.recipes import content_key

SMALLEST_MM = 4.0  # a quarter of it is two pixels of the example


def coarse_recipe() -> tuple[Path, dict[str, Any]]:
    """Its folder, and what the export said; kept in out/ until scan or code change."""
    key = content_key(BRACKET / "golden")
    folder = once(ROOT / "out" / "recipes" / f"coarse-{SMALLEST_MM:g}-{key}", _export)
    return folder / "bracket", json.loads((folder / "said.json").read_text())


def _export(folder: Path) -> None:
    folder.mkdir()
    said = export_reference_recipe(
        BRACKET / "golden", folder / "bracket", name="bracket", smallest_mm=SMALLEST_MM
    )
    (folder / "said.json").write_text(json.dumps(said))
