"""The trained model and its graphs on the same pictures and scans: they agree, or no recipe."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt
import onnx
from rich.table import Table

from runtime.engine import Engine, Tensor
from runtime.manifest import TensorSpec
from runtime.nouns import Outcome, Reason

if TYPE_CHECKING:
    from export.source import Source

Precision = Literal["fp32", "fp16", "int8"]
LIMITS: dict[Precision, float] = {"fp32": 1e-4, "fp16": 1e-2, "int8": 3e-2}


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
    """One row of the table; errors are fractions of the threshold."""

    graph: str
    backend: str
    limit: float
    max_error: float
    mean_error: float
    relative_error: float  # of the larger of the threshold and each map's maximum: what is limited
    part_score_error: float
    agreeing: int
    scans: int


@dataclass(frozen=True, slots=True)
class ParityTable:
    """What the gate measured; `to_json` goes into manifest.provenance["parity"]."""

    rows: tuple[GraphParity, ...]

    def to_json(self) -> list[dict[str, Any]]:
        """Rows of plain numbers and strings."""
        raise NotImplementedError

    def __rich__(self) -> Table:
        raise NotImplementedError


class SourceEngine:
    """The trained model itself as an engine: what the library's own code gives, 1.0 = threshold."""

    def __init__(self, source: Source, threshold: float) -> None:
        raise NotImplementedError

    @property
    def backend(self) -> str:
        return "original"

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        raise NotImplementedError

    @property
    def outputs(self) -> tuple[TensorSpec, ...]:
        raise NotImplementedError

    def run(self, inputs: dict[str, Tensor]) -> npt.NDArray[np.float32]:
        raise NotImplementedError

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
    Raises EngineError with the worst graph, its error, the limit and the layer group to blame.
    """
    raise NotImplementedError
