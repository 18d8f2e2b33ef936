"""The demo on a terminal: one row per job while it runs, and the figures behind it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from rich.table import Table
from rich.text import Text

from sim.cell import JobReport

STYLES = {
    "PASS": "bold white on green",
    "FAIL": "bold white on red",
    "INDETERMINATE": "bold black on yellow",
}


@dataclass(frozen=True, slots=True)
class PlannedJob:
    """What is played, and what must come out."""

    scan: str
    expected: str
    faults: tuple[str, ...] = ()


def jobs_table(planned: list[PlannedJob], reports: list[JobReport], title: str) -> Table:
    """Finished jobs with their verdicts, the running one, and those to come."""
    table = Table(title=title, title_justify="left")
    table.add_column("job", justify="right")
    table.add_column("part")
    table.add_column("outcome", justify="center")
    table.add_column("defects", justify="right")
    table.add_column("largest mm", justify="right")
    table.add_column("at x, y, z mm", justify="right")
    table.add_column("score", justify="right")
    table.add_column("coverage", justify="right")
    table.add_column("latency", justify="right")
    table.add_column("why")
    for number, job in enumerate(planned):
        if number < len(reports):
            table.add_row(str(number + 1), part_name(job), *_cells(reports[number]))
        elif number == len(reports):
            table.add_row(str(number + 1), part_name(job), Text("scanning ...", "dim"))
    return table


def part_name(job: PlannedJob) -> str:
    """The scan and what goes wrong on purpose."""
    return " ".join([job.scan, *job.faults])


def _cells(report: JobReport) -> list[Text | str]:
    outcome = Text(f" {report.outcome} ", STYLES.get(report.outcome, "bold red"))
    latency = f"{report.latency_ms:.0f} ms" if report.latency_ms is not None else "-"
    verdict = report.verdict
    if verdict is None:
        return [outcome, "-", "-", "-", "-", "-", latency, report.refused or "no answer"]
    worst = max(verdict.defects, key=lambda defect: defect.volume_mm3, default=None)
    return [
        outcome,
        str(verdict.defect_count),
        " x ".join(f"{side:.0f}" for side in worst.size_mm) if worst else "-",
        ", ".join(f"{part:.0f}" for part in worst.centroid_part_mm) if worst else "-",
        "-" if verdict.score is None else f"{verdict.score:.2f}",
        "-" if verdict.coverage is None else f"{verdict.coverage:.1%}",
        latency,
        ", ".join(report.reasons),
    ]


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
