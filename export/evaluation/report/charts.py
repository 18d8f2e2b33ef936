"""Curves and histograms as inline SVG: no script, no font, no file beside the page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
import numpy.typing as npt

from voxgate.export.evaluation.metrics.sweep import Curve

WIDTH, HEIGHT, MARGIN = 360, 240, 38
COLOURS = ("#1f5fa8", "#c2410c", "#3f7d20", "#7a3e9d")
MOST_POINTS = 400  # of a curve: more than a pixel each is drawn for nothing
BINS = 24


@dataclass(frozen=True, slots=True, eq=False)
class Line:
    """x and y (n,) of one curve, as steps or straight lines."""

    name: str
    x: npt.NDArray[np.float64]
    y: npt.NDArray[np.float64]
    steps: bool = True


def line_of(name: str, curve: Curve, limit: float) -> Line:
    """A curve from rate 0 to the limit, thinned to what a picture shows."""
    x, y = np.append(0.0, curve.rate), np.append(0.0, curve.value)
    last = int(np.searchsorted(x, limit, side="right"))
    keep = np.unique(np.linspace(0, last - 1, min(last, MOST_POINTS)).astype(int))
    return Line(name, np.append(x[keep], limit), np.append(y[keep], y[last - 1]))


def line_chart(lines: Sequence[Line], title: str, x_name: str, y_name: str) -> str:
    """Lines over [0, largest x] x [0, 1]."""
    span = max(float(line.x.max()) for line in lines)
    body = [
        f'<path d="{_path(line, span)}" fill="none" stroke="{colour}" stroke-width="1.6"/>'
        for line, colour in zip(lines, COLOURS, strict=False)
    ]
    names = [(line.name, colour) for line, colour in zip(lines, COLOURS, strict=False)]
    return _frame(body, title, x_name, y_name, span, names)


def histogram(good: Sequence[float], bad: Sequence[float], title: str) -> str:
    """Scores of good and bad parts with the threshold 1.0, on a logarithmic axis."""
    values = [np.log10(np.maximum(np.asarray(part, float), 0.05)) for part in (good, bad)]
    low = min([-1.0, *(float(v.min()) for v in values if v.size)])
    high = max([0.5, *(float(v.max()) for v in values if v.size)])
    edges = np.linspace(low, high, BINS + 1)
    counts = [np.histogram(v, edges)[0] for v in values]
    most = max(1, *(int(c.max()) for c in counts))
    step = (WIDTH - 2 * MARGIN) / BINS
    bars = []
    for series, (count, colour) in enumerate(zip(counts, ("#3f7d20", "#c2410c"), strict=True)):
        for place in np.flatnonzero(count):
            height = (HEIGHT - 2 * MARGIN) * count[place] / most
            bars.append(
                f'<rect x="{MARGIN + step * place + series * step / 2:.1f}" '
                f'y="{HEIGHT - MARGIN - height:.1f}" width="{step / 2:.1f}" '
                f'height="{height:.1f}" fill="{colour}"/>'
            )
    at = MARGIN + (WIDTH - 2 * MARGIN) * (0 - low) / (high - low)
    bars.append(
        f'<line x1="{at:.1f}" x2="{at:.1f}" y1="{MARGIN}" y2="{HEIGHT - MARGIN}" '
        f'stroke="#111" stroke-dasharray="4 3"/><text x="{at + 3:.1f}" y="{MARGIN + 10}">1.0</text>'
    )
    ticks = "".join(
        f'<text x="{MARGIN + (WIDTH - 2 * MARGIN) * (t - low) / (high - low):.0f}" '
        f'y="{HEIGHT - MARGIN + 14}" text-anchor="middle">{10**t:g}</text>'
        for t in (-1, 1)
        if low <= t <= high
    )
    names = [("good parts", "#3f7d20"), ("bad parts", "#c2410c")]
    return _frame([*bars, ticks], title, "part score, threshold = 1", "parts", None, names, most)


def _path(line: Line, span: float) -> str:
    u = MARGIN + (WIDTH - 2 * MARGIN) * line.x / span
    v = HEIGHT - MARGIN - (HEIGHT - 2 * MARGIN) * np.clip(line.y, 0, 1)
    parts = [f"M{u[0]:.1f} {v[0]:.1f}"]
    for x, y in zip(u[1:], v[1:], strict=True):
        parts.append(f"H{x:.1f}V{y:.1f}" if line.steps else f"L{x:.1f} {y:.1f}")
    return "".join(parts)


def _frame(
    body: Sequence[str],
    title: str,
    x_name: str,
    y_name: str,
    span: float | None,
    names: Sequence[tuple[str, str]],
    top: float = 1.0,
) -> str:
    key = "".join(
        f'<text x="{WIDTH - MARGIN}" y="{HEIGHT - MARGIN - 8 - 12 * n}" text-anchor="end" '
        f'fill="{colour}">{escape(name)}</text>'
        for n, (name, colour) in enumerate(reversed(names))
    )
    scale = (
        ""
        if span is None
        else (
            f'<text x="{WIDTH - MARGIN}" y="{HEIGHT - MARGIN + 14}" '
            f'text-anchor="end">{span:g}</text>'
        )
    )
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}">'
        f'<text x="{MARGIN}" y="16" font-weight="600">{escape(title)}</text>'
        f'<rect x="{MARGIN}" y="{MARGIN}" width="{WIDTH - 2 * MARGIN}" '
        f'height="{HEIGHT - 2 * MARGIN}" fill="none" stroke="#bbb"/>{"".join(body)}{key}{scale}'
        f'<text x="{MARGIN - 4}" y="{MARGIN + 8}" text-anchor="end">{top:g}</text>'
        f'<text x="{MARGIN - 4}" y="{HEIGHT - MARGIN}" text-anchor="end">0</text>'
        f'<text x="{WIDTH / 2:.0f}" y="{HEIGHT - 8}" text-anchor="middle">{escape(x_name)}</text>'
        f'<text transform="translate(12 {HEIGHT / 2:.0f}) rotate(-90)" text-anchor="middle">'
        f"{escape(y_name)}</text></svg>"
    )
