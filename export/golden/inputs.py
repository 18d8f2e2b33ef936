"""The golden views as the runtime would hand them to a model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from voxgate.export.golden.golden import Golden
from voxgate.runtime.common.crew import Crew
from voxgate.runtime.descriptors.describe import description, shape_of
from voxgate.runtime.engines.engine import Tensor
from voxgate.runtime.geometry.rays import Rays
from voxgate.runtime.nouns import View
from voxgate.runtime.pixels.colour import in_front
from voxgate.runtime.recipe.manifest import PICTURE_INPUTS, TensorSpec
from voxgate.runtime.recipe.sections.shapes import ShapeSection, name_of

THREADS = 2
DEPTH_MARGIN = 0.02  # of the golden range on either side: another part stands a little elsewhere
UINT8_INPUTS = ("image", "reference", "gloss")


def golden_inputs(
    golden: Golden, names: Sequence[str], section: ShapeSection | None = None
) -> Iterator[dict[str, Tensor]]:
    """One dictionary per golden view: its own picture is its reference, and nothing flickers."""
    with Crew(THREADS) as crew:
        for planned, view in enumerate(golden.views):
            yield view_inputs(view, planned, golden.rays, names, crew, section)


def view_inputs(
    view: View,
    planned: int,
    rays: Rays,
    names: Sequence[str],
    crew: Crew,
    section: ShapeSection | None = None,
) -> dict[str, Tensor]:
    """The named inputs of one view; reference and gloss as where there is nothing to compare."""
    assert view.depth_mm is not None  # load_golden refuses a scan without
    found: dict[str, Tensor] = {}
    for name in names:
        if name == "depth_mm":
            found[name] = np.nan_to_num(view.depth_mm, nan=0.0)[None, None]
        elif name == "view":
            found[name] = np.full((1, 1, 1, 1), planned, np.uint8)
        elif section is not None and name == name_of(section):
            found[name] = description(view.depth_mm, rays, section, crew)
        elif name == "gloss":
            found[name] = np.zeros_like(view.image)[None, None]
        else:
            found[name] = in_front(view.picture)
    return found


def size_px(golden: Golden) -> tuple[int, int]:
    """(height, width) of the camera's pictures."""
    height, width = golden.rays.x.shape
    return height, width


def spec(name: str, golden: Golden, section: ShapeSection | None = None) -> TensorSpec:
    """The tensor that the runtime hands over under this name: pictures as the golden scan's are."""
    height, width = size_px(golden)
    if section is not None and name == name_of(section):
        return TensorSpec(name=name, dtype="float32", shape=shape_of(section, height, width))
    if name == "view":
        return TensorSpec(name=name, dtype="uint8", shape=(1, 1, 1, 1))
    dtype = "uint8" if name in UINT8_INPUTS else "float32"
    channels = golden.channels if name in PICTURE_INPUTS else 1
    return TensorSpec(name=name, dtype=dtype, shape=(1, channels, height, width))


def golden_range_mm(golden: Golden) -> tuple[float, float]:
    """Nearest and farthest depth of the golden scan with a margin: 0 and 1 of a depth picture."""
    depths = [view.depth_mm for view in golden.views if view.depth_mm is not None]
    near = min(float(np.nanmin(depth_mm)) for depth_mm in depths)
    far = max(float(np.nanmax(depth_mm)) for depth_mm in depths)
    margin = DEPTH_MARGIN * (far - near)
    return max(0.0, near - margin), far + margin
