"""The page as scanners look at it: axe-core for people who see or hear it otherwise, Wapiti for who
comes to break in. Nobody serves the cell: its journal is what there is to look at."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kits.axe import violations
from tests.kits.cell_kit import write_cell
from tests.kits.journalled import record, verdict
from tests.kits.needs import needs_chromium, needs_wapiti
from tests.kits.page_kit import PageProcess, page_process
from voxgate.benchmarks.line.browser import Page, browser
from voxgate.runtime.page.screen import Light
from voxgate.runtime.records.journal import Journal

pytestmark = pytest.mark.nightly  # axe-core and Wapiti take minutes over all pages

JOB = "/jobs/job-1"
PAGES = ("/", "/quality", "/maintenance", JOB, "/login")
SHOWN = "document.body.dataset.ready || document.querySelector('.sign')?.textContent"
ATTACKS = (
    *("crlf", "csp", "csrf", "cookieflags", "exec", "file", "sql", "blindsql"),
    *("xss", "permanentxss", "backup", "buster", "htaccess", "shellshock", "redirect", "methods"),
    "nikto",
)
"""All that Wapiti has without a server of its makers, but its look at headers (test_page_beyond):
it asks for the one that switches old browsers' own filter on, which OWASP advises against."""
SCAN_MINUTES, SCAN_S = 5, 800


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PageProcess]:
    """Of a cell that passed one part, and one not."""
    folder = tmp_path_factory.mktemp("cell")
    journal = Journal(folder / "journal.sqlite")
    for number, passed in enumerate((True, False)):
        journal.open_job(record(f"job-{number}"))
        journal.close_job(verdict(f"job-{number}", f"result-{number}", passed))
    journal.close()
    with page_process(write_cell(folder)) as page:
        yield page


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with browser(tmp_path_factory.mktemp("profile")) as tab:
        yield tab


@needs_chromium
@pytest.mark.parametrize(
    ("scheme", "language"),
    [("light", "en"), ("dark", "de")],
)
def test_who_hears_a_page_or_sees_it_badly_is_kept_out(
    page: PageProcess, tab: Page, scheme: str, language: str
) -> None:
    tab.likes(scheme)
    found = {path: _broken(page, tab, f"{path}?lang={language}") for path in PAGES}
    assert {path: broken for path, broken in found.items() if broken} == {}


@needs_chromium
def test_the_words_on_a_light_cannot_be_read(page: PageProcess, tab: Page) -> None:
    """WCAG 2.2, 1.4.3; behind a pattern axe itself does not tell."""
    _broken(page, tab, "/")
    for light in Light:
        tab.value(f"document.body.dataset.light = {light.value!r}")
        colours = [
            tab.value(f"getComputedStyle(document.body).getPropertyValue('--{name}')").strip()
            for name in ("text", "back")
        ]
        one, other = sorted(map(_luminance, colours))
        assert (other + 0.05) / (one + 0.05) > 4.5, light


def _broken(page: PageProcess, tab: Page, path: str) -> dict[str, list[str]]:
    tab.open(page.url + path)
    tab.wait_for(f"location.href.endsWith({path!r}) && ({SHOWN})")
    return violations(tab)


def _luminance(colour: str) -> float:
    """Of #rgb or #rrggbb, WCAG 2.2."""
    digits = colour.removeprefix("#")
    wide = digits if len(digits) == 6 else "".join(2 * digit for digit in digits)
    pairs = (wide[at : at + 2] for at in (0, 2, 4))
    values = [int(pair, 16) / 255 for pair in pairs]
    linear = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in values]
    return sum(part * each for part, each in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


@pytest.mark.timeout(900)
@needs_wapiti
def test_who_comes_to_break_in_finds_a_way(page: PageProcess, tmp_path: Path) -> None:
    said = tmp_path / "said.json"
    starts = (JOB, f"/api{JOB}", "/api/jobs?part=x&outcome=FAIL&begin=1", "/api/scores?recipe=x")
    command = [
        *("wapiti", "-u", f"{page.url}/quality", "--scope", "domain", "-m", ",".join(ATTACKS)),
        *(word for path in starts for word in ("-s", page.url + path)),
        *("--max-scan-time", str(SCAN_MINUTES), "-t", "10", "-f", "json", "-o", str(said)),
        *("--store-session", str(tmp_path / "session")),
    ]
    subprocess.run(command, check=True, capture_output=True, timeout=SCAN_S)
    found = json.loads(said.read_text())
    told = {**found["vulnerabilities"], **found["anomalies"]}
    assert {name: each for name, each in told.items() if each} == {}
    assert page.answers()
