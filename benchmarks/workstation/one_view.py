"""Each graph of full size against its model on one view: an export takes hours of them.

The view is of the bad part: to its own golden view a memory of the golden scan says 0.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any, NoReturn
from unittest.mock import patch

import numpy as np
from rich.table import Table
from typer.testing import CliRunner

from voxgate.benchmarks.places import BRACKET
from voxgate.benchmarks.workstation.case import Case
from voxgate.export.golden.golden import load_golden
from voxgate.export.golden.inputs import golden_inputs
from voxgate.export.graph.tracing import raw_as_score, trace
from voxgate.export.source import Source
from voxgate.runtime.cli import app
from voxgate.runtime.engines.onnxruntime_engine import open_cpu
from voxgate.runtime.errors import VoxGateError

MB = 1e6
MS = 1e6
THREADS = 1


@dataclass(frozen=True, slots=True)
class Held:
    """error: the largest, of the largest raw score, and that score. cpu_ms: of one run."""

    error: float
    largest: float
    cpu_ms: float
    graph_mb: float


def table(cases: Sequence[Case]) -> Table:
    """A row a model of single views; the others need all of them, and are left to the long form."""
    shown = Table(title="one view of 800 x 600, seeded weights: graph against model")
    for column in ("method", "error, of the largest score", "largest", "CPU ms", "graph MB"):
        shown.add_column(column)
    for case in cases:
        if (held := held_on_one_view(case)) is not None:
            numbers = f"{held.error:.1e}", f"{held.largest:.3g}"
            shown.add_row(case.name, *numbers, f"{held.cpu_ms:.0f}", f"{held.graph_mb:.0f}")
    return shown


def held_on_one_view(case: Case) -> Held | None:
    """None where one view is not enough. Raises VoxGateError for a model that is refused."""
    source = loaded(case)
    if source.detector != "view":
        return None
    part = load_golden(BRACKET / "bad", None, None, True)
    shown = part if source.in_colour else part.in_grey()
    names = [spec.name for spec in source.inputs]
    given = next(iter(golden_inputs(shown, names, source.section)))
    graph = raw_as_score(trace(source)).SerializeToString()
    with closing(open_cpu(graph, THREADS)) as engine:
        begun_ns = time.process_time_ns()
        found = engine.run(dict(given))[0, 0]
        cpu_ns = time.process_time_ns() - begun_ns
    want = source.original(given)
    largest = float(want.max())
    error = float(np.abs(found - want).max()) / largest
    return Held(error, largest, cpu_ns / MS, len(graph) / MB)


def loaded(case: Case) -> Source:
    """The model that the case's command would export."""
    asked: list[Any] = []

    def keep(load: Any, *_: Any) -> NoReturn:
        asked.append(load)
        raise _Asked

    scan = ("--scan", str(BRACKET / "golden"), "--out", "none")
    with patch("voxgate.export.trained.trained.export_trained", keep):
        said = CliRunner().invoke(app, ["export", *case.arguments, *scan])
    if not asked:
        raise VoxGateError(f"{case.name}: {said.exception}")
    golden = load_golden(BRACKET / "golden", None, None, True)
    source: Source = asked[0](golden, lambda done, of, what: None)
    return source


class _Asked(Exception):
    """It ends the command, and is no error."""
