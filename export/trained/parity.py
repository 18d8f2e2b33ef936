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

from voxgate.export.graph.blame import blamed_layers, blamed_modules
from voxgate.export.graph.half import rounded
from voxgate.runtime.engines.engine import Engine, Tensor
from voxgate.runtime.engines.onnxruntime_engine import open_cpu
from voxgate.runtime.errors import EngineError
from voxgate.runtime.nouns import Outcome, Reason
from voxgate.runtime.recipe.manifest import TensorSpec

if TYPE_CHECKING:
    from voxgate.export.source import Source
    from voxgate.export.trained.samples import Sample

Precision = Literal["fp32", "fp16", "int8"]
LIMITS: dict[Precision, float] = {"fp32": 1e-4, "fp16": 1e-2, "int8": 3e-2}
# the same graph on another CPU differs by 1e-5, on a GPU by its precision
PROBE_TOLERANCE: dict[Precision, float] = {
    "fp32": 1e-3,
    "fp16": LIMITS["fp16"],
    "int8": LIMITS["int8"],
}
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


Inspections = Callable[[Engine, Precision | None], Sequence[ScanVerdict]]
"""Whole scans through runtime.inspector.Inspector on the given engine, which it leaves open; its
precision, None: the trained model itself."""


@dataclass(frozen=True, slots=True)
class GraphParity:
    """One row of the table; max_error and mean_error are fractions of the threshold.

    relative_error and part_score_error are what is limited: of the larger of the threshold and the
    source's score at the same pixel, or of the same part. A float32 score of 1000 thresholds is
    right to 1000 times less, and its verdict is as sure; what lies beside it is not.
    decided: scans whose verdict is PASS or FAIL. over: views and scans over the threshold.
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
    decided: int
    over: int


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
                f"{row.agreeing} of {row.scans} agree, {row.decided} decided",
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
    samples: Sequence[Sample],
    inspections: Inspections,
    engines: Mapping[str, tuple[Precision, Engine]] | None = None,
    strange: Sequence[Sample] = (),
) -> ParityTable:
    """Every graph (fp32 first) and every further engine against the trained model.

    graphs: scaled graphs, output `score`. engines: name -> what it runs, e.g. a TensorRT engine.
    samples are compared pixel by pixel; of the strange ones, and of these, none that the model
    finds over the threshold may fall below it. Raises EngineError with the graph, its error, the
    limit and the layer group to blame, or when no scan is decided.
    """
    told = _Told.by(SourceEngine(source, threshold), samples, strange, inspections)
    rows = []
    for name, graph in graphs.items():
        with _opened(rounded(graph) if name == "fp16" else graph) as engine:
            rows.append(_row(name, name, engine, told))
        _hold(rows[-1], lambda name=name: _blame(name, source, graphs, samples))  # type: ignore[misc]
    for label, (precision, engine) in (engines or {}).items():
        rows.append(_row(label, precision, engine, told))
        _hold(rows[-1], lambda: "the engine itself")
    return ParityTable(tuple(rows))


@dataclass(frozen=True, slots=True, eq=False)
class _Told:
    """What the trained model says: maps of the samples, peaks of these and of the strange ones."""

    samples: Sequence[Sample]
    strange: Sequence[Sample]
    maps: list[Scores]
    peaks: list[float]
    inspections: Inspections
    verdicts: Sequence[ScanVerdict]

    @classmethod
    def by(
        cls,
        original: Engine,
        samples: Sequence[Sample],
        strange: Sequence[Sample],
        inspections: Inspections,
    ) -> _Told:
        maps = [original.run(dict(sample.inputs)) for sample in samples]
        peaks = [sample.peak(was[0, 0]) for sample, was in zip(samples, maps, strict=True)]
        peaks += [_peak(original, sample) for sample in strange]
        verdicts = inspections(original, None)
        _check_decided(verdicts)
        return cls(samples, strange, maps, peaks, inspections, verdicts)


def _row(name: str, precision: Precision, engine: Engine, told: _Told) -> GraphParity:
    now = [engine.run(dict(sample.inputs)) for sample in told.samples]
    errors = [np.abs(a - b) for a, b in zip(now, told.maps, strict=True)]
    relative = [e / np.maximum(1.0, np.abs(b)) for e, b in zip(errors, told.maps, strict=True)]
    peaks = [sample.peak(score[0, 0]) for sample, score in zip(told.samples, now, strict=True)]
    peaks += [_peak(engine, sample) for sample in told.strange]
    _check_none_passes(name, told, peaks)
    ours = told.inspections(engine, precision)
    if flipped := _flipped(told.verdicts, ours):
        raise EngineError(f"{name}: the verdict changes on {flipped}")
    pairs = list(zip(told.verdicts, ours, strict=True))
    return GraphParity(
        graph=name,
        backend=engine.backend,
        limit=LIMITS[precision],
        max_error=max(float(error.max()) for error in errors),
        mean_error=float(np.mean([error.mean() for error in errors])),
        relative_error=max(float(error.max()) for error in relative),
        part_score_error=max((_apart(a, b) for a, b in pairs), default=0.0),
        agreeing=len(ours),
        scans=len(told.verdicts),
        decided=sum(v.outcome is not Outcome.INDETERMINATE for v in told.verdicts),
        over=sum(p >= 1.0 for p in (*told.peaks, *((v.score or 0.0) for v in told.verdicts))),
    )


def _peak(engine: Engine, sample: Sample) -> float:
    return sample.peak(engine.run(dict(sample.inputs))[0, 0])


def _check_decided(verdicts: Sequence[ScanVerdict]) -> None:
    """Raises EngineError when all verdicts agree because none says anything."""
    if verdicts and all(v.outcome is Outcome.INDETERMINATE for v in verdicts):
        reasons = ", ".join(sorted(reason.value for reason in verdicts[0].reasons))
        raise EngineError(
            f"no scan is decided ({verdicts[0].scan}: {reasons}), so that verdicts agree proves "
            "nothing: see that the golden scan itself is inspected to the end"
        )


def _check_none_passes(name: str, told: _Told, peaks: Sequence[float]) -> None:
    """Raises EngineError for a sample over the threshold that this graph puts below it."""
    for sample, was, now in zip((*told.samples, *told.strange), told.peaks, peaks, strict=True):
        if was >= 1.0 and not now >= 1.0:
            what = f"{sample.strange or 'golden'} view {sample.view}"
            raise EngineError(
                f"{name}: {what} scores {was:.4f} of the threshold in the source model and "
                f"{now:.4f} in this graph: what should fail would pass; choose another --precision"
            )


def _hold(row: GraphParity, blame: Callable[[], str]) -> None:
    """Raises EngineError when the row is beyond its limit."""
    if not row.relative_error <= row.limit:  # so that NaN does not pass
        raise EngineError(
            f"{row.graph}: the graph differs from the source model by {row.relative_error:.2g}, at "
            f"most {row.limit:g} is allowed; the first layers that are off: {blame()}"
        )
    if not row.part_score_error <= row.limit:
        raise EngineError(
            f"{row.graph}: the part's score differs from the source model's by "
            f"{row.part_score_error:.2g}, at most {row.limit:g} is allowed"
        )


def _blame(
    name: Precision,
    source: Source,
    graphs: Mapping[Precision, onnx.ModelProto],
    samples: Sequence[Sample],
) -> str:
    first = samples[0].inputs
    if name == "fp32":
        return blamed_modules(source, graphs["fp32"], first, LIMITS["fp32"])
    reduced = rounded(graphs[name]) if name == "fp16" else graphs[name]
    return blamed_layers(graphs["fp32"], reduced, first, LIMITS[name])


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
    was, now = theirs.score or 0.0, ours.score or 0.0
    return abs(was - now) / max(1.0, abs(was))


def _shown(score: float | None) -> str:
    return "no score" if score is None else f"{score:.4f}"


@contextmanager
def _opened(graph: onnx.ModelProto) -> Iterator[Engine]:
    engine = open_cpu(graph.SerializeToString(), THREADS)
    try:
        yield engine
    finally:
        engine.close()
