"""The quality page of a real service that has decided a good and a bad part, in a real browser."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.kits.cell_kit import until
from tests.kits.needs import needs_chromium
from tests.kits.page_kit import PageProcess, page_process
from tests.kits.repository import ROOT
from tests.kits.screenshots import screenshot
from tests.kits.small_scan import small_bracket
from voxgate.benchmarks.line.browser import Page, browser
from voxgate.runtime.cli import app
from voxgate.runtime.errors import ScanError
from voxgate.runtime.nouns import Outcome
from voxgate.runtime.page.words import WORDS
from voxgate.runtime.records.evidence_folder import kept_in
from voxgate.runtime.report.pdf import pdf_of
from voxgate.sim.box import Box
from voxgate.sim.cell_wires import wires_from_config
from voxgate.sim.demo.demo import play_in_time, wait_until_ready
from voxgate.sim.recipes import copy_as, export_once
from voxgate.sim.virtual_cell import VirtualCell

pytestmark = pytest.mark.nightly  # by day: test_page_beyond.py, tests/runtime/page

SPEED = 2.0  # clocks that have just met know 25 ms: the arm has to stand so long
TRIES = 6
RECIPE = "bracket/1"
PARTS = {"good": Outcome.PASS, "bad": Outcome.FAIL}
READY = "document.body.dataset.ready"
SCREENS = {320: 640, 1280: 720, 3840: 2160}  # pixels: a phone, a desk, a wall
LOOKED_AT = "document.querySelector('canvas').dataset"


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    """Serves by one recipe."""
    folder = tmp_path_factory.mktemp("box")
    exported = export_once(small_bracket() / "golden", ROOT / "out" / "recipes")
    copy_as(exported, folder / "recipes", RECIPE)
    calibration = small_bracket() / "calibration.json"
    settings = {"evidence": {"folder": str(folder / "evidence"), "min_free_gb": 0.0}}
    with Box.start(folder, calibration, folder / "recipes", RECIPE, settings) as running:
        yield running


@pytest.fixture(scope="module")
def jobs(box: Box) -> dict[str, str]:
    """The job of each part, decided and recorded."""
    with VirtualCell(wires_from_config(box.config)) as cell:
        wait_until_ready(box, cell)
        done = {part: _decided(cell, part, outcome) for part, outcome in PARTS.items()}
    assert box.config.evidence is not None
    folder = box.config.evidence.folder
    until(lambda: {k.job_id for k in kept_in(folder)} >= set(done.values()), "the recordings")
    return done


def _decided(cell: VirtualCell, part: str, outcome: Outcome) -> str:
    """Its job; on a machine that stalls the clocks a part is played again."""
    for _ in range(TRIES):
        verdict = play_in_time(cell, small_bracket() / part, (), SPEED).verdict
        assert verdict is not None
        if verdict.outcome is outcome:
            return verdict.job_id
        assert verdict.outcome is Outcome.INDETERMINATE
    raise AssertionError(f"{part} was never {outcome.value}")


@pytest.fixture(scope="module")
def page(box: Box, jobs: dict[str, str]) -> Iterator[PageProcess]:
    with page_process(box.folder / "cell.yaml") as page:
        yield page


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with browser(tmp_path_factory.mktemp("profile")) as tab:
        yield tab


def _open(tab: Page, page: PageProcess, path: str, width_px: int = 1280) -> None:
    tab.open(page.url + path, width_px, SCREENS[width_px])
    tab.wait_for(f"location.href.endsWith({path!r}) && {READY}")


@needs_chromium
def test_a_part_is_not_found_by_what_is_known_of_it(
    page: PageProcess, tab: Page, jobs: dict[str, str]
) -> None:
    _open(tab, page, "/quality?outcome=FAIL&part=bad")
    links = "[...document.querySelectorAll('#jobs tbody a')].map((link) => link.pathname)"
    assert tab.value(links)[0] == f"/jobs/{jobs['bad']}"
    assert tab.value("document.querySelectorAll('#jobs .PASS').length") == 0
    assert tab.value("document.querySelectorAll('#chart a').length") >= len(PARTS)
    assert tab.value("document.querySelectorAll('#chart .drift').length") == 1
    _open(tab, page, "/quality")
    screenshot(tab, "page-quality.png")
    _open(tab, page, "/quality?part=nobody")
    assert tab.value("document.querySelector('#said').textContent") == WORDS["en"]["nothing_found"]


@needs_chromium
def test_a_defect_is_nowhere_on_the_part(
    page: PageProcess, tab: Page, jobs: dict[str, str]
) -> None:
    _open(tab, page, f"/jobs/{jobs['bad']}")
    places = tab.value("document.querySelectorAll('#defects button').length")
    defects = page.ask(f"/api/jobs/{jobs['bad']}").json["verdict"]["defects"]
    assert places == len(defects) > 0
    x_mm = defects[0]["centroid_part_mm"][0]
    assert f"{x_mm:.1f}" in tab.value("document.querySelector('#defects').textContent")
    assert tab.value(_red_pixels()) > 0
    tab.value("document.querySelector('#volume').scrollIntoView()")
    screenshot(tab, "page-job.png")
    over = "document.querySelector('#over').textContent"
    before = tab.value(over)
    tab.value(_moved("threshold", "0.1"))
    tab.wait_for(f"parseInt({over}) > parseInt({before!r})")


def _red_pixels() -> str:
    """How many the canvas has: more red than anything else."""
    return (
        "(() => { const c = document.querySelector('canvas'); const d = c.getContext('2d')"
        ".getImageData(0, 0, c.width, c.height).data; let n = 0; for (let i = 0; i < d.length;"
        " i += 4) if (d[i] > 90 && d[i] > 3 * d[i + 1]) n += 1; return n; })()"
    )


def _moved(slider: str, value: str) -> str:
    return (
        f"document.getElementById('{slider}').value = '{value}',"
        f"document.getElementById('{slider}').dispatchEvent(new Event('input'))"
    )


@needs_chromium
def test_without_a_mouse_the_volume_stands_still(
    page: PageProcess, tab: Page, jobs: dict[str, str]
) -> None:
    _open(tab, page, f"/jobs/{jobs['bad']}")
    tab.value("document.querySelector('canvas').focus()")
    yaw, zoom = tab.value(f"{LOOKED_AT}.yaw"), tab.value(f"{LOOKED_AT}.zoom")
    tab.press("ArrowRight")
    tab.wait_for(f"{LOOKED_AT}.yaw != {yaw!r}")
    tab.press("+")
    tab.wait_for(f"{LOOKED_AT}.zoom != {zoom!r}")
    tab.press("Home")
    tab.wait_for(f"{LOOKED_AT}.yaw == {yaw!r} && {LOOKED_AT}.zoom == {zoom!r}")
    for key in ("Tab", "Tab", "Tab"):  # threshold, axis, surface: the cut is off
        tab.press(key)
    assert tab.value("document.activeElement.id") == "surface"


@needs_chromium
def test_a_view_stands_without_the_golden_one(
    page: PageProcess, tab: Page, jobs: dict[str, str]
) -> None:
    _open(tab, page, f"/jobs/{jobs['bad']}")
    pictures = "[...document.querySelectorAll('figure img')]"
    tab.value(f"{pictures}.forEach((picture) => {{ picture.loading = 'eager'; }})")
    tab.wait_for(f"{pictures}.every((picture) => picture.naturalWidth > 0)")
    assert tab.value("document.querySelectorAll('figure').length") == tab.value(
        f"{pictures}.length / 2"
    )


@needs_chromium
@pytest.mark.parametrize(
    ("width_px", "scheme", "language"),
    [(width_px, *liked) for width_px in SCREENS for liked in (("light", "en"), ("dark", "de"))],
)
def test_a_screen_is_too_small_or_too_dark_to_read(
    page: PageProcess, tab: Page, jobs: dict[str, str], width_px: int, scheme: str, language: str
) -> None:
    tab.likes(scheme)
    for path in ("/quality", "/maintenance", f"/jobs/{jobs['bad']}"):
        _open(tab, page, f"{path}?lang={language}", width_px)
        screenshot(tab, f"page-{path.split('/')[1]}-{width_px}-{scheme}-{language}.png")
        assert tab.value("document.documentElement.scrollWidth") <= width_px
        text, back = (_luminance(tab.value(_colour(each))) for each in ("color", "backgroundColor"))
        light, dark = max(text, back), min(text, back)
        assert (light + 0.05) / (dark + 0.05) > 7, "WCAG 2.2, 1.4.6"
        assert (back < 0.5) is (scheme == "dark")
        assert tab.value("document.querySelector('nav a').textContent") in WORDS[language].values()
    tab.likes("light")


def _colour(name: str) -> str:
    return f"getComputedStyle(document.body).{name}"


def _luminance(colour: str) -> float:
    """Of rgb(r, g, b), WCAG 2.2."""
    values = [int(each) / 255 for each in colour[4:-1].split(",")]
    linear = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in values]
    return sum(part * each for part, each in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


@needs_chromium
def test_a_job_takes_a_pile_of_paper(page: PageProcess, tab: Page, jobs: dict[str, str]) -> None:
    for path in (f"/jobs/{jobs['bad']}", f"/jobs/{jobs['bad']}/report"):
        tab.open(page.url + path)
        tab.wait_for("document.images.length > 0 && [...document.images].every((i) => i.complete)")
        assert tab.sheets() == 1, path


def test_what_a_person_says_changes_the_verdict(
    box: Box, page: PageProcess, jobs: dict[str, str]
) -> None:
    api, token = f"/api/jobs/{jobs['bad']}", page.token()
    before = page.ask(api).json["verdict"]
    mark = {"judged": "wrong", "note": "<b>only dust</b>"}
    assert page.post(f"{api}/mark", mark, X_VoxGate_Token=token).status == 200
    after = page.ask(api).json
    assert after["verdict"] == before
    assert (after["mark"]["judged"], after["mark"]["note"]) == ("wrong", "<b>only dust</b>")
    (found,) = page.ask("/api/jobs?part=bad&outcome=FAIL").json["jobs"][:1]
    assert found["judged"] == "wrong"
    assert page.post(f"{api}/mark", {"judged": "maybe"}, X_VoxGate_Token=token).status == 404


@needs_chromium
def test_a_button_that_judges_does_nothing(
    page: PageProcess, tab: Page, jobs: dict[str, str]
) -> None:
    _open(tab, page, f"/jobs/{jobs['good']}")
    tab.value("document.querySelector('#judge button[value=right]').click()")
    tab.wait_for("document.querySelector('#judged').textContent.startsWith('Right')")


def test_a_recipe_is_sought_outside_the_cells_folder(
    page: PageProcess, jobs: dict[str, str]
) -> None:
    compare, token = f"/api/jobs/{jobs['bad']}/compare", page.token()
    elsewhere = page.post(compare, {"recipe": "../../etc"}, X_VoxGate_Token=token)
    assert elsewhere.status == 404
    assert "no such recipe" in elsewhere.text


def test_another_recipe_is_not_asked_or_says_what_the_line_said(
    page: PageProcess, jobs: dict[str, str]
) -> None:
    token, compare = page.token(), f"/api/jobs/{jobs['bad']}/compare"
    both = page.post(compare, {"recipe": RECIPE}, X_VoxGate_Token=token).json
    assert both["line"]["outcome"] == both["other"]["outcome"] == "FAIL"
    assert both["line"]["defects"] == both["other"]["defects"]


def test_looking_at_a_job_changes_what_is_kept(
    box: Box, page: PageProcess, jobs: dict[str, str]
) -> None:
    assert box.config.evidence is not None
    folder = box.config.evidence.folder
    before = _digests(folder)
    for path in ("", "/volume", "/seen/0", "/golden/0"):
        assert page.ask(f"/api/jobs/{jobs['bad']}{path}").status == 200
    assert _digests(folder) == before


def _digests(folder: Path) -> dict[str, str]:
    return {f.name: hashlib.sha256(f.read_bytes()).hexdigest() for f in folder.iterdir()}


@needs_chromium
def test_a_report_cannot_be_sent_as_a_pdf(box: Box, jobs: dict[str, str], tmp_path: Path) -> None:
    out, cell = tmp_path / "x.pdf", str(box.folder / "cell.yaml")
    done = CliRunner().invoke(app, ["report", jobs["bad"], "-c", cell, "--out", str(out)])
    assert done.exit_code == 0, done.exception
    assert out.read_bytes().startswith(b"%PDF")


def test_without_a_browser_a_pdf_is_a_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(ScanError, match="apt-get install chromium"):
        pdf_of("<p>")


@needs_chromium
def test_a_camera_a_clock_or_a_recipe_is_not_looked_after(
    box: Box, page: PageProcess, tab: Page, jobs: dict[str, str]
) -> None:
    _open(tab, page, "/maintenance")
    text = "document.querySelector('{}').textContent"
    tab.wait_for(f"{text.format('#cameras')}.includes({WORDS['en']['streaming']!r})")
    assert "READY" in tab.value(text.format("#state"))
    figures = tab.value(text.format("#figures"))
    for name in ("clock_residual_seconds", "disk_free_bytes", "calibration_drift_mm"):
        assert WORDS["en"][name] in figures
    assert "calibration.json" in tab.value(text.format("#of"))
    tab.value("document.querySelector('#examine').click()")
    tab.wait_for("document.querySelectorAll('#recipes tr').length > 0")
    assert RECIPE in tab.value(text.format("#recipes"))
    assert "processor" in tab.value(text.format("#rows"))


@needs_chromium
def test_a_real_part_is_not_seen_while_it_is_scanned(
    box: Box, page: PageProcess, tab: Page, jobs: dict[str, str]
) -> None:
    _open(tab, page, "/maintenance")
    picture = "document.querySelector('#live img')"
    with VirtualCell(wires_from_config(box.config)) as cell, ThreadPoolExecutor(1) as robot:
        wait_until_ready(box, cell)
        job = robot.submit(cell.play, small_bracket() / "good", speed=1.0)
        tab.wait_for(f"{picture}?.naturalWidth == {small_width_px()}")
        first = tab.value(f"{picture}.src")
        tab.wait_for(f"{picture}.src != {first!r} && {picture}.complete")
        screenshot(tab, "page-maintenance.png")
        job.result()


def small_width_px() -> int:
    """Of the pictures of `small_bracket`, which no page thins."""
    said = json.loads((small_bracket() / "calibration.json").read_text())
    return int(said["image_size"]["width"])


def test_the_doctor_is_called_by_whoever_writes_an_address(page: PageProcess) -> None:
    assert page.ask("/api/examine").status == 405
    assert page.post("/api/examine", {}).status == 403
