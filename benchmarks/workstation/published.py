"""What models of the papers' sizes need of memory, and what the real TensorRT makes of them.

`python -m voxgate.benchmarks.workstation.published [NAME...]` measures those alone whose name has
these words.
"""

from __future__ import annotations

import math
import re
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

import numpy as np
import onnx
from onnxruntime.quantization.calibrate import CalibrationMethod, TensorsData
from rich.console import Console
from rich.table import Table

from voxgate.benchmarks.workstation.published_models import CASES, Published
from voxgate.export.graph.half import to_half
from voxgate.export.graph.int8 import quantized
from voxgate.export.graph.memory import MB, memory_of
from voxgate.export.graph.real_tensorrt import CARDS, builds

COLUMNS = (
    "model, seen in",
    "precision",
    "weights",
    "alive",
    "largest",
    *(column for sm in CARDS for column in (f"sm_{sm}: plan", "scratch", "CPU s")),
    "peak",
)


@dataclass(frozen=True, slots=True)
class Plan:
    """Of one card. scratch_mb: what TensorRT says that a run takes beside the weights."""

    plan_mb: float
    scratch_mb: float
    cpu_s: float

    @property
    def cells(self) -> tuple[str, ...]:
        return f"{self.plan_mb:,.0f}", f"{self.scratch_mb:,.0f}", f"{self.cpu_s:.1f}"


def main(words: Sequence[str] = ()) -> None:
    """Trace every one, count its memory, build it for two cards, print the table.

    Each in a process of its own, whose peak of memory is told: what the workstation needs.
    """
    shown = Table(title="MB; weights and values of a run counted with nothing fused")
    for column in COLUMNS:
        shown.add_column(column)
    for number, case in enumerate(CASES):
        if all(word in str(case) for word in words):
            with ProcessPoolExecutor(1, get_context("spawn")) as apart:
                for row in apart.submit(_rows, number).result():
                    shown.add_row(*row)
    Console(width=160).print(shown)


def _rows(number: int) -> list[tuple[str, ...]]:
    """Each told when it is there: all of them take minutes."""
    rows = []
    for row in _measured(CASES[number]):
        sys.stderr.write(f"{', '.join(row)}\n")
        rows.append(row)
    return rows


def _measured(case: Published) -> Iterator[tuple[str, ...]]:
    with TemporaryDirectory() as folder:
        graph = case.graph(Path(folder))
    for precision, model in _reduced(case, graph):
        needs = memory_of(model)
        counted = (f"{n / MB:,.0f}" for n in (needs.constants, needs.alive, needs.largest))
        plans = [cell for sm in CARDS for cell in _plan(model, sm).cells]
        yield (str(case), precision, *counted, *plans, f"{_peak_mb():,.0f}")


def _reduced(case: Published, graph: onnx.ModelProto) -> Iterator[tuple[str, onnx.ModelProto]]:
    yield "FP32", graph
    yield "FP16", to_half(graph)
    if case.quantised:
        yield "INT8", in_int8(graph)


def in_int8(graph: onnx.ModelProto) -> onnx.ModelProto:
    """With scales that nothing was run for: a graph of the same layers, and of no worth."""
    with patch("onnxruntime.quantization.quantize.create_calibrator", _NoRun):
        return quantized(graph, [{}])


class _NoRun:
    """ONNX Runtime's calibrator, of a graph whose values all lie between -1 and 1: seeing all of
    EfficientAD's takes 10 GB."""

    def __init__(self, model: Path, *_: object, **__: object) -> None:
        nodes = onnx.load(model, load_external_data=False).graph.node
        self._values = {name for node in nodes for name in (*node.input, *node.output)}

    def collect_data(self, reader: object) -> None: ...

    def compute_data(self) -> TensorsData:
        one = np.float32(1)
        return TensorsData(CalibrationMethod.MinMax, dict.fromkeys(self._values, (-one, one)))


def _plan(model: onnx.ModelProto, sm: int) -> Plan:
    begun = time.process_time()
    built = builds(model, "published size", sm)
    spent = time.process_time() - begun
    return Plan(len(built.plan) / MB, (built.scratch_bytes or math.nan) / MB, spent)


def _peak_mb() -> float:
    """Of this process since it began."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    (kilobytes,) = re.findall(r"VmHWM:\s+(\d+) kB", status)
    return int(kilobytes) / 1024


if __name__ == "__main__":
    main(sys.argv[1:])
