"""Times to the verdict of jobs that were done in turn, one thing different."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.table import Table


def show_latencies(
    console: Console, what: str, latency_ms: Mapping[str, Sequence[float]]
) -> dict[str, npt.NDArray[np.float64]]:
    """Print them by label, and give p50, p90 and the worst of each. what: the labels say."""
    table = Table(title="last exposure to verdict, ms", title_justify="left")
    for heading in (what, "jobs", "p50", "p90", "max"):
        table.add_column(heading, justify="right")
    marks = {label: np.quantile(each, (0.5, 0.9, 1.0)) for label, each in latency_ms.items()}
    for label, each in latency_ms.items():
        table.add_row(label, str(len(each)), *(f"{mark:.1f}" for mark in marks[label]))
    console.print(table)
    return marks
