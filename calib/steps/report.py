"""The calibration's report: one HTML file with its pictures inside, for a person and an auditor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

import numpy as np
import numpy.typing as npt

from voxgate.calib.calibration_file import Step
from voxgate.calib.handeye.handeye import HandEye
from voxgate.calib.lens.coverage import coverage
from voxgate.calib.lens.intrinsics import Intrinsics
from voxgate.calib.lens.lens import Lens
from voxgate.calib.numerics.least_squares import Array
from voxgate.calib.steps import charts as svg
from voxgate.runtime.common.wall_clock import utc_now
from voxgate.runtime.errors import CalibrationError

STYLE = """
body { font: 14px/1.45 sans-serif; max-width: 62em; margin: 2em auto; color: #223; }
h1 { font-size: 1.4em; } h2 { font-size: 1.1em; margin-top: 1.8em; }
table { border-collapse: collapse; } td, th { padding: .15em .8em; text-align: left;
border-bottom: 1px solid #dde; } td.n { text-align: right; font-variant-numeric: tabular-nums; }
.ok { color: #2c8a4b; } .bad { color: #c0392b; font-weight: bold; }
figure { display: inline-block; margin: .5em 1em .5em 0; } figcaption { color: #667; }
"""
GRID = 15  # arrows across a picture


@dataclass(frozen=True, slots=True)
class Section:
    """A heading and ready HTML."""

    title: str
    html: str


def write_report(
    path: Path, title: str, step: Step, sections: Sequence[Section], forced: bool
) -> None:
    """Write the page. Raises CalibrationError when it cannot be written."""
    verdict = "ACCEPTED"
    if step.missed:
        verdict = "REJECTED, but written by --force" if forced else "REJECTED"
    body = [
        f"<h1>{escape(title)}</h1>",
        f'<p class="{"bad" if step.missed else "ok"}">{verdict}</p>',
        f"<p>{escape(utc_now().isoformat(timespec='seconds'))}</p>",
        _gates(step),
        *(f"<h2>{escape(section.title)}</h2>{section.html}" for section in sections),
        "<h2>Where it comes from</h2>",
        table(
            ["", ""], [[key, str(value)] for key, value in {**step.inputs, **step.options}.items()]
        ),
    ]
    page = (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f"<style>{STYLE}</style></head><body>{''.join(body)}</body></html>\n"
    )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(page, encoding="utf-8")
    except OSError as error:
        raise CalibrationError(f"{path}: cannot be written ({error.strerror})") from error


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """An HTML table of plain words; cells that begin with a digit or a sign stand right."""
    lines = "".join(
        "<tr>" + "".join(f"<td{_side(cell)}>{escape(cell)}</td>" for cell in row) + "</tr>"
        for row in rows
    )
    titles = "".join(f"<th>{escape(word)}</th>" for word in head)
    return f"<table><tr>{titles}</tr>{lines}</table>"


def bullets(lines: Sequence[str]) -> str:
    """A list; a dash when there is nothing in it."""
    return "<ul>" + "".join(f"<li>{escape(line)}</li>" for line in lines or ["none"]) + "</ul>"


def lens_sections(found: Intrinsics, held_px: Array, limit_px: float) -> list[Section]:
    """What a lens calibration shows."""
    seen = found.sightings
    size_px = (found.lens.width_px, found.lens.height_px)
    covered = coverage(seen, found.poses, size_px)
    return [
        Section("The lens", lens_table(found.lens, found.sigma)),
        Section(
            "Coverage",
            svg.cells(
                covered.counts.astype(np.float64),
                seen.pixels,
                size_px,
                f"where the board was seen: {covered.fraction:.0%} of the cells; red: never",
            )
            + "<p>Next:</p>"
            + bullets(covered.advice()),
        ),
        Section(
            "Residuals",
            _residuals(found.residuals, seen.view)
            + svg.bars(
                found.view_rms_px.tolist(), seen.names, limit_px, "px", "error per view, rms"
            )
            + svg.bars(
                held_px.tolist(), seen.names, limit_px, "px", "error of views left out, rms"
            ),
        ),
        Section("Distortion", distortion_field(found.lens)),
        Section("Views left out", bullets([f"{bad.name}: {bad.why}" for bad in found.bad])),
    ]


def handeye_sections(found: HandEye, held_mm: Array, step: Step) -> list[Section]:
    """What a hand-eye calibration shows."""
    seen = found.shot.sightings
    limits = {gate.name: gate.limit.value for gate in step.gates}
    where = "flange_from_camera" if found.eye_in_hand else "base_from_camera"
    errors = table(
        ["error of the board's place", "rms", "largest"],
        [
            ["position, mm", f"{_rms(found.off_mm):.3f}", f"{found.off_mm.max():.3f}"],
            ["rotation, deg", f"{_rms(found.off_deg):.4f}", f"{found.off_deg.max():.4f}"],
        ],
    )
    charts = (
        svg.bars(
            found.off_mm.tolist(),
            seen.names,
            limits["position_largest_max_mm"],
            "mm",
            "position of the board by each pose",
        )
        + svg.bars(
            found.off_deg.tolist(),
            seen.names,
            None,
            "deg",
            "rotation of the board by each pose",
        )
        + svg.bars(held_mm.tolist(), seen.names, None, "mm", "the same, pose left out of the fit")
    )
    robot = (
        f"The robot's own error, as the pictures show it: {found.robot_mm:.3f} mm and "
        f"{found.robot_deg:.4f} deg on each axis (one standard deviation)."
    )
    return [
        Section(where, matrix_table(found.x) + sigma_table(found.sigma_mm, found.sigma_deg)),
        Section("Residuals", errors + f"<p>{escape(robot)}</p>" + charts),
        Section("In the picture", _residuals(found.residuals, seen.view)),
        Section("Poses left out", bullets([str(each) for each in found.outliers])),
    ]


def lens_table(lens: Lens, sigma: Array) -> str:
    """Values with their standard deviations."""
    rows = [
        [name, f"{value:.6g}", f"{spread:.2g}"]
        for name, value, spread in zip(lens.names, lens.values, sigma, strict=True)
    ]
    return table(["", "value", "standard deviation"], rows)


def matrix_table(matrix: Array) -> str:
    """A transform, mm."""
    return table(["", "", "", ""], [[f"{value:.6f}" for value in row] for row in matrix])


def sigma_table(sigma_mm: Array, sigma_deg: Array) -> str:
    """Standard deviations along and about the second frame's axes."""
    return table(
        ["standard deviation", "x", "y", "z"],
        [
            ["position, mm", *(f"{value:.4f}" for value in sigma_mm)],
            ["rotation, deg", *(f"{value:.5f}" for value in sigma_deg)],
        ],
    )


def distortion_field(lens: Lens) -> str:
    """Where the lens puts a regular grid of rays, against a lens without distortion."""
    width, height = lens.width_px, lens.height_px
    down = max(2, round(GRID * height / width))
    u, v = np.meshgrid(np.linspace(0, width - 1, GRID), np.linspace(0, height - 1, down))
    pixels = np.stack([u.ravel(), v.ravel()], axis=1)
    rays = lens.normalised(pixels)
    plain = rays * lens.values[:2] + lens.values[2:4]
    usable = np.isfinite(plain).all(axis=1)
    return svg.arrows(
        plain[usable],
        (pixels - plain)[usable],
        (width, height),
        "from the undistorted to the seen place",
    )


def _residuals(residuals: Array, view: npt.NDArray[np.intp]) -> str:
    limit = float(np.quantile(np.linalg.norm(residuals, axis=1), 0.995)) or 1e-3
    return svg.scatter(residuals, view, limit, "px", "residual of every point, a colour per view")


def _gates(step: Step) -> str:
    rows = "".join(
        f"<tr><td>{escape(gate.limit.what)}</td><td class=n>{gate.figure:.4g} {gate.limit.unit}"
        f"</td><td>{'at least' if gate.limit.at_least else 'at most'} {gate.limit.value:g} "
        f'{gate.limit.unit}</td><td class="{"ok" if gate.ok else "bad"}">'
        f"{'kept' if gate.ok else 'missed'}</td><td>{gate.name}</td></tr>"
        for gate in step.gates
    )
    head = "".join(f"<th>{word}</th>" for word in ("figure", "", "limit", "", "name"))
    return f"<table><tr>{head}</tr>{rows}</table>"


def _side(cell: str) -> str:
    return " class=n" if cell[:1].isdigit() or cell[:1] in "+-" else ""


def _rms(values: Array) -> float:
    return float(np.sqrt((values**2).mean()))
