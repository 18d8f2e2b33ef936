"""What a recipe's model asks for, by name: made from one view, or from the part's voxels."""

from __future__ import annotations

import numpy as np

from runtime.crew import Crew
from runtime.engine import Tensor
from runtime.errors import EngineError
from runtime.fpfh import fpfh
from runtime.manifest import Manifest
from runtime.nouns import View
from runtime.rays import Rays
from runtime.register import Registered


def view_inputs(
    manifest: Manifest,
    planned: int,
    view: View,
    registered: Registered | None,
    rays: Rays,
    crew: Crew,
) -> dict[str, Tensor]:
    """The inputs of a view detector, batch and channel in front (see engine.INPUTS).

    Raises EngineError when the recipe lacks what its model compares with, or a shape cannot be
    described.
    """
    offered: dict[str, Tensor | None] = {
        "image": view.image,
        "depth_mm": None if view.depth_mm is None else np.nan_to_num(view.depth_mm, nan=0.0),
        "view": np.full((1, 1), planned, np.uint8),
        "reference": None if registered is None else registered.reference,
        "gloss": None if registered is None else registered.gloss,
    }
    wanted = [spec.name for spec in manifest.inputs]
    inputs = {name: t[None, None] for name in wanted if (t := offered.get(name)) is not None}
    if manifest.fpfh is not None and view.depth_mm is not None:
        try:
            inputs["fpfh"] = fpfh(view.depth_mm, rays, manifest.fpfh, crew)[None]
        except ValueError as error:
            raise EngineError(f"no shape descriptors: {error}") from error
    if missing := set(wanted) - set(inputs):
        raise EngineError(f"the model wants {sorted(missing)}, the recipe holds no golden views")
    return inputs
