"""Of a set: the graphs that see one view and hold two against each other, each held against its
model and packed beside the first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx

from voxgate.export.graph.half import rounded, to_half
from voxgate.export.graph.real_tensorrt import GraphCheck
from voxgate.export.graph.tracing import raw_as_score, trace
from voxgate.export.packing.package import as_npz, probe_arrays
from voxgate.export.packing.recipe_parts import probes_of
from voxgate.export.source import Source
from voxgate.export.trained.budget import check_memory
from voxgate.export.trained.parity import LIMITS, PROBE_TOLERANCE, Precision, SourceEngine
from voxgate.export.trained.samples import Sample
from voxgate.runtime.engines.engine import Engine, Tensor, deviation, raw_scores
from voxgate.runtime.engines.onnxruntime_engine import open_cpu
from voxgate.runtime.errors import EngineError
from voxgate.runtime.fusion.together import pair_inputs
from voxgate.runtime.recipe.manifest import (
    FEATURES,
    PAIRS,
    DetectorSection,
    TensorSpec,
    detector_files,
)

THREADS = 2
PROBES = 2  # views, and pairs, of the golden part

Given = Sequence[dict[str, Tensor]]


@dataclass(frozen=True, slots=True, eq=False)
class FurtherGraph:
    """name: of the further model. graphs: FP32, and the reduced one that is served if one is asked
    for. rows: of the parity table, one a graph. files: of a recipe, graph and probes."""

    name: str
    source: Source
    graphs: Mapping[Precision, onnx.ModelProto]
    output: TensorSpec
    rows: Sequence[Mapping[str, Any]]
    files: Mapping[str, bytes]

    def section(self, method: str, tools: Mapping[str, str]) -> DetectorSection:
        """Of the manifest."""
        precision = _served(self.graphs)
        return DetectorSection(
            name=self.name,
            method=method,
            precision=precision,
            inputs=self.source.inputs,
            output=self.output,
            probe_tolerance=PROBE_TOLERANCE[precision],
            tools=dict(tools),
            provenance={"parity": [dict(row) for row in self.rows]},
        )


@dataclass(frozen=True, slots=True, eq=False)
class OfSet:
    """What a set has beside its first graph; nothing where views are scored one by one."""

    graphs: tuple[FurtherGraph, ...] = ()

    @property
    def files(self) -> dict[str, bytes]:
        """Of the recipe."""
        return {name: content for each in self.graphs for name, content in each.files.items()}

    def fields(self, method: str, tools: Mapping[str, str]) -> dict[str, Any]:
        """Of the manifest."""
        if not self.graphs:
            return {}
        sections = tuple(each.section(f"{method} {each.name}", tools) for each in self.graphs)
        return {"schema_version": 2, "detectors": sections}

    @contextmanager
    def opened(self, precision: Precision | None = "fp32") -> Iterator[dict[str, Engine]]:
        """By name, as an inspector takes them: its graphs, or with None the model itself."""
        with ExitStack() as stack:
            yield {
                each.name: SourceEngine(each.source, 1.0)
                if precision is None
                else stack.enter_context(closing(_computed(each.graphs[precision], precision)))
                for each in self.graphs
            }


def graphs_of_set(
    source: Source,
    samples: Sequence[Sample],
    check: GraphCheck,
    most_mb: int,
    precision: Precision = "fp32",
) -> OfSet:
    """samples: of one run, a view each; most_mb: of a GPU's memory. Raises EngineError where a
    graph and its model differ, or TensorRT does not build it."""
    if source.together is None:
        return OfSet()
    views, pairs = source.together
    pictures = [{spec.name: s.shown[spec.name] for spec in views.inputs} for s in samples]
    next_to = _neighbours([s.features for s in samples])
    asked = _Asked(check, most_mb, precision)
    graphs = (
        _graph(FEATURES, views, pictures, pictures[:PROBES], asked),
        _graph(PAIRS, pairs, next_to, [*next_to[:PROBES], *map(_even, next_to)], asked),
    )
    return OfSet(graphs)


@dataclass(frozen=True, slots=True)
class _Asked:
    """Of every graph."""

    check: GraphCheck
    most_mb: int
    precision: Precision


def _neighbours(features: Sequence[Tensor]) -> list[dict[str, Tensor]]:
    """Every view held against the next one: each is source and target once."""
    seen = {number: np.asarray(each, np.float32) for number, each in enumerate(features)}
    return [pair_inputs(seen, number, (number + 1) % len(seen)) for number in seen]


def _even(given: dict[str, Tensor]) -> dict[str, Tensor]:
    """The same pair of views that show nothing: it compresses to nothing, and tells of the pair's
    constants."""
    shown = {name: np.ones_like(given[name]) for name in ("source", "target")}
    return {**given, **shown}


def _graph(name: str, source: Source, given: Given, probing: Given, asked: _Asked) -> FurtherGraph:
    graph = raw_as_score(trace(source))
    check_memory(graph, source.method, source.input_px, asked.most_mb)
    asked.check(graph, source.method)
    graphs: dict[Precision, onnx.ModelProto] = {"fp32": graph}
    if asked.precision == "fp16":
        graphs["fp16"] = to_half(graph, source.keep_float32, given)
        asked.check(graphs["fp16"], f"{source.method} fp16")
    rows = [_held(name, source, kind, reduced, given) for kind, reduced in graphs.items()]
    content = graphs[_served(graphs)].SerializeToString()
    with closing(open_cpu(content, THREADS)) as engine:
        probes = probes_of(engine, list(probing))
    names = detector_files(name)
    files = {names[0]: content, names[1]: as_npz(**probe_arrays(probes))}
    return FurtherGraph(name, source, graphs, _output(graph), rows, files)


def _served(graphs: Mapping[Precision, onnx.ModelProto]) -> Precision:
    """The last one: FP32 comes first."""
    return list(graphs)[-1]


def _computed(graph: onnx.ModelProto, precision: Precision) -> Engine:
    """As the precision's own hardware rounds it."""
    as_there = rounded(graph) if precision == "fp16" else graph
    return open_cpu(as_there.SerializeToString(), THREADS)


def _held(
    name: str, source: Source, precision: Precision, graph: onnx.ModelProto, given: Given
) -> dict[str, Any]:
    with closing(_computed(graph, precision)) as engine:
        worst = max(deviation(raw_scores(engine, dict(g)), source.original(g)) for g in given)
        backend = engine.backend
    if not worst <= LIMITS[precision]:
        raise EngineError(
            f"{source.method}, {precision}: the graph differs from the model by {worst:.2g}, at "
            f"most {LIMITS[precision]:g} is allowed"
        )
    return {
        "graph": name, "precision": precision, "on": backend, "runs": len(given),
        "relative_error": worst,
    }  # fmt: skip


def _output(graph: onnx.ModelProto) -> TensorSpec:
    shape = [d.dim_value for d in graph.graph.output[0].type.tensor_type.shape.dim]
    return TensorSpec(name="score", dtype="float32", shape=tuple(shape))
