"""The trained model and its graphs on the same pictures and scans: they agree, or no recipe."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt
import onnx
from rich.table import Table

from export.blame import blamed_layers, blamed_modules
from runtime.engine import Engine, Tensor
from runtime.engine_onnxruntime import open_cpu
from runtime.errors import EngineError
from runtime.manifest import TensorSpec
from runtime.nouns import Outcome, Reason

if TYPE_CHECKING:
    from export.source import Source

Precision = Literal["fp32", "fp16", "int8"]
LIMITS: dict[Precision, float] = {"fp32": 1e-4, "fp16": 1e-2, "int8": 3e-2}
THREADS = 2
DIFFERING = 3  # scans named in a message

Scores = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class ScanVerdict:
    """What one engine made of one whole scan."""

    scan: str
    outcome: Outcome
    reasons: frozenset[Reason]
    score: float | None  # the part's, 1.0 = threshold


Inspections = Callable[[Engine], Sequence[ScanVerdict]]
"""Whole scans through runtime.inspector.Inspector on the given engine, which it leaves open."""


@dataclass(frozen=True, slots=True)
class GraphParity:
    """One row of the table; errors are fractions of the threshold.

    relative_error, of the larger of the threshold and the map's own maximum, is what is limited: a
    float32 score of 1000 thresholds is right to 1000 times less, and its verdict is as sure.
    """

    graph: str
    backend: str
    limit: float
    max_error: float
    mean_error: float
    relative_error: float
    part_score_error: float
    agreeing: int
    scans: int


@dataclass(frozen=True, slots=True)
class ParityTable:
    """What the gate measured; `to_json` goes into manifest.provenance["parity"]."""

    rows: tuple[GraphParity, ...]

    def to_json(self) -> list[dict[str, Any]]:
        """Rows of plain numbers and strings."""
        return [asdict(row) for row in self.rows]

    def __rich__(self) -> Table:
        table = Table(title="against the source model; errors as fractions of the threshold")
        for column in ("graph", "on", "max", "mean", "relative, limit", "part score", "verdicts"):
            table.add_column(column)
        for row in self.rows:
            table.add_row(
                row.graph,
                row.backend,
                f"{row.max_error:.1e}",
                f"{row.mean_error:.1e}",
                f"{row.relative_error:.1e} <= {row.limit:.0e}",
                f"{row.part_score_error:.1e}",
                f"{row.agreeing} of {row.scans} agree",
            )
        return table


class SourceEngine:
    """The trained model itself as an engine: what the library's own code gives, 1.0 = threshold."""

    def __init__(self, source: Source, threshold: float) -> None:
        self._source, self._threshold = source, threshold

    @property
    def backend(self) -> str:
        return "original"

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        return self._source.inputs

    @property
    def outputs(self) -> tuple[TensorSpec, ...]:
        return ()

    def run(self, inputs: dict[str, Tensor]) -> Scores:
        raw = self._source.original(inputs)
        return np.asarray(raw / self._threshold, np.float32)[None, None]

    def close(self) -> None:
        """Nothing to give back."""


def gate(
    source: Source,
    threshold: float,
    graphs: Mapping[Precision, onnx.ModelProto],
    samples: Sequence[Mapping[str, Tensor]],
    inspections: Inspections,
    engines: Mapping[str, tuple[Precision, Engine]] | None = None,
) -> ParityTable:
    """Every graph (fp32 first) and every further engine against the trained model.

    graphs: scaled graphs, output `score`. engines: name -> what it runs, e.g. a TensorRT engine.
    Raises EngineError with the graph, its error, the limit and the layer group to blame.
    """
    original = SourceEngine(source, threshold)
    said = [original.run(dict(sample)) for sample in samples]
    verdicts = inspections(original)
    rows = []
    for name, graph in graphs.items():
        with _opened(graph) as engine:
            rows.append(_row(name, name, engine, samples, said, verdicts, inspections))
        _hold(rows[-1], lambda name=name: _blame(name, source, graphs, samples))  # type: ignore[misc]
    for label, (precision, engine) in (engines or {}).items():
        rows.append(_row(label, precision, engine, samples, said, verdicts, inspections))
        _hold(rows[-1], lambda: "the engine itself")
    return ParityTable(tuple(rows))


def _row(
    name: str,
    precision: Precision,
    engine: Engine,
    samples: Sequence[Mapping[str, Tensor]],
    said: Sequence[Scores],
    verdicts: Sequence[ScanVerdict],
    inspections: Inspections,
) -> GraphParity:
    errors = [np.abs(engine.run(dict(s)) - was) for s, was in zip(samples, said, strict=True)]
    tops = [max(1.0, float(was.max())) for was in said]
    ours = inspections(engine)
    if flipped := _flipped(verdicts, ours):
        raise EngineError(f"{name}: the verdict changes on {flipped}")
    return GraphParity(
        graph=name,
        backend=engine.backend,
        limit=LIMITS[precision],
        max_error=max(float(error.max()) for error in errors),
        mean_error=float(np.mean([error.mean() for error in errors])),
        relative_error=max(float(e.max()) / top for e, top in zip(errors, tops, strict=True)),
        part_score_error=max(
            (_apart(a, b) for a, b in zip(verdicts, ours, strict=True)), default=0.0
        ),
        agreeing=len(ours),
        scans=len(verdicts),
    )


def _hold(row: GraphParity, blame: Callable[[], str]) -> None:
    """Raises EngineError when the row is beyond its limit."""
    if row.relative_error <= row.limit:  # so that NaN does not pass
        return
    raise EngineError(
        f"{row.graph}: the graph differs from the source model by {row.relative_error:.2g}, at "
        f"most {row.limit:g} is allowed; the first layers that are off: {blame()}"
    )


def _blame(
    name: Precision,
    source: Source,
    graphs: Mapping[Precision, onnx.ModelProto],
    samples: Sequence[Mapping[str, Tensor]],
) -> str:
    if name == "fp32":
        return blamed_modules(source, graphs["fp32"], samples[0], LIMITS["fp32"])
    return blamed_layers(graphs["fp32"], graphs[name], samples[0], LIMITS[name])


def _flipped(theirs: Sequence[ScanVerdict], ours: Sequence[ScanVerdict]) -> str:
    """The scans whose outcome or reasons differ, in words; empty when none does."""
    words = [
        f"{was.scan}: {was.outcome.value} at {_shown(was.score)} becomes {now.outcome.value} at "
        f"{_shown(now.score)}"
        for was, now in zip(theirs, ours, strict=True)
        if (was.outcome, was.reasons) != (now.outcome, now.reasons)
    ]
    return "; ".join(words[:DIFFERING])


def _apart(theirs: ScanVerdict, ours: ScanVerdict) -> float:
    return abs((theirs.score or 0.0) - (ours.score or 0.0))


def _shown(score: float | None) -> str:
    return "no score" if score is None else f"{score:.4f}"


@contextmanager
def _opened(graph: onnx.ModelProto) -> Iterator[Engine]:
    engine = open_cpu(graph.SerializeToString(), THREADS)
    try:
        yield engine
    finally:
        engine.close()
