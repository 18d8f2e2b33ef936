"""A new recipe asked of a few defects put on its own golden part: what is exported may be blind.

A graph that says what its model says is faithful, not sharp: an autoencoder taught one golden scan
passes most of what a person would reject.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from voxgate.export.quality.sensitivity import Asked, counts, sensitivity
from voxgate.runtime.errors import VoxGateError
from voxgate.runtime.recipe.recipe import Recipe

SIZE_MM = 6.0  # where nobody said what is to be found
HEIGHT_MM, CONTRAST_GREY = 1.5, 60.0
COUNT = 2  # of each kind
MOST_S = 60.0  # of this machine; a heavier model is asked by hand


@dataclass(frozen=True, slots=True)
class SpotCheck:
    """What came of it. untold: why nothing was asked; then the others are 0."""

    found: int = 0
    passed: int = 0
    of: int = 0
    size_mm: float = SIZE_MM
    untold: str = ""

    @property
    def words(self) -> str:
        """For people, one line without its end."""
        if self.untold:
            return f"what it finds was not asked, for {self.untold}"
        told = (
            f"finds {self.found} of {self.of} defects of {self.size_mm:g} mm put on the golden part"
        )
        return f"{told}, {self.passed} would PASS" if self.passed else told

    def to_json(self) -> dict[str, Any] | None:
        """For programs; None where nothing was asked."""
        if self.untold:
            return None
        found, passed, of = self.found, self.passed, self.of
        return {"found": found, "passed": passed, "of": of, "size_mm": self.size_mm}


def spot_check(recipe: Recipe, golden: Path, smallest_mm: float | None, run_ms: float) -> SpotCheck:
    """Of a few defects of the smallest size that was asked for. run_ms: one run of the model."""
    asked = Asked((smallest_mm or SIZE_MM,), HEIGHT_MM, CONTRAST_GREY, COUNT)
    runs = 1 if recipe.manifest.voxels is not None else len(recipe.plan.views)
    seconds = (asked.total + 1) * runs * run_ms / 1000
    if seconds > MOST_S:
        return SpotCheck(untold=f"it takes some {seconds / 60:.0f} min here")
    try:
        tried = sensitivity(recipe, [golden], asked)
    except VoxGateError as error:  # the recipe is written, whatever this says
        return SpotCheck(untold=str(error))
    return SpotCheck(*counts(tried), len(tried), asked.sizes_mm[0])
