"""What a recipe's models ask for, by name, made from one view; what several ask for, made once."""

from __future__ import annotations

import numpy as np

from voxgate.runtime.common.crew import Crew
from voxgate.runtime.comparison.registered import Registered
from voxgate.runtime.engines.engine import Tensor
from voxgate.runtime.errors import EngineError
from voxgate.runtime.fusion.host import Described
from voxgate.runtime.geometry.rays import Rays
from voxgate.runtime.inspection.fpfh import fpfh
from voxgate.runtime.nouns import View
from voxgate.runtime.recipe.manifest import DetectorSection, FpfhSection, Manifest
from voxgate.runtime.transforms import Transform

DEPTH = "depth_mm"


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
        registered: Registered | None,
        reference_from_part: Transform,  # they look at the part as it stands
    ) -> Described:
        """With the inputs of every model. Raises EngineError."""
        inputs = ViewInputs(planned, view, registered, self._rays, self._crew)
        further = {each.name: inputs.of(each) for each in self._manifest.detectors}
        return Described(planned, view, inputs.of(self._manifest), registered, further)


class ViewInputs:
    """The inputs of view detectors, batch and channel in front (see engine.INPUTS)."""

    def __init__(
        self, planned: int, view: View, registered: Registered | None, rays: Rays, crew: Crew
    ) -> None:
        self._view = view
        self._rays = rays
        self._crew = crew
        self._offered: dict[str, Tensor] = {
            "image": view.image,
            "view": np.full((1, 1), planned, np.uint8),
        }
        if registered is not None:
            self._offered |= {"reference": registered.reference, "gloss": registered.gloss}
        self._described: dict[FpfhSection, Tensor] = {}

    def of(self, model: Manifest | DetectorSection) -> dict[str, Tensor]:
        """What this model takes.

        Raises EngineError when the recipe lacks what its model compares with, or a shape cannot be
        described.
        """
        wanted = [spec.name for spec in model.inputs]
        if DEPTH in wanted and DEPTH not in self._offered and self._view.depth_mm is not None:
            self._offered[DEPTH] = np.nan_to_num(self._view.depth_mm, nan=0.0)
        inputs = {
            name: t[None, None] for name in wanted if (t := self._offered.get(name)) is not None
        }
        if model.fpfh is not None and self._view.depth_mm is not None:
            inputs["fpfh"] = self._described_by(model.fpfh)
        if missing := set(wanted) - set(inputs):
            raise EngineError(
                f"the model wants {sorted(missing)}, the recipe holds no golden views"
            )
        return inputs

    def _described_by(self, section: FpfhSection) -> Tensor:
        assert self._view.depth_mm is not None
        if section not in self._described:
            try:
                found = fpfh(self._view.depth_mm, self._rays, section, self._crew)
            except ValueError as error:
                raise EngineError(f"no shape descriptors: {error}") from error
            self._described[section] = found[None]
        return self._described[section]
