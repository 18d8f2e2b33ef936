"""Small charts as SVG text: scatter, bars, arrows, cells. They stand inside the HTML report."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np
import numpy.typing as npt

from voxgate.calib.numerics.least_squares import Array

INK, LIGHT, BAD, GOOD = "#223", "#dde", "#c0392b", "#2e6da4"
PALETTE = ("#2e6da4", "#c0392b", "#2c8a4b", "#8e44ad", "#b9770e", "#117a8b", "#7f8c8d", "#34495e")
WIDTH, HEIGHT, PAD = 420.0, 320.0, 34.0


def scatter(
    points: Array, groups: npt.NDArray[np.intp], limit: float, unit: str, title: str
) -> str:
    """Points (n, 2) about zero, coloured by group (n,); circles at half of `limit` and at it."""
    side, middle = HEIGHT, HEIGHT / 2
    scale = (middle - PAD) / limit
    marks = [
        f'<circle cx="{middle:.1f}" cy="{middle:.1f}" r="{limit * part * scale:.1f}" fill="none" '
        f'stroke="{LIGHT}"/>'
        + _text(middle + 3, middle - limit * part * scale - 3, f"{limit * part:.2g} {unit}")
        for part in (0.5, 1.0)
    ]
    shown = np.clip(points, -limit, limit) * scale + middle
    dots = [
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="1.6" fill="{PALETTE[int(group) % len(PALETTE)]}" '
        'fill-opacity="0.6"/>'
        for (x, y), group in zip(shown.tolist(), groups.tolist(), strict=True)
    ]
    return _figure(side, side, "".join([*_cross(side), *marks, *dots]), title)


def bars(
    values: Sequence[float], names: Sequence[str], limit: float | None, unit: str, title: str
) -> str:
    """One bar per name, red above `limit`, and a line at it."""
    finite = [value for value in values if np.isfinite(value)]
    top = max([*finite, limit or 0.0, 1e-12]) * 1.1
    step = (WIDTH * 1.6 - 2 * PAD) / max(1, len(values))
    base = HEIGHT * 0.7
    scale = (base - PAD) / top
    parts = []
    for index, (value, name) in enumerate(zip(values, names, strict=True)):
        height = (value if np.isfinite(value) else 0.0) * scale
        colour = BAD if limit is not None and value > limit else GOOD
        x = PAD + index * step
        parts.append(
            f'<rect x="{x:.1f}" y="{base - height:.1f}" width="{max(1.0, step * 0.8):.1f}" '
            f'height="{height:.1f}" fill="{colour}"><title>{escape(name)}: {value:.3g} {unit}'
            "</title></rect>"
            f'<text transform="translate({x + step * 0.6:.1f},{base + 6:.1f}) rotate(60)" '
            f'font-size="{min(10.0, max(5.0, step * 0.7)):.1f}">{escape(name)}</text>'
        )
    for level in (limit, max(finite, default=0.0)):
        if level:
            y = base - level * scale
            colour = BAD if level == limit else INK
            parts.append(
                f'<line x1="{PAD}" x2="{WIDTH * 1.6 - PAD}" y1="{y:.1f}" y2="{y:.1f}" '
                f'stroke="{colour}" stroke-dasharray="4 3"/>'
                + _text(2, y - 3, f"{level:.2g} {unit}")
            )
    return _figure(WIDTH * 1.6, HEIGHT, "".join(parts), title)


def arrows(starts: Array, shifts: Array, size_px: tuple[int, int], title: str) -> str:
    """Arrows (n, 2) from places (n, 2) of a picture, drawn so long that the longest is seen."""
    scale = WIDTH / size_px[0]
    longest = float(np.linalg.norm(shifts, axis=1).max(initial=1e-9))
    stretch = 0.06 * size_px[0] / longest
    ends = (starts + shifts * stretch) * scale
    lines = [
        f'<line x1="{a[0]:.1f}" y1="{a[1]:.1f}" x2="{b[0]:.1f}" y2="{b[1]:.1f}" '
        f'stroke="{GOOD}" stroke-width="1.2"/><circle cx="{b[0]:.1f}" cy="{b[1]:.1f}" r="1.6" '
        f'fill="{GOOD}"/>'
        for a, b in zip((starts * scale).tolist(), ends.tolist(), strict=True)
    ]
    height = size_px[1] * scale
    frame = f'<rect width="{WIDTH}" height="{height:.1f}" fill="none" stroke="{INK}"/>'
    return _figure(WIDTH, height, frame + "".join(lines), f"{title} (longest {longest:.2f} px)")


def cells(counts: Array, points: Array, size_px: tuple[int, int], title: str) -> str:
    """Counts (rows, columns) as shades over a picture, empty cells red, and the points (n, 2)."""
    scale = WIDTH / size_px[0]
    height = size_px[1] * scale
    rows, columns = counts.shape
    across, down = WIDTH / columns, height / rows
    most = max(1.0, float(counts.max()))
    parts = []
    for row in range(rows):
        for column in range(columns):
            count = float(counts[row, column])
            colour = GOOD if count else BAD
            opacity = 0.12 + 0.5 * count / most if count else 0.35
            parts.append(
                f'<rect x="{column * across:.1f}" y="{row * down:.1f}" width="{across:.1f}" '
                f'height="{down:.1f}" fill="{colour}" fill-opacity="{opacity:.2f}" stroke="#fff">'
                f"<title>{count:.0f} points</title></rect>"
            )
    parts += [
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="0.9" fill="{INK}" fill-opacity="0.5"/>'
        for x, y in (points * scale).tolist()
    ]
    return _figure(WIDTH, height, "".join(parts), title)


def _figure(width: float, height: float, content: str, title: str) -> str:
    return (
        f'<figure><svg viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" '
        f'height="{height:.0f}" font-family="sans-serif" font-size="10" fill="{INK}">'
        f"{content}</svg>"
        f"<figcaption>{escape(title)}</figcaption></figure>"
    )


def _cross(side: float) -> list[str]:
    middle = side / 2
    return [
        f'<line x1="{PAD}" x2="{side - PAD}" y1="{middle}" y2="{middle}" stroke="{LIGHT}"/>',
        f'<line y1="{PAD}" y2="{side - PAD}" x1="{middle}" x2="{middle}" stroke="{LIGHT}"/>',
    ]


def _text(x: float, y: float, words: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}">{escape(words)}</text>'
