"""A verdict as a person at the cell reads it."""

from __future__ import annotations

from rich.console import Group
from rich.table import Table
from rich.text import Text

from voxgate.runtime.instances import InstanceReport
from voxgate.runtime.nouns import Defect, Outcome, Verdict

STYLES = {
    Outcome.PASS.value: "bold white on green",
    Outcome.FAIL.value: "bold white on red",
    Outcome.INDETERMINATE.value: "bold black on yellow",
}


def verdict_report(verdict: Verdict) -> Group:
    """Outcome, the figures behind it, the reasons and a table of defects."""
    lines = [
        Text(f" {verdict.outcome.value} ", STYLES[verdict.outcome.value]),
        Text(_figures(verdict)),
        *(Text(f"  {note.reason.value}: {note.detail}") for note in verdict.notes),
    ]
    tables = [_table(verdict.defects)] if verdict.defects else []
    tables += [_instances(verdict.instances)] if verdict.instances else []
    return Group(*lines, *tables)


def _figures(verdict: Verdict) -> str:
    parts = [f"{len(verdict.views)} views"]
    if verdict.score is not None:
        parts.append(f"score {verdict.score:.2f} (threshold 1.00)")
    if verdict.coverage is not None:
        parts.append(f"surface seen {verdict.coverage:.1%}")
    if verdict.alignment is not None:
        shift_mm, rotation_deg = verdict.alignment.shift_mm, verdict.alignment.rotation_deg
        parts.append(f"part off by {shift_mm:.2f} mm, {rotation_deg:.2f} deg")
    if verdict.drift is not None:
        parts.append(f"camera off by {verdict.drift.drift_mm:.2f} mm")
    return ", ".join(parts)


def _table(defects: tuple[Defect, ...]) -> Table:
    table = Table("defect", "centre (part) mm", "size mm", "volume mm3", "score", "views")
    for number, defect in enumerate(defects, start=1):
        table.add_row(
            str(number),
            _numbers(defect.centroid_part_mm),
            _numbers(defect.size_mm),
            f"{defect.volume_mm3:.0f}",
            f"{defect.peak_score:.2f}",
            str(defect.views),
        )
    return table


def _instances(instances: tuple[InstanceReport, ...]) -> Table:
    table = Table("instance", "centre (part) mm", "centre (base) mm", "score", "odd")
    for each in instances:
        score = "-" if each.score is None else f"{each.score:.2f}"
        odd = {None: "not compared", False: "no", True: "ODD"}[each.odd]
        table.add_row(
            str(each.number),
            _numbers(each.centre_part_mm),
            _numbers(each.centre_base_mm),
            score,
            odd,
        )
    return table


def _numbers(values: tuple[float, float, float]) -> str:
    return ", ".join(f"{value:.1f}" for value in values)
