"""What a recipe's models ask for, of one picture: by name, batch and channel in front.

A picture alone has no robot, and most have no pose. A recipe of one viewpoint was made for a camera
that stands: its golden view is what there is to compare with, pixel by pixel, with the gloss that
it was seen to have.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from voxgate.export.evaluation.cases import Picture
from voxgate.export.evaluation.judges.backproject import pinhole_rays
from voxgate.runtime.common.crew import Crew
from voxgate.runtime.descriptors.describe import description
from voxgate.runtime.errors import RecipeError
from voxgate.runtime.nouns import Picture as Pixels
from voxgate.runtime.pixels.colour import by_channels
from voxgate.runtime.recipe.contents import ReferenceView
from voxgate.runtime.recipe.manifest import Manifest, TensorSpec, described_by
from voxgate.runtime.recipe.recipe import Recipe
from voxgate.runtime.recipe.sections.shapes import ShapeSection, name_of

THREADS = 2
POSELESS = "a picture without a pose has none; --golden SCAN finds one on the recipe's golden scan"
INSTEAD = {
    "reference": f"which is compared with one golden view: {POSELESS}",
    "gloss": f"which is compared with one golden view: {POSELESS}",
    "view": f"which tells viewpoints apart: {POSELESS}",
}
Inputs = dict[str, npt.NDArray[np.generic]]


@dataclass(frozen=True, slots=True, eq=False)
class Standing:
    """Where a picture was taken from. shown: what the golden part shows to a camera there, as
    `reference` and `gloss`; view: the planned viewpoint that it is like."""

    shown: Mapping[str, Pixels]
    view: int = 0

    @classmethod
    def of(cls, recipe: Recipe) -> Standing | None:
        """Of a camera that stands; None for a recipe of several viewpoints: which of them a picture
        is from, nobody says."""
        if len(recipe.plan.views) != 1:
            return None
        golden = {} if not recipe.reference else _of_golden(recipe.reference[0])
        return cls(golden)


def model_inputs(
    manifest: Manifest, picture: Picture, name: str, standing: Standing | None = None
) -> Inputs:
    """Of a recipe's first model. Raises RecipeError, with the case's name, for an input that this
    picture cannot give, or of another size."""
    needed = {spec.name: spec for spec in manifest.inputs}
    shown = {"image": picture.image}
    offered: Inputs = _shapes(picture, described_by(manifest))
    if standing is not None:
        offered["view"] = np.full((1, 1, 1, 1), standing.view, np.uint8)
        shown |= standing.shown
    offered |= _pictures(needed, shown)
    if lacking := [each for each in needed if each not in offered]:
        reason = INSTEAD.get(lacking[0], "choose a method that scores pictures alone")
        raise RecipeError(
            f"{name}: recipe {manifest.name} wants {', '.join(sorted(lacking))}, a single picture "
            f"has {', '.join(offered)}: {reason}"
        )
    for key, spec in needed.items():
        if offered[key].shape != spec.shape:
            raise RecipeError(
                f"{name}: {key} is {offered[key].shape[1:]}, recipe {manifest.name} takes "
                f"{spec.shape[1:]}: export it for pictures of this size and as many channels"
            )
    return {key: offered[key] for key in needed}


def _of_golden(view: ReferenceView) -> dict[str, Pixels]:
    return {"reference": view.image, "gloss": view.gloss}


def _pictures(needed: Mapping[str, TensorSpec], shown: Mapping[str, Pixels]) -> Inputs:
    """Of as many channels as are taken, if the picture has them."""
    found: Inputs = {}
    for name, pixels in shown.items():
        forms = by_channels(pixels)
        # a grey picture for a model that sees colour is refused by its shape
        channels = needed[name].shape[1] if name in needed else 1
        found[name] = forms.get(channels, forms[1])
    return found


def _shapes(picture: Picture, sections: Sequence[ShapeSection]) -> Inputs:
    if picture.depth_mm is None:
        return {}
    found: Inputs = {"depth_mm": np.nan_to_num(picture.depth_mm, nan=0.0)[None, None]}
    if sections and picture.camera_matrix is not None:
        rays = pinhole_rays(picture.camera_matrix, picture.depth_mm.shape)
        with Crew(THREADS) as crew:
            for each in sections:
                found[name_of(each)] = description(picture.depth_mm, rays, each, crew)
    return found
