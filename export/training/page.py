"""The log of a training as one HTML file: what was trained, curves, every epoch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import numpy as np

from voxgate.export.evaluation.report.charts import Line, line_chart
from voxgate.export.training.loop import History, Losses

STYLE = (
    "body{font:15px/1.5 sans-serif;max-width:860px;margin:2em auto;padding:0 1em;color:#222}"
    "table{border-collapse:collapse}"
    "td,th{padding:2px 10px;text-align:left;border-top:1px solid #ddd}"
)


def training_page(record: Mapping[str, Any], history: History) -> str:
    """record: name -> what it was. Losses are drawn as shares of each curve's largest value."""
    rows = "".join(_row((name, value), "td") for name, value in record.items())
    charts = "".join(_chart(names, history.epochs) for names in _kinds(history.epochs))
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>Training</title>'
        f"<style>{STYLE}</style><h1>Training</h1><table>{rows}</table>{charts}"
        f"<h2>Epochs</h2>{_epochs(history.epochs)}</html>\n"
    )


def _kinds(epochs: Sequence[Losses]) -> list[tuple[str, ...]]:
    """Names of losses that are measured together; a later phase has others."""
    return list(dict.fromkeys(tuple(losses) for losses in epochs))


def _chart(names: tuple[str, ...], epochs: Sequence[Losses]) -> str:
    numbered = [(n, losses) for n, losses in enumerate(epochs, start=1) if tuple(losses) == names]
    x = np.array([number for number, _ in numbered], float)
    lines = []
    for name in names:
        y = np.array([abs(losses[name]) for _, losses in numbered])
        lines.append(Line(name, x, y / max(float(y.max()), 1e-12), steps=False))
    return line_chart(lines, " and ".join(names), "epoch", "share of the largest")


def _epochs(epochs: Sequence[Losses]) -> str:
    tables = []
    for names in _kinds(epochs):
        numbered = [(n, e) for n, e in enumerate(epochs, start=1) if tuple(e) == names]
        body = "".join(
            _row((number, *(f"{losses[name]:.5g}" for name in names)), "td")
            for number, losses in numbered
        )
        tables.append(f"<table>{_row(('epoch', *names), 'th')}{body}</table>")
    return "".join(tables)


def _row(cells: Sequence[object], tag: str) -> str:
    return f"<tr>{''.join(f'<{tag}>{escape(str(cell))}</{tag}>' for cell in cells)}</tr>"
