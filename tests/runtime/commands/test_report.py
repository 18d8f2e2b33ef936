"""The report stands alone, says what the evaluation says, and shows the paper's rows beside it."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import cv2
import numpy as np
import pytest

from voxgate.export.evaluation.cases import Dataset
from voxgate.export.evaluation.metrics.detection import roc_curve
from voxgate.export.evaluation.records import CaseRecord, Store
from voxgate.export.evaluation.report.case_pictures import write_pictures
from voxgate.export.evaluation.report.charts import histogram, line_chart, line_of
from voxgate.export.evaluation.report.published_figures import I_AUROC, TYPES, V_AUPRO
from voxgate.export.evaluation.report.render import TRUTH_COLOUR, rendered
from voxgate.export.evaluation.report.report import page, write_report
from voxgate.export.evaluation.run.evaluate import Evaluation
from voxgate.export.evaluation.run.figures import figures_of
from voxgate.runtime.errors import ScanError


def _evaluation(folder: Path, name: str = "recipe", gain: float = 4.0) -> Evaluation:
    store = Store(folder / name)
    rng = np.random.default_rng(0)
    records = []
    for number in range(6):
        bad = number % 2 == 1
        ijk = np.argwhere(np.ones((8, 6, 4))).astype(np.int16)
        ids = np.where((ijk < 3).all(axis=1) & bad, 1, 0).astype(np.int16)
        scores = (rng.random(len(ijk)) + gain * (ids > 0) * rng.random(len(ijk))).astype(np.float32)
        record = CaseRecord(
            key="k",
            name=f"crate/t{number}",
            part="crate",
            kind="volume",
            anomalous=bad,
            score=float(scores.max()),
            outcome="FAIL" if bad else "PASS",
            stage_ms={"engine": [1.0, 2.0]},
            seconds=0.1,
        )
        store.put(record, {"scores": scores, "defect_ids": ids, "ijk": ijk})
        records.append(record)
    return Evaluation(
        dataset=Dataset(folder, "scans", "volume", ()),
        source=str(folder / name),
        store=store,
        records=tuple(records),
        types=(figures_of(records, store),),
        failed=("crate/t9: <no such file>",),
        skipped=(),
        reused=0,
    )


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value for name, value in attrs if name in ("src", "href") and value]


def test_the_page_names_every_model_that_judged(tmp_path: Path) -> None:
    found = replace(_evaluation(tmp_path), methods={"crate": "reference + patchcore"})
    assert "crate by reference + patchcore" in page([found])


def test_the_page_needs_nothing_but_itself(tmp_path: Path) -> None:
    links = _Links()
    links.feed(page([_evaluation(tmp_path)]))
    assert links.found
    assert all(link.startswith("data:image/png;base64,") for link in links.found)


def test_figures_and_published_rows_stand_beside_each_other(tmp_path: Path) -> None:
    evaluation = _evaluation(tmp_path)
    text = page([evaluation], "synth2real")
    figures = evaluation.types[0].figures
    assert all(f"{value:.3f}" in text for value in figures.values() if value is not None)
    assert "PatchCore, WRN-101" in text
    assert f"{I_AUROC[0].synth2real[0]:.3f}" in text


def test_two_recipes_are_compared_row_by_row(tmp_path: Path) -> None:
    both = [_evaluation(tmp_path, "old", gain=0.5), _evaluation(tmp_path, "new")]
    text = page(both)
    assert re.search(r"<td>old</td>.*<td>new</td>", text)
    assert text.count("ROC over parts") == 2  # title and label of one chart with two curves


def test_what_failed_is_in_the_report_and_harmless(tmp_path: Path) -> None:
    assert "&lt;no such file&gt;" in page([_evaluation(tmp_path)])


def test_a_report_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ScanError, match="cannot be written"):
        write_report(tmp_path / "file" / "r.html", [_evaluation(tmp_path)])


def test_published_means_are_the_means_of_their_rows() -> None:
    for row in (*I_AUROC, *V_AUPRO):
        for values in (row.real2real, row.synth2real):
            assert len(values) == len(TYPES)
            assert np.mean(values[:-1]) == pytest.approx(values[-1], abs=2e-3)


def test_defects_are_outlined_and_heat_is_where_the_scores_are() -> None:
    ijk = np.argwhere(np.ones((12, 12, 3))).astype(np.int16)
    ids = ((ijk[:, 0] < 4) & (ijk[:, 1] < 4)).astype(np.int16)
    cold = rendered(ijk, np.zeros(len(ijk), np.float32), np.zeros(len(ijk), np.int16))
    hot = rendered(ijk, 2.0 * ids.astype(np.float32), ids)
    assert np.ptp(cold.astype(int), axis=2).max() == 0  # grey without scores
    assert (hot == np.array(TRUTH_COLOUR)).all(axis=2).any()
    assert 0 < (np.ptp(hot.astype(int), axis=2) > 20).mean() < 0.5


def test_pictures_are_readable_files(tmp_path: Path) -> None:
    written = write_pictures(tmp_path / "png", [_evaluation(tmp_path)])
    assert len(written) == 4
    assert all(cv2.imread(str(path)) is not None for path in written)


def test_charts_hold_the_curve_and_the_threshold() -> None:
    curve = roc_curve(np.array([1.0, 2, 3, 4]), np.array([False, True, False, True]))
    chart = line_chart([line_of("a<b", curve, 1.0)], "ROC", "x", "y")
    assert "a&lt;b" in chart
    assert "<path" in chart
    bars = histogram([0.2, 0.4], [2.0, 30.0], "scores")
    assert bars.count("<rect") == 1 + 4
    assert "stroke-dasharray" in bars
