"""One HTML file that stands alone: tables like the paper's, curves, histograms, cases, latency."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path

import numpy as np

from voxgate.export.evaluation.metrics.detection import roc_curve
from voxgate.export.evaluation.metrics.pixels import FPR_LIMIT as PIXEL_LIMIT
from voxgate.export.evaluation.metrics.pixels import pixel_pro_curve
from voxgate.export.evaluation.metrics.voxels import FPR_LIMIT, pro_curve
from voxgate.export.evaluation.records import CaseRecord, StoredPictures, StoredVolumes
from voxgate.export.evaluation.report.charts import histogram, line_chart, line_of
from voxgate.export.evaluation.report.published_figures import TABLES, TYPES
from voxgate.export.evaluation.report.render import png, rendered
from voxgate.export.evaluation.report.tables import mean_of, number
from voxgate.export.evaluation.run.evaluate import Evaluation
from voxgate.export.evaluation.run.figures import TypeFigures
from voxgate.runtime.errors import ScanError

CASES = 2  # best and worst of good and of bad parts each
STYLE = """
body{font:15px/1.45 system-ui,sans-serif;color:#1b1b1b;max-width:1100px;margin:2rem auto}
body{padding:0 1rem}
h1{font-size:1.5rem}h2{font-size:1.15rem;margin-top:2.2rem;border-bottom:1px solid #ddd}
table{border-collapse:collapse;margin:.7rem 0;font-variant-numeric:tabular-nums}
th,td{padding:.2rem .6rem;text-align:right;border-bottom:1px solid #e5e5e5}
th:first-child,td:first-child{text-align:left}tr.ours td{font-weight:600;background:#f2f6fb}
.row{display:flex;flex-wrap:wrap;gap:1rem}.row svg{width:340px;font:10px system-ui,sans-serif}
figure{margin:0;max-width:330px}figure img{max-width:100%;image-rendering:pixelated}
figcaption{font-size:.82rem;color:#444}.note{color:#555;font-size:.88rem}
"""


def write_report(path: Path, evaluations: Sequence[Evaluation], setup: str | None = None) -> None:
    """Write the page. The second evaluation, if any, is compared with the first.

    Raises ScanError when the file cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f".{path.name}.partial")
        partial.write_text(page(evaluations, setup), "utf-8")
        partial.replace(path)
    except OSError as error:
        raise ScanError(f"{path}: cannot be written: {error.strerror}") from error


def page(evaluations: Sequence[Evaluation], setup: str | None = None) -> str:
    """The whole page."""
    first = evaluations[0]
    parts = [part.part for part in first.types]
    body = [
        f"<h1>Evaluation of {escape(Path(first.source).name)}</h1>",
        f'<p class="note">{len(first.records)} cases, layout {first.dataset.layout}; the threshold '
        "is 1.0 everywhere. Figures are exact: every threshold that changes one is counted.</p>",
        *(f'<p class="note">{_methods(each)}</p>' for each in evaluations if each.methods),
        *(_figure_table(evaluations, name, setup) for name in first.types[0].figures),
        _rule_table(first.types),
        *(section for part in parts for section in _part(evaluations, part)),
        _latency(first.types),
        _remarks(evaluations),
    ]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f"<title>VoxGate evaluation</title><style>{STYLE}</style></head>"
        f"<body>{''.join(body)}</body></html>"
    )


# --- tables -------------------------------------------------------------------------------------


def _methods(evaluation: Evaluation) -> str:
    """Which models judged, all of them where a recipe has several."""
    named = ", ".join(f"{part} by {method}" for part, method in evaluation.methods.items())
    return escape(f"{Path(evaluation.source).name}: {named}")


def _figure_table(evaluations: Sequence[Evaluation], name: str, setup: str | None) -> str:
    types = evaluations[0].types
    head = ["method", *(each.part for each in types), "mean"]
    rows = []
    for evaluation in evaluations:
        by_part = {each.part: each.figures.get(name) for each in evaluation.types}
        values = [by_part.get(each.part) for each in types]
        mean = mean_of(evaluation.types, name)
        rows.append([Path(evaluation.source).name, *map(number, [*values, mean])])
    ours = _table(head, rows, ours=True)
    return f"<h2>{escape(name)}</h2>{ours}{_published(name, setup)}"


def _published(name: str, setup: str | None) -> str:
    """The paper's own rows, where it has this figure; its objects are others than ours."""
    if name not in TABLES:
        return ""
    where, rows = TABLES[name]
    chosen = setup if setup in ("real2real", "synth2real") else "real2real"
    body = [[row.method, row.modality, *map(number, row.of(chosen))] for row in rows]
    return (
        f'<p class="note">For orientation, SiM3D {where}, {chosen}: other objects than above.</p>'
        + _table(["published method", "modality", *TYPES], body)
    )


def _rule_table(types: Sequence[TypeFigures]) -> str:
    rows = [
        [each.part, rule, *map(number, figures.values())]
        for each in types
        for rule, figures in each.rules.items()
    ]
    if not rows:
        return ""
    head = ["part", "fusion of the views", "I-AUROC", "V-AUPRO@1%"]
    return "<h2>Fusion rules</h2>" + _table(head, rows)


def _latency(types: Sequence[TypeFigures]) -> str:
    rows = [
        [each.part, stage, *(f"{ms:.1f}" for ms in times)]
        for each in types
        for stage, times in each.stage_ms.items()
    ]
    if not rows:
        return ""
    return "<h2>Latency per stage, ms</h2>" + _table(["part", "stage", "p50", "p99", "worst"], rows)


def _remarks(evaluations: Sequence[Evaluation]) -> str:
    lines = [
        f"{word}: {line}"
        for each in evaluations
        for word, found in (("skipped", each.skipped), ("failed", each.failed))
        for line in found
    ]
    lines += [
        f"below the threshold: {line}"
        for each in evaluations[:1]
        for t in each.types
        for line in t.missed
    ]
    if not lines:
        return ""
    return "<h2>Remarks</h2><ul>" + "".join(f"<li>{escape(line)}</li>" for line in lines) + "</ul>"


def _table(head: Iterable[str], rows: Iterable[Sequence[str]], ours: bool = False) -> str:
    kind = ' class="ours"' if ours else ""
    header = "".join(f"<th>{escape(cell)}</th>" for cell in head)
    body = "".join(
        f"<tr{kind}>{''.join(f'<td>{escape(str(cell))}</td>' for cell in row)}</tr>" for row in rows
    )
    return f"<table><tr>{header}</tr>{body}</table>"


# --- one part type ------------------------------------------------------------------------------


def _part(evaluations: Sequence[Evaluation], part: str) -> list[str]:
    first = evaluations[0]
    figures = next(each for each in first.types if each.part == part)
    charts = [
        chart for chart in (_roc(evaluations, part), _pro(evaluations, part)) if chart is not None
    ]
    if figures.kind != "scene":
        charts.append(histogram(figures.good_scores, figures.bad_scores, "part scores"))
    section = [f"<h2>{escape(part)}</h2>", f'<div class="row">{"".join(charts)}</div>']
    if figures.over_limits:
        rows = [[f"{limit:g}", number(value)] for limit, value in figures.over_limits.items()]
        section.append(_table(["integration limit", "AU-PRO"], rows))
    if figures.kind == "volume":
        section.append(_cases(first, part))
    return section


def _records(evaluation: Evaluation, part: str) -> list[CaseRecord]:
    return [record for record in evaluation.records if record.part == part]


def _roc(evaluations: Sequence[Evaluation], part: str) -> str | None:
    lines = []
    for each in evaluations:
        records = _records(each, part)
        bad = np.array([record.anomalous for record in records])
        if bad.any() and not bad.all():
            curve = roc_curve(np.array([record.score for record in records]), bad)
            lines.append(line_of(Path(each.source).name, curve, 1.0))
    if not lines:
        return None
    return line_chart(lines, "ROC over parts", "good parts failed", "bad parts failed")


def _pro(evaluations: Sequence[Evaluation], part: str) -> str | None:
    lines = []
    for each in evaluations:
        records = _records(each, part)
        names = tuple(record.name for record in records)
        kind = records[0].kind if records else "scene"
        try:
            if kind == "volume":
                limit, name = FPR_LIMIT, "voxels"
                curve = pro_curve(StoredVolumes(each.store, names), limit)
            elif kind == "picture":
                limit, name = PIXEL_LIMIT, "pixels"
                curve = pixel_pro_curve(StoredPictures(each.store, names), limit)
            else:
                continue
        except ValueError:
            continue  # no defect among them: the curve is not defined
        lines.append(line_of(Path(each.source).name, curve, limit))
    if not lines:
        return None
    return line_chart(lines, f"PRO over {name}", "false positive rate", "mean overlap")


def _cases(evaluation: Evaluation, part: str) -> str:
    """Bad parts that were found best and worst, good parts that came nearest to a false reject."""
    records = _records(evaluation, part)
    bad = sorted((r for r in records if r.anomalous), key=lambda r: r.score)
    good = sorted((r for r in records if not r.anomalous), key=lambda r: -r.score)
    chosen = {
        **{r.name: ("worst bad part", r) for r in bad[:CASES]},
        **{r.name: ("best bad part", r) for r in bad[CASES:][-CASES:]},
        **{r.name: ("highest good part", r) for r in good[:CASES]},
    }
    return (
        '<div class="row">'
        + "".join(_case(evaluation, *each) for each in chosen.values())
        + "</div>"
    )


def _case(evaluation: Evaluation, word: str, record: CaseRecord) -> str:
    arrays = evaluation.store.arrays(record.name)
    image = png(rendered(arrays["ijk"], arrays["scores"], arrays["defect_ids"]))
    defects = ", ".join(f"{d.type or d.id} {d.peak:.2f}" for d in record.defects)
    caption = f"{word}: {record.name}, score {record.score:.2f} {record.outcome or ''} {defects}"
    return (
        f'<figure><img alt="{escape(caption)}" src="data:image/png;base64,'
        f'{base64.b64encode(image).decode()}"><figcaption>{escape(caption)}</figcaption></figure>'
    )
