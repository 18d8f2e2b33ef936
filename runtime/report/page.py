"""The page: one file without scripts or anything outside it, which prints on a few sheets."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

from voxgate.runtime.nouns import Outcome, Reason
from voxgate.runtime.report.advice import meaning_of
from voxgate.runtime.report.view_picture import Picture, jpeg
from voxgate.runtime.wire.verdict import DefectMessage, InstanceMessage, VerdictMessage

SIGNS = {Outcome.PASS: "&#10003;", Outcome.FAIL: "&#10007;", Outcome.INDETERMINATE: "?"}
DEFECT_HEADINGS = (
    "no.",
    "x, y, z mm (part)",
    "x, y, z mm (base)",
    "size mm",
    "mm3",
    "score",
    "views",
)
INSTANCE_HEADINGS = (
    "id",
    "x, y, z mm (part)",
    "x, y, z mm (base)",
    "score",
    "what",
    "views",
)
STYLE = """
:root { color-scheme: light dark; --line: #8886; }
body { font: 15px/1.45 system-ui, sans-serif; max-width: 76em; margin: 1.5em auto;
padding: 0 1em; }
.outcome { font-size: 2.4em; font-weight: 700; padding: .2em .5em; border-radius: .2em;
color: #fff; }
.PASS { background: #1b7f3b; } .FAIL { background: #b3261e; }
.INDETERMINATE { background: #f2c94c; color: #222; }
table { border-collapse: collapse; margin: .6em 0; } .scroll { overflow-x: auto; }
td, th { padding: .2em .8em .2em 0; text-align: left; vertical-align: top;
border-bottom: 1px solid var(--line); }
.views { display: grid; gap: 1em;
grid-template-columns: repeat(auto-fill, minmax(min(22em, 100%), 1fr)); }
figure { margin: 0; break-inside: avoid; } img { width: 100%; }
@media print {
@page { size: A4; margin: 10mm; }
body { font-size: 9px; margin: 0; padding: 0; max-width: none; } h1, h2, p { margin: .3em 0; }
.views { grid-template-columns: repeat(auto-fill, minmax(44mm, 1fr)); gap: .4em; } }
.key b { padding: 0 .6em; margin-right: .3em; } .digest { overflow-wrap: anywhere; }
"""


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """One view's picture and what is said below it."""

    caption: str
    picture: Picture


def page(verdict: VerdictMessage, cell: str, seen: Sequence[Seen]) -> str:
    """HTML. Every word that came from outside is escaped."""
    return "\n".join(
        [
            *_head(verdict, cell),
            *_reasons(verdict),
            *_defects(verdict),
            *_instances(verdict),
            *_views(seen),
            *_origin(verdict),
            "</html>",
            "",
        ]
    )


def _head(verdict: VerdictMessage, cell: str) -> Iterator[str]:
    outcome, part = verdict.outcome, escape(verdict.part_id)
    yield f"<!doctype html><html lang=en><meta charset=utf-8><title>{part}: {outcome.value}</title>"
    yield '<meta name=viewport content="width=device-width">'
    yield f"<style>{STYLE}</style>"
    yield f'<p><span class="outcome {outcome.value}">{SIGNS[outcome]} {outcome.value}</span></p>'
    yield f"<h1>Part {part}</h1>"
    score = "nothing was scored" if verdict.score is None else f"{verdict.score:.2f} of 1.00"
    coverage = "-" if verdict.coverage is None else f"{verdict.coverage:.1%}"
    simulated = ", simulated: no line may act on it" if verdict.is_simulated else ""
    yield from _table(
        None,
        [
            ("job", f"{verdict.job_id} in {cell}{simulated}"),
            ("decided", f"{verdict.created_utc:%Y-%m-%d %H:%M:%S} UTC"),
            ("recipe", verdict.recipe),
            ("score", f"{score}; {verdict.defect_count} defects"),
            ("surface seen", f"{coverage} in {len(verdict.views)} views"),
        ],
    )


def _reasons(verdict: VerdictMessage) -> Iterator[str]:
    """Each once; those that are defects stand in their own table."""
    told = Counter((each.reason, each.detail) for each in verdict.reasons)
    rows = [
        (f"{reason.value}{f' ({times} times)' if times > 1 else ''}", detail, *meaning_of(reason))
        for (reason, detail), times in told.items()
        if reason is not Reason.DEFECT or not verdict.defects
    ]
    if rows:
        yield f"<h2>Why it is {verdict.outcome.value}, and what to do</h2>"
        yield from _table(("reason", "what was found", "what it means", "what to do"), rows)


def _defects(verdict: VerdictMessage) -> Iterator[str]:
    if verdict.defects:
        more = verdict.defect_count - len(verdict.defects)
        yield "<h2>Defects, the worst first</h2>"
        numbered = enumerate(verdict.defects, start=1)
        yield from _table(DEFECT_HEADINGS, [_defect(number, each) for number, each in numbered])
        yield f"<p>and {more} more</p>" if more > 0 else ""


def _defect(number: int, defect: DefectMessage) -> tuple[str, ...]:
    return (
        str(number),
        ", ".join(f"{value:.1f}" for value in defect.centroid_part_mm),
        ", ".join(f"{value:.1f}" for value in defect.centroid_base_mm),
        " x ".join(f"{side:.1f}" for side in defect.size_mm),
        f"{defect.volume_mm3:.0f}",
        f"{defect.peak_score:.2f}",
        str(defect.views),
    )


def _instances(verdict: VerdictMessage) -> Iterator[str]:
    if verdict.instances:
        yield "<h2>Parts on the tray</h2>"
        yield from _table(INSTANCE_HEADINGS, [_instance(each) for each in verdict.instances])


def _instance(instance: InstanceMessage) -> tuple[str, ...]:
    said = {None: "not compared", False: "as its neighbours", True: "ODD"}[instance.odd]
    places = "; ".join(
        ", ".join(f"{v:.0f}" for v in each.centre_part_mm) for each in instance.defects[:3]
    )
    return (
        str(instance.id),
        ", ".join(f"{value:.1f}" for value in instance.centre_part_mm),
        ", ".join(f"{value:.1f}" for value in instance.centre_base_mm),
        "-" if instance.score is None else f"{instance.score:.2f}",
        f"{said} at ({places})" if places else said,
        str(len(instance.seen_by)),
    )


def _views(seen: Sequence[Seen]) -> Iterator[str]:
    if not seen:
        yield "<p>The recording has no pictures.</p>"
        return
    yield "<h2>Views</h2><p class=key>Score over the picture: <b style='background:#ffd700'></b>"
    yield "half of the threshold and more <b style='background:#e60000'></b>over it. Numbers are"
    yield "those of the defects.</p>"
    yield "<div class=views>"
    for each in seen:
        yield f"<figure><img alt='{escape(each.caption)}' src='data:image/jpeg;base64,"
        yield f"{_jpeg(each.picture)}'><figcaption>{escape(each.caption)}</figcaption></figure>"
    yield "</div>"


def _origin(verdict: VerdictMessage) -> Iterator[str]:
    yield "<h2>By what it was inspected</h2><div class=digest>"
    rows = [("engine", verdict.backend), ("configuration", verdict.configuration_id)]
    if verdict.origin is not None:
        origin = verdict.origin
        rows += [
            ("recipe's digest", origin.recipe_digest),
            ("answered for by", origin.signer or "nobody: it is not signed"),
            ("calibration's digest", origin.calibration_digest),
            ("software", origin.software),
        ]
    latency = verdict.timing_ms.get("last_exposure_to_decision")
    if latency is not None:
        rows.append(("last exposure to decision", f"{latency:.0f} ms"))
    yield from _table(None, rows)
    yield "</div>"


def _table(head: tuple[str, ...] | None, rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    yield "<div class=scroll><table>"
    if head is not None:
        yield "<tr>" + "".join(f"<th>{escape(word)}</th>" for word in head) + "</tr>"
    for row in rows:
        yield "<tr>" + "".join(f"<td>{escape(word)}</td>" for word in row) + "</tr>"
    yield "</table></div>"


def _jpeg(picture: Picture) -> str:
    return base64.b64encode(jpeg(picture)).decode()
