"""Where pictures without a robot were taken, told by the golden scan, and the golden part there.

As OmniposeAD does (PAD, section 4.2): retrieved and refined on the golden views (golden/locate.py),
then the golden view that the picture is like is drawn from the pose found.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from voxgate.export.evaluation.cases import Picture
from voxgate.export.evaluation.judges.picture_inputs import Standing
from voxgate.export.golden.golden import Golden, load_golden
from voxgate.export.golden.locate import Locator
from voxgate.export.golden.turned import seen_from
from voxgate.runtime.errors import RecipeError
from voxgate.runtime.pixels.colour import grey_and_colour
from voxgate.runtime.recipe.recipe import Recipe
from voxgate.runtime.transforms import invert


class Whereabouts:
    """The golden scan's features, looked for once."""

    def __init__(self, golden: Golden) -> None:
        self._golden = golden
        self._locator = Locator(golden)
        self._number = {view.frame_id: n for n, view in enumerate(golden.views)}

    @classmethod
    def of(cls, scan: Path, recipe: Recipe) -> Whereabouts:
        """Raises RecipeError for another scan than the recipe's; ScanError, CalibrationError."""
        golden = load_golden(scan, whole=True)
        if golden.scan.calibration.digest != recipe.manifest.calibration_digest:
            raise RecipeError(
                f"{scan}: is of another calibration than recipe {recipe.label}: name the golden "
                "scan that it was made of"
            )
        return cls(golden)

    def standing(self, picture: Picture) -> Standing:
        """What the golden part shows to the camera that took it. Raises ScanError where that is not
        told."""
        grey, _ = grey_and_colour(picture.image)
        found = self._locator.locate(grey)
        number = self._number[found.frame_id]
        view = self._golden.views[number]
        turned = invert(found.part_from_camera) @ view.part_from_camera
        planes = np.asarray(seen_from(view, self._golden.rays, turned)["image"][0], np.uint8)
        drawn = planes[0] if len(planes) == 1 else np.ascontiguousarray(planes.transpose(1, 2, 0))
        return Standing({"reference": drawn, "gloss": np.zeros_like(grey)}, number)
