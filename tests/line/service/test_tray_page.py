"""A person at the cell does not see which part of a tray is odd, or only on a wide screen."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kits.cell_kit import until
from tests.kits.needs import needs_chromium
from tests.kits.page_kit import page_process
from tests.kits.screenshots import screenshot
from tests.kits.tray_of_parts import Box as Block
from tests.kits.tray_of_parts import Tray, regular, with_box, write
from voxgate.benchmarks.line.browser import Page, browser
from voxgate.export.reference.neighbours import export_neighbours
from voxgate.runtime.records.evidence_folder import kept_in
from voxgate.runtime.report.job_report import report
from voxgate.runtime.scans.posed_scan import scene_as_scan
from voxgate.sim.box import Box
from voxgate.sim.cell_wires import wires_from_config
from voxgate.sim.demo.demo import play_in_time, wait_until_ready
from voxgate.sim.virtual_cell import VirtualCell

pytestmark = [pytest.mark.nightly, needs_chromium]

FOUR = regular(4)
ODD = [*FOUR[:3], with_box(FOUR[3], Block((5, -8, 12), (4, 4, 3)))]
TRIES = 20  # a machine that stalls costs a tray its clocks
SCREENS = [(320, "light"), (320, "dark"), (1280, "light"), (1280, "dark")]
WIDER = "document.documentElement.scrollWidth > innerWidth"


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Page, str, Path]]:
    """A tab, the address of the job of a tray with an odd part, and its report."""
    folder = tmp_path_factory.mktemp("trays")
    for name, parts in (("example", FOUR), ("odd", ODD)):
        scene_as_scan(write(Tray(parts), folder / f"{name}-scene"), folder / name)
    export_neighbours(folder / "example", folder / "recipes/tray/1")
    evidence = folder / "evidence"
    settings = {"evidence": {"folder": str(evidence), "min_free_gb": 0.0}}
    calibration = folder / "example/calibration.json"
    with Box.start(folder / "box", calibration, folder / "recipes", "tray/1", settings) as box:
        job_id = _odd_job(box, folder / "odd")
        until(lambda: job_id in {kept.job_id for kept in kept_in(evidence)}, "the recording")
        (kept,) = [each for each in kept_in(evidence) if each.job_id == job_id]
        (folder / "report.html").write_text(report(evidence / kept.name), "utf-8")
        with page_process(box.folder / "cell.yaml") as page, browser(folder / "profile") as tab:
            yield tab, f"{page.url}/jobs/{job_id}", folder / "report.html"


def _odd_job(box: Box, scan: Path) -> str:
    with VirtualCell(wires_from_config(box.config)) as cell:
        wait_until_ready(box, cell)
        for _ in range(TRIES):
            played = play_in_time(cell, scan, speed=2.0)
            if played.verdict is not None and played.outcome == "FAIL":
                return played.verdict.job_id
    raise AssertionError("the tray was never told")


@pytest.mark.parametrize(("width_px", "scheme"), SCREENS)
def test_the_odd_part_is_not_on_the_page_of_its_job(
    shown: tuple[Page, str, Path], width_px: int, scheme: str
) -> None:
    tab, address, _ = shown
    tab.likes(scheme)
    tab.open(address, width_px, 1400)
    tab.wait_for("document.body.dataset.ready")
    rows = "[...document.querySelectorAll('#parts tbody tr')].slice(1).map((row) => row.innerText)"
    said = tab.value(rows)
    assert len(said) == len(ODD)
    assert sum("odd" in row for row in said) == 1
    assert not tab.value(WIDER)
    screenshot(tab, f"tray-job-{width_px}-{scheme}.png")


@pytest.mark.parametrize(("width_px", "scheme"), SCREENS)
def test_the_odd_part_is_not_in_the_report(
    shown: tuple[Page, str, Path], width_px: int, scheme: str
) -> None:
    tab, _, file = shown
    tab.likes(scheme)
    tab.open(file.as_uri(), width_px, 1400)
    tab.wait_for("document.readyState === 'complete' && document.querySelector('figure')")
    assert "ODD at" in tab.value("document.body.innerText")
    assert not tab.value(WIDER)
    screenshot(tab, f"tray-report-{width_px}-{scheme}.png")
