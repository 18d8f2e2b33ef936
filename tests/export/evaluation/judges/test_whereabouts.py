"""A picture without a robot is compared with the golden part seen from where it was taken."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.kits import tiny
from tests.kits.repository import BRACKET
from tests.kits.small_scan import half_bracket
from voxgate.export.evaluation.cases import Picture
from voxgate.export.evaluation.judges.picture_inputs import model_inputs
from voxgate.export.evaluation.judges.whereabouts import Whereabouts
from voxgate.export.golden.gloss import part_points
from voxgate.export.golden.golden import Golden, load_golden
from voxgate.runtime.errors import RecipeError, ScanError
from voxgate.runtime.recipe.manifest import TensorSpec
from voxgate.runtime.recipe.recipe import Recipe

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def golden() -> Golden:
    whole = load_golden(half_bracket() / "golden", whole=True)  # pixels of 1 mm
    return replace(whole, views=whole.views[:3])


def test_a_picture_is_compared_with_the_golden_part_from_elsewhere(golden: Golden) -> None:
    other = load_golden(half_bracket() / "good", whole=True).views[1]
    picture = Picture(other.image)
    standing = Whereabouts(golden).standing(picture)
    assert standing.view == 1
    (height, width), names = other.image.shape, ("image", "reference", "view")
    size = {"image": (height, width), "reference": (height, width), "view": (1, 1)}
    manifest = tiny.manifest(
        inputs=tuple(TensorSpec(name=n, dtype="uint8", shape=(1, 1, *size[n])) for n in names)
    )
    given = model_inputs(manifest, picture, "a case", standing)
    assert int(given["view"].reshape(())) == 1
    drawn, plain = given["reference"][0, 0], golden.views[1].image
    part, _ = part_points(other, golden.rays, golden.table_z_mm + 5.0)

    def apart(reference: np.ndarray) -> float:
        return float(np.abs(reference[part].astype(float) - other.image[part]).mean())

    assert apart(drawn) < apart(plain)  # it stood a little elsewhere: drawn from there it fits
    with pytest.raises(RecipeError, match="--golden SCAN"):
        model_inputs(manifest, picture, "a case")


def test_a_picture_of_nothing_is_compared_with_some_view(golden: Golden) -> None:
    noise = np.random.default_rng(3).integers(0, 256, golden.rays.x.shape, dtype=np.uint8)
    with pytest.raises(ScanError, match="no pose explains"):
        Whereabouts(golden).standing(Picture(noise))


@pytest.mark.nightly
def test_another_parts_golden_scan_is_taken(small_recipe: Path) -> None:
    with pytest.raises(RecipeError, match="another calibration"):
        Whereabouts.of(BRACKET / "golden", Recipe.load(small_recipe))
