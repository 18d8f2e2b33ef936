"""An evaluation as a person at a terminal reads it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.table import Table

from voxgate.export.evaluation.run.figures import TypeFigures

if TYPE_CHECKING:
    from voxgate.export.evaluation.run.evaluate import Evaluation

MOST_LINES = 8


def figure_table(types: Sequence[TypeFigures], title: str) -> Table:
    """One row per part type, and the mean of several."""
    names = list(types[0].figures)
    table = Table("part", "good / bad", *names, "good parts", "bad parts", title=title)
    for each in types:
        table.add_row(
            each.part,
            f"{each.good} / {each.bad}",
            *(number(each.figures[name]) for name in names),
            _scores(each.good_scores, highest=True, outcomes=each.outcomes.get("good", {})),
            _scores(each.bad_scores, highest=False, outcomes=each.outcomes.get("bad", {})),
        )
    if len(types) > 1:
        means = [mean_of(types, name) for name in names]
        table.add_row("mean", "", *map(number, means), "", "")
    return table


def rule_table(types: Sequence[TypeFigures]) -> Table:
    """Fusion rules side by side."""
    table = Table("part", "fusion of the views", "I-AUROC", "V-AUPRO@1%")
    for each in types:
        for rule, figures in each.rules.items():
            table.add_row(each.part, rule, *(number(value) for value in figures.values()))
    return table


def stage_table(types: Sequence[TypeFigures]) -> Table:
    """Where the time goes."""
    table = Table("part", "stage", "p50 ms", "p99 ms", "worst ms")
    for each in types:
        for stage, times in each.stage_ms.items():
            table.add_row(each.part, stage, *(f"{ms:.1f}" for ms in times))
    return table


def notes(evaluation: Evaluation) -> list[str]:
    """What was missed, skipped, failed or found done."""
    missed = [line for each in evaluation.types for line in each.missed]
    lines = [f"defects below the threshold: {', '.join(missed)}"] if missed else []
    lines += [line for each in evaluation.types for line in _undefined(each)]
    for word, found in (("skipped", evaluation.skipped), ("failed", evaluation.failed)):
        lines += [f"{word}: {line}" for line in found[:MOST_LINES]]
        if len(found) > MOST_LINES:
            lines.append(f"{word}: {len(found) - MOST_LINES} more")
    if evaluation.reused:
        lines.append(f"{evaluation.reused} of {len(evaluation.records)} cases were known already")
    return lines


def _undefined(each: TypeFigures) -> list[str]:
    """Why there is a dash."""
    names = [name for name, value in each.figures.items() if value is None]
    if not names:
        return []
    return [
        f"{each.part}: no {', '.join(names)}: of {each.good} good and {each.bad} bad, and what is "
        "marked on these, it is not defined"
    ]


def mean_of(types: Sequence[TypeFigures], name: str) -> float | None:
    """Mean over the types that define the figure."""
    known = [value for each in types if (value := each.figures.get(name)) is not None]
    return sum(known) / len(known) if known else None


def number(value: float | None) -> str:
    """Three digits, as the papers print."""
    return "-" if value is None else f"{value:.3f}"


def _scores(scores: tuple[float, ...], highest: bool, outcomes: dict[str, int]) -> str:
    if not scores:
        return "-"
    edge = f"highest {scores[-1]:.2f}" if highest else f"lowest {scores[0]:.2f}"
    said = ", ".join(f"{count} {outcome}" for outcome, count in sorted(outcomes.items()))
    return f"{edge}; {said}" if said else edge
