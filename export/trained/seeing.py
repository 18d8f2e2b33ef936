"""Of a set: the graph that sees one view, held against its model and packed beside the first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any

import onnx

from voxgate.export.graph.real_tensorrt import GraphCheck
from voxgate.export.graph.tracing import raw_as_score, trace
from voxgate.export.packing.package import as_npz, probe_arrays
from voxgate.export.packing.recipe_parts import probes_of
from voxgate.export.source import Source
from voxgate.export.trained.budget import check_memory
from voxgate.export.trained.parity import LIMITS, SourceEngine
from voxgate.export.trained.samples import Sample
from voxgate.runtime.engines.engine import Engine, deviation, raw_scores
from voxgate.runtime.engines.onnxruntime_engine import open_cpu
from voxgate.runtime.errors import EngineError
from voxgate.runtime.recipe.manifest import FEATURES, DetectorSection, TensorSpec, detector_files

THREADS = 2
PROBES = 2  # views
TOLERANCE = 1e-3  # of a feature or of 1, whichever is larger


@dataclass(frozen=True, slots=True, eq=False)
class Seeing:
    """source, graph: FP32. row: of the parity table. files: of a recipe, graph and probes."""

    source: Source
    graph: bytes
    output: TensorSpec
    row: Mapping[str, Any]
    files: Mapping[str, bytes]

    def fields(self, method: str, tools: Mapping[str, str]) -> dict[str, Any]:
        """Of the manifest."""
        section = DetectorSection(
            name=FEATURES,
            method=method,
            inputs=self.source.inputs,
            output=self.output,
            probe_tolerance=TOLERANCE,
            tools=dict(tools),
            provenance={"parity": dict(self.row)},
        )
        return {"schema_version": 2, "detectors": (section,)}

    @contextmanager
    def engines(self, original: bool) -> Iterator[dict[str, Engine]]:
        """By name, as an inspector takes them: the model itself, or its graph."""
        if original:
            yield {FEATURES: SourceEngine(self.source, 1.0)}
            return
        with closing(open_cpu(self.graph, THREADS)) as engine:
            yield {FEATURES: engine}


def seeing_of(
    source: Source, samples: Sequence[Sample], check: GraphCheck, most_mb: int
) -> Seeing | None:
    """None where `source` scores no set. samples: of one run; most_mb: of a GPU's memory. Raises
    EngineError where graph and model differ, or TensorRT does not build it."""
    if source.seeing is None:
        return None
    graph = raw_as_score(trace(source.seeing))
    check_memory(graph, source.seeing.method, source.seeing.input_px, most_mb)
    check(graph, source.seeing.method)
    content = graph.SerializeToString()
    with closing(open_cpu(content, THREADS)) as engine:
        row = _held(source.seeing, engine, samples)
        asked = [spec.name for spec in source.seeing.inputs]
        shown = [{name: s.shown[name] for name in asked} for s in samples[:PROBES]]
        probes = probes_of(engine, shown)
    names = detector_files(FEATURES)
    files = {names[0]: content, names[1]: as_npz(**probe_arrays(probes))}
    return Seeing(source.seeing, content, _output(graph), row, files)


@contextmanager
def opened(seeing: Seeing | None, original: bool = False) -> Iterator[dict[str, Engine]]:
    """As `Seeing.engines`; none where there is none."""
    if seeing is None:
        yield {}
        return
    with seeing.engines(original) as engines:
        yield engines


def _held(source: Source, engine: Engine, samples: Sequence[Sample]) -> dict[str, Any]:
    asked = [spec.name for spec in source.inputs]
    given = [{name: sample.shown[name] for name in asked} for sample in samples]
    worst = max(deviation(raw_scores(engine, g), source.original(g)) for g in given)
    if not worst <= LIMITS["fp32"]:
        raise EngineError(
            f"{source.method}: the graph differs from the model by {worst:.2g}, at most "
            f"{LIMITS['fp32']:g} is allowed"
        )
    return {"graph": FEATURES, "on": engine.backend, "views": len(given), "relative_error": worst}


def _output(graph: onnx.ModelProto) -> TensorSpec:
    shape = [d.dim_value for d in graph.graph.output[0].type.tensor_type.shape.dim]
    return TensorSpec(name="score", dtype="float32", shape=tuple(shape))
