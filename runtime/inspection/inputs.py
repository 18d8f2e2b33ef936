"""What a recipe's models ask for, by name, made from one view; what several ask for, made once."""

from __future__ import annotations

import numpy as np

from voxgate.runtime.common.crew import Crew
from voxgate.runtime.comparison.rerendered import Rerendered
from voxgate.runtime.descriptors.describe import description
from voxgate.runtime.engines.engine import Tensor
from voxgate.runtime.errors import EngineError
from voxgate.runtime.fusion.host import Described
from voxgate.runtime.geometry.rays import Rays
from voxgate.runtime.nouns import Picture, View
from voxgate.runtime.pixels.colour import in_front
from voxgate.runtime.recipe.manifest import DetectorSection, Manifest, TensorSpec, described_by
from voxgate.runtime.recipe.sections.shapes import ShapeSection, name_of
from voxgate.runtime.transforms import Transform

DEPTH = "depth_mm"
GREY = 1  # channels


class ViewDescriber:
    """What the view detectors of one recipe get of its views."""

    def __init__(self, manifest: Manifest, rays: Rays, crew: Crew) -> None:
        self._manifest = manifest
        self._rays = rays
        self._crew = crew

    def describe(
        self,
        planned: int,
        view: View,
        rerendered: Rerendered | None,
        reference_from_part: Transform,  # they look at the part as it stands
    ) -> Described:
        """With the inputs of every model. Raises EngineError."""
        inputs = ViewInputs(planned, view, rerendered, self._rays, self._crew)
        further = {each.name: inputs.of(each) for each in self._manifest.detectors}
        return Described(planned, view, inputs.of(self._manifest), further)


class ViewInputs:
    """The inputs of view detectors, batch and channel in front (see engine.INPUTS)."""

    def __init__(
        self, planned: int, view: View, rerendered: Rerendered | None, rays: Rays, crew: Crew
    ) -> None:
        self._view = view
        self._rays = rays
        self._crew = crew
        self._pictures: dict[str, Picture] = {"image": view.image}
        self._coloured: dict[str, Picture] = {"image": view.picture}
        self._offered: dict[tuple[str, int], Tensor] = {
            ("view", GREY): np.full((1, 1, 1, 1), planned, np.uint8)
        }
        if rerendered is not None:
            self._pictures |= {"reference": rerendered.reference, "gloss": rerendered.gloss}
            self._coloured["reference"] = rerendered.reference_picture
        self._described: dict[ShapeSection, Tensor] = {}

    def of(self, model: Manifest | DetectorSection) -> dict[str, Tensor]:
        """What this model takes.

        Raises EngineError when the recipe lacks what its model compares with, or a shape cannot be
        described.
        """
        inputs = {spec.name: t for spec in model.inputs if (t := self._offer(spec)) is not None}
        if self._view.depth_mm is not None:
            inputs |= {name_of(each): self._description(each) for each in described_by(model)}
        if missing := {spec.name for spec in model.inputs} - set(inputs):
            raise EngineError(
                f"the model wants {sorted(missing)}, the recipe holds no golden views"
            )
        return inputs

    def _offer(self, spec: TensorSpec) -> Tensor | None:
        """What there is under this name, of so many channels; None: nothing."""
        key = (spec.name, spec.shape[1])
        if key not in self._offered and (made := self._made(*key)) is not None:
            self._offered[key] = made
        return self._offered.get(key)

    def _made(self, name: str, channels: int) -> Tensor | None:
        if name == DEPTH and self._view.depth_mm is not None:
            return np.nan_to_num(self._view.depth_mm, nan=0.0)[None, None]
        pictures = self._pictures if channels == GREY else self._coloured
        return in_front(pictures[name]) if name in pictures else None

    def _description(self, section: ShapeSection) -> Tensor:
        assert self._view.depth_mm is not None
        if section not in self._described:
            try:
                found = description(self._view.depth_mm, self._rays, section, self._crew)
            except ValueError as error:
                raise EngineError(f"no shape descriptors: {error}") from error
            self._described[section] = found
        return self._described[section]
