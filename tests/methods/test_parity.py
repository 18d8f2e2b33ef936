"""The gate stops a graph that says something else, and names the layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper
from torch import nn

from export.blame import blamed_layers
from export.parity import ScanVerdict, SourceEngine, gate
from export.source import RawScore, Source
from export.tracing import scaled, trace
from runtime.engine import Engine, Tensor
from runtime.errors import EngineError
from runtime.manifest import TensorSpec
from runtime.nouns import Outcome

SHAPE = (1, 1, 16, 20)
SPEC = TensorSpec(name="image", dtype="uint8", shape=SHAPE)
SAMPLE: dict[str, Tensor] = {
    "image": np.random.default_rng(0).integers(0, 256, SHAPE, dtype=np.uint8)
}


class Small(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first = nn.Conv2d(1, 4, 3, padding=1)
        self.second = nn.Conv2d(4, 4, 3, padding=1)
        self.last = nn.Conv2d(4, 1, 3, padding=1)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.first(image.float() / 255))
        return self.last(torch.relu(self.second(x))).abs()


def small_source() -> Source:
    network = Small().eval().requires_grad_(False)

    def original(inputs: Mapping[str, Tensor]) -> RawScore:
        found: RawScore = network(torch.from_numpy(np.array(inputs["image"])))[0, 0].numpy()
        return found

    return Source("small", (SPEC,), network, original, {})


def seen(engine: Engine) -> Sequence[ScanVerdict]:
    """One scan of one view."""
    score = float(engine.run(dict(SAMPLE)).max())
    outcome = Outcome.FAIL if score >= 1 else Outcome.PASS
    return [ScanVerdict("scan", outcome, frozenset(), score)]


def perturbed(model: onnx.ModelProto, weight: str, factor: float) -> onnx.ModelProto:
    for constant in model.graph.initializer:
        if constant.name == weight:
            changed = numpy_helper.to_array(constant) * np.float32(factor)
            constant.CopyFrom(numpy_helper.from_array(changed, weight))
            return model
    raise AssertionError(f"no {weight} in {[c.name for c in model.graph.initializer]}")


def test_a_faithful_graph_passes_with_its_figures() -> None:
    source = small_source()
    table = gate(source, 0.5, {"fp32": scaled(trace(source), 0.5)}, [SAMPLE], seen)
    (row,) = table.to_json()
    assert row["max_error"] < 1e-5
    assert row["agreeing"] == row["scans"] == 1


def test_a_changed_layer_is_named() -> None:
    source = small_source()
    model = perturbed(scaled(trace(source), 2.0), "second.weight", 1.05)
    with pytest.raises(EngineError, match="/second"):
        gate(source, 2.0, {"fp32": model}, [SAMPLE], seen)


def test_a_flipped_verdict_stops_the_export_whatever_the_error() -> None:
    source = small_source()
    top = float(SourceEngine(source, 1.0).run(dict(SAMPLE)).max())
    threshold = top * (1 + 2e-6)
    model = perturbed(scaled(trace(source), threshold), "per_threshold", 1 + 1e-5)
    with pytest.raises(EngineError, match=r"verdict changes on scan: PASS at 1\.0000"):
        gate(source, threshold, {"fp32": model}, [SAMPLE], seen)


def test_two_graphs_differ_first_where_they_were_changed() -> None:
    model = scaled(trace(small_source()), 1.0)
    other = onnx.ModelProto()
    other.CopyFrom(model)
    perturbed(other, "second.weight", 2.0)
    assert blamed_layers(model, other, SAMPLE, 1e-3).startswith("/second")


def test_the_graph_is_what_tensorrt_8_reads() -> None:
    model = trace(small_source())
    assert model.ir_version == 8
    assert model.opset_import[0].version == 17
    assert not {node.op_type for node in model.graph.node} & {"Identity", "Constant", "Shape"}
