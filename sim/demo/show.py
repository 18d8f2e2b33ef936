"""The demo on a terminal: one row per job while it runs, and the figures behind it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.console import JustifyMethod
from rich.table import Table
from rich.text import Text

from voxgate.runtime.commands.report import STYLES
from voxgate.sim.job_report import JobReport

COLUMNS = (
    *("job", "part", "outcome", "defects", "largest mm", "at x, y, z mm", "score", "seen"),
    *("latency", "why"),
)
LEFT = ("part", "outcome", "why")
LEAVE_OUT = ("at x, y, z mm", "largest mm", "defects", "seen", "latency")
"""What a narrow terminal does without, this first."""
BETWEEN, LEAST_WHY = 3, 22  # characters between two columns, and of the longest reason


@dataclass(frozen=True, slots=True)
class PlannedJob:
    """What is played, and what must come out."""

    scan: str
    expected: str
    faults: tuple[str, ...] = ()


def jobs_table(
    planned: list[PlannedJob], reports: list[JobReport], title: str, width: int
) -> Table:
    """Finished jobs with their verdicts, the running one, and those to come.

    width: characters of the terminal; a narrow one gets fewer columns, none of them cut off.
    """
    rows = [_row(number, job, reports) for number, job in enumerate(planned[: len(reports) + 1])]
    columns = _fitting(rows, width)
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, padding=(0, 1))
    for column in columns:
        justify: JustifyMethod = "left" if column in LEFT else "right"
        table.add_column(column, justify=justify, no_wrap=column != "why")
    for row in rows:
        styles = {"outcome": STYLES.get(row["outcome"].strip(), "dim")}
        table.add_row(*(Text(row.get(column, ""), styles.get(column, "")) for column in columns))
    return table


def _row(number: int, job: PlannedJob, reports: list[JobReport]) -> dict[str, str]:
    row = {"job": str(number + 1), "part": job.scan, "why": ", ".join(job.faults)}
    if number < len(reports):
        return row | _cells(reports[number])
    return row | {"outcome": "scanning ..."}


def _fitting(rows: list[dict[str, str]], width: int) -> list[str]:
    """The columns that can be shown whole, and leave the reasons their place."""
    columns = list(COLUMNS)
    needs = {name: max(len(row.get(name, "")) for row in [{name: name}, *rows]) for name in columns}
    needs["why"] = LEAST_WHY
    for name in LEAVE_OUT:
        if sum(needs[column] + BETWEEN for column in columns) <= width:
            break
        columns.remove(name)
    return columns


def _cells(report: JobReport) -> dict[str, str]:
    stalls = [f"again: machine stalled {report.stalls} x"] if report.stalls else []
    because = ", ".join([*report.faults, *report.reasons, *stalls]) or "-"
    latency = f"{report.latency_ms:.0f} ms" if report.latency_ms is not None else "-"
    cells = {"outcome": f" {report.outcome} ", "latency": latency, "why": because}
    verdict = report.verdict
    if verdict is None:
        return cells | {"why": report.refused or "no answer"}
    cells["defects"] = str(verdict.defect_count)
    cells["score"] = "-" if verdict.score is None else f"{verdict.score:.2f}"
    cells["seen"] = "-" if verdict.coverage is None else f"{verdict.coverage:.1%}"
    worst = max(verdict.defects, key=lambda defect: defect.volume_mm3, default=None)
    if worst is not None:
        cells["largest mm"] = " x ".join(f"{side:.0f}" for side in worst.size_mm)
        cells["at x, y, z mm"] = ", ".join(f"{part:.0f}" for part in worst.centroid_part_mm)
    return cells


def latency_line(reports: list[JobReport]) -> str:
    """Median and worst time from the end of the last exposure to the verdict at the robot."""
    latencies = [r.latency_ms for r in reports if r.latency_ms is not None and not r.faults]
    if not latencies:
        return "no verdict was published"
    return (
        f"last exposure to verdict: median {np.median(latencies):.0f} ms, "
        f"worst {max(latencies):.0f} ms over {len(latencies)} undisturbed jobs "
        "(18 ms of it the camera's readout)"
    )
