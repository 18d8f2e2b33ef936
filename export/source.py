"""A trained model as its authors run it, and the same as one module that becomes the graph."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt
import onnx

from voxgate.runtime.engines.engine import Tensor
from voxgate.runtime.pixels.colour import COLOURS
from voxgate.runtime.recipe.manifest import ERRORS, PICTURE_INPUTS, TensorSpec, VoxelSection
from voxgate.runtime.recipe.sections.shapes import ShapeSection

if TYPE_CHECKING:
    import torch

RawScore = npt.NDArray[np.float32]
"""(h, w) of the camera's picture, or (n, n, n) of the voxel grid; >= 0, the model's own scale."""


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """What every method's loader returns; everything after it is the same for all methods.

    inputs: what the graph takes, names among runtime.engine.INPUTS, in the order of `network`.
    network: forward(*inputs) -> raw score, float32 (1, 1, h, w) or (1, 1, n, n, n); traced. None
        when the model came as a graph.
    original: the library's own forward on the same arrays; the parity gate holds `network` to it.
    section: how the box describes the shape that the graph takes; None: it takes none.
    keep_float32: dotted prefixes of submodules of `network` that no precision may touch.
    bound: the largest raw score there can be; None: not known.
    input_px: side of the square that the network sees, where --input-px chooses it.
    together: of a set, what makes (1, 1, n, d) of one view, and (1, 1, k, n) errors of two of
        these, graphs of their own; the least errors are the input `errors`.
    """

    method: str
    inputs: tuple[TensorSpec, ...]
    network: torch.nn.Module | None
    original: Callable[[Mapping[str, Tensor]], RawScore]
    provenance: Mapping[str, Any]
    detector: Literal["view", "volume", "set"] = "view"
    keep_float32: tuple[str, ...] = ()
    section: ShapeSection | None = None
    voxels: VoxelSection | None = None
    tools: Mapping[str, str] = field(default_factory=dict)
    graph: onnx.ModelProto | None = None
    bound: float | None = None
    input_px: int | None = None
    together: tuple[Source, Source] | None = None

    @property
    def shown(self) -> tuple[TensorSpec, ...]:
        """What one view gives: the inputs, of a set with those of the graph that sees it."""
        if self.together is None:
            return self.inputs
        asked = {spec.name: spec for spec in (*self.together[0].inputs, *self.inputs)}
        return tuple(spec for name, spec in asked.items() if name != ERRORS)

    @property
    def in_colour(self) -> bool:
        """Whether it sees colour."""
        return any(t.name in PICTURE_INPUTS and t.shape[1] == COLOURS for t in self.shown)

    @property
    def tells_views_apart(self) -> bool:
        """Whether each viewpoint has constants of its own."""
        return self.together is not None or any(tensor.name == "view" for tensor in self.inputs)
