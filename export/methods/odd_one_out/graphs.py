"""The network as two graphs, and as itself: in front of the boxes, and after them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

import numpy as np
import numpy.typing as npt
import onnx
import torch
from torch import nn

from voxgate.export.graph.tracing import scaled, trace
from voxgate.export.methods.odd_one_out.network import AfterBoxes, BeforeBoxes, OddOneOut
from voxgate.export.source import RawScore, Source
from voxgate.runtime.engines.engine import Tensor
from voxgate.runtime.pixels.colour import COLOURS
from voxgate.runtime.recipe.manifest import TensorSpec

METHOD = "odd-one-out"


class OfGrey(nn.Module):
    """A grey picture is three alike."""

    def __init__(self, before: BeforeBoxes) -> None:
        super().__init__()
        self.before = before

    def forward(self, pictures: torch.Tensor, cameras: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self.before(pictures.float().expand(-1, COLOURS, -1, -1), cameras)
        return found


@dataclass(frozen=True, slots=True, eq=False)
class Half:
    """One graph. threshold: of its output, which becomes 1.0. graph: output `score`."""

    source: Source
    threshold: float
    graph: onnx.ModelProto

    @property
    def output(self) -> TensorSpec:
        """Of the graph."""
        shape = [d.dim_value for d in self.graph.graph.output[0].type.tensor_type.shape.dim]
        return TensorSpec(name="score", dtype="float32", shape=tuple(shape))


def halves(network: OddOneOut, views: int, grey: bool, threshold: float) -> tuple[Half, Half]:
    """Of so many views. threshold: likelihood from which an instance is odd. Raises EngineError."""
    constants = network.constants
    side = constants.side_px
    before: nn.Module = BeforeBoxes(network)
    pictures = (views, 1 if grey else COLOURS, side, side)
    field = (1, 1, 1 + constants.width, prod(constants.voxels))
    return (
        _half(
            OfGrey(before) if grey else before,
            TensorSpec(name="pictures", dtype="uint8", shape=pictures),
            TensorSpec(name="cameras", dtype="float32", shape=(1, views, 3, 4)),
            1.0,
        ),
        _half(
            AfterBoxes(network),
            TensorSpec(name="volume", dtype="float32", shape=field),
            TensorSpec(name="boxes", dtype="float32", shape=(1, 1, constants.most, 6)),
            threshold,
        ),
    )


def _half(module: nn.Module, first: TensorSpec, second: TensorSpec, threshold: float) -> Half:
    module = module.eval()

    def original(given: Mapping[str, Tensor]) -> RawScore:
        tensors = [torch.from_numpy(np.ascontiguousarray(given[s.name])) for s in (first, second)]
        with torch.no_grad():
            found: npt.NDArray[np.float32] = module(*tensors).numpy()[0, 0]
        return found

    source = Source(METHOD, (first, second), module, original, provenance={})
    return Half(source, threshold, scaled(trace(source), threshold))
