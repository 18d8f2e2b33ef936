"""The gate stops a graph that says something else, and names the layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper
from torch import nn

from voxgate.export.graph.blame import blamed_layers
from voxgate.export.graph.tracing import scaled, trace
from voxgate.export.source import RawScore, Source
from voxgate.export.trained.parity import Precision, ScanVerdict, SourceEngine, gate
from voxgate.export.trained.samples import Sample
from voxgate.runtime.engines.engine import Engine, Tensor
from voxgate.runtime.errors import EngineError
from voxgate.runtime.nouns import Outcome, Reason
from voxgate.runtime.recipe.manifest import TensorSpec

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


def seen(engine: Engine, precision: Precision | None) -> Sequence[ScanVerdict]:
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
    table = gate(source, 0.5, {"fp32": scaled(trace(source), 0.5)}, [Sample(SAMPLE)], seen)
    (row,) = table.to_json()
    assert row["max_error"] < 1e-5
    assert row["agreeing"] == row["scans"] == 1


def test_a_changed_layer_is_named() -> None:
    source = small_source()
    model = perturbed(scaled(trace(source), 2.0), "second.weight", 1.05)
    with pytest.raises(EngineError, match="/second"):
        gate(source, 2.0, {"fp32": model}, [Sample(SAMPLE)], seen)


def test_a_flipped_verdict_stops_the_export_whatever_the_error() -> None:
    source = small_source()
    top = float(SourceEngine(source, 1.0).run(dict(SAMPLE)).max())
    threshold = top * (1 + 2e-6)
    model = perturbed(scaled(trace(source), threshold), "per_threshold", 1 + 1e-5)
    with pytest.raises(EngineError, match=r"verdict changes on scan: PASS at 1\.0000"):
        gate(source, threshold, {"fp32": model}, [Sample(SAMPLE)], seen)


class Bright(nn.Module):
    """The picture itself, and 2000 at its right edge."""

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        beside = torch.zeros(SHAPE)
        beside[..., -1] = 2000.0
        return image.float() / 170 + beside


def bright_source() -> Source:
    network = Bright()

    def original(inputs: Mapping[str, Tensor]) -> RawScore:
        found: RawScore = network(torch.from_numpy(np.array(inputs["image"])))[0, 0].numpy()
        return found

    return Source("bright", (SPEC,), network, original, {})


def dulled(model: onnx.ModelProto, most: float) -> onnx.ModelProto:
    """Everything below 100 cut off at `most`."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    last = copy.graph.node[-1]
    last.output[0] = "full"
    for name, value in (("most", most), ("hundred", 100.0)):
        copy.graph.initializer.append(numpy_helper.from_array(np.array(value, np.float32), name))
    make = onnx.helper.make_node
    copy.graph.node.extend(
        [
            make("Min", ["full", "most"], ["cut"], name="cut"),
            make("Greater", ["full", "hundred"], ["large"], name="large"),
            make("Where", ["large", "full", "cut"], ["score"], name="where"),
        ]
    )
    return copy


def decided(engine: Engine, precision: Precision | None) -> Sequence[ScanVerdict]:
    return [ScanVerdict("scan", Outcome.PASS, frozenset(), 0.5)]


def test_a_bright_background_hides_no_error_on_the_part() -> None:
    source = bright_source()
    model = scaled(trace(source), 1.0)
    graphs = {"fp32": model, "fp16": dulled(model, 1.2)}  # 1.5 becomes 1.2: still over 1.0
    with pytest.raises(EngineError, match=r"fp16: the graph differs .* by 0\.[12]"):
        gate(source, 1.0, graphs, [Sample(SAMPLE)], decided)  # type: ignore[arg-type]


def test_what_the_model_finds_must_not_fall_below_the_threshold() -> None:
    source = bright_source()
    model = scaled(trace(source), 1.0)
    part = np.ones(SHAPE[2:], np.bool_)
    part[:, -1] = False
    strange = Sample(SAMPLE, part, 3, "marked")
    graphs = {"fp32": model, "fp16": dulled(model, 0.99)}
    quiet = Sample({"image": np.zeros(SHAPE, np.uint8)}, part)
    with pytest.raises(EngineError, match=r"marked view 3 scores 1\.5"):
        gate(source, 1.0, graphs, [quiet], decided, strange=[strange])  # type: ignore[arg-type]


def test_a_parts_score_that_differs_stops_the_export() -> None:
    source = small_source()

    def drifting(engine: Engine, precision: Precision | None) -> Sequence[ScanVerdict]:
        score = 0.5 if engine.backend == "original" else 0.6
        return [ScanVerdict("scan", Outcome.PASS, frozenset(), score)]

    with pytest.raises(EngineError, match="the part's score differs"):
        gate(source, 0.5, {"fp32": scaled(trace(source), 0.5)}, [Sample(SAMPLE)], drifting)


def test_scans_that_decide_nothing_prove_nothing() -> None:
    source = small_source()

    def undecided(engine: Engine, precision: Precision | None) -> Sequence[ScanVerdict]:
        reasons = frozenset({Reason.COVERAGE})
        return [ScanVerdict("scan", Outcome.INDETERMINATE, reasons, 0.5)]

    with pytest.raises(EngineError, match=r"no scan is decided \(scan: coverage\)"):
        gate(source, 0.5, {"fp32": scaled(trace(source), 0.5)}, [Sample(SAMPLE)], undecided)


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
