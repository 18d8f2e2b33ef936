"""The operator's page beside a real service, in a real browser."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Generator, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from tests.kits.cell_kit import write_cell
from tests.kits.good_part import passes_next, stop
from tests.kits.needs import needs_chromium
from tests.kits.page_kit import PageProcess, page_process
from tests.kits.robot_kit import Robot
from tests.kits.screenshots import screenshot
from voxgate.benchmarks.line.browser import browser
from voxgate.runtime.config.sections import Sockets
from voxgate.runtime.page.reasons import reasons_in
from voxgate.runtime.page.words import WORDS

PHONE = (360, 640)  # pixels
TEN, CONNECTIONS = 10, 6  # browsers, and what each opens to one server beside its stream
SCREENS = ((320, 640), (800, 450), (1280, 720), (3840, 2160))
NOT_PASSED = WORDS["en"]["not_passed"]


@pytest.fixture
def cell(folder: Path) -> Path:
    """At the usual heartbeat: a machine that stalls for 0.2 s has not fallen silent."""
    usual = Sockets.model_fields["heartbeat_ms"].default
    return write_cell(folder, sockets={"heartbeat_ms": usual})


@pytest.fixture
def page(cell: Path, robot: Robot) -> Iterator[PageProcess]:
    """Of a cell that is served."""
    with page_process(cell) as page:
        yield page
    assert page.said.count("\n") == 1, page.said  # where it answers, and no complaint


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PageProcess]:
    """Of a cell that nobody serves."""
    with page_process(write_cell(tmp_path_factory.mktemp("cell"))) as page:
        yield page
    assert "Traceback" not in page.said


def _screens(port: int) -> Generator[dict[str, object], None, None]:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=20)) as connection:
        connection.request("GET", "/stream")
        with connection.getresponse() as stream:
            while True:
                line = stream.readline().decode()
                if line.startswith("data: "):
                    yield json.loads(line.removeprefix("data: "))


@pytest.mark.nightly  # by day: page/test_screen.py, and in a browser, below
def test_the_screen_does_not_follow_the_line(robot: Robot, page: PageProcess) -> None:
    with closing(_screens(page.port)) as screens:
        assert next(screen for screen in screens if screen["light"] == "WAITING")
        robot.start_job("job-1")
        scanning = next(screen for screen in screens if screen["light"] == "SCANNING")
        assert scanning["job_id"] == "job-1"


def test_ten_browsers_are_told_to_come_back(alone: PageProcess) -> None:
    with ExitStack() as stack:
        for _ in range(TEN):
            next(stack.enter_context(alone.stream("/stream")))
            for _ in range(CONNECTIONS):
                stack.enter_context(socket.create_connection(("127.0.0.1", alone.port), 10))
        assert alone.ask("/words").status == 200


def test_a_page_of_elsewhere_reads_what_the_box_says(alone: PageProcess) -> None:
    assert alone.ask("/", Host="evil.example").status == 400
    assert alone.ask("/stream", Host=f"evil.example:{alone.port}").status == 400
    mine = alone.ask("/")
    policy = mine.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert "//" not in mine.text.replace("<!doctype", ""), "something of another place is asked for"


def test_what_is_not_there_is_a_traceback(alone: PageProcess) -> None:
    for path in ("/jobs/none", "/jobs/..%2f..%2fetc", "/assets/..%2fapp.py", "/x"):
        answer = alone.ask(path)
        assert answer.status == 404, path
        assert "Traceback" not in answer.text


@needs_chromium
def test_what_a_browser_shows_is_not_what_the_box_says(
    robot: Robot, page: PageProcess, tmp_path: Path
) -> None:
    with browser(tmp_path) as tab:
        tab.open(f"{page.url}/?lang=de")
        tab.wait_for("document.body.dataset.light == 'WAITING'")
        passes_next(robot, "job-1")
        tab.wait_for("document.body.dataset.light == 'PASS'")
        assert tab.value("document.querySelector('h1').textContent") == "GUT"
        assert tab.value("document.documentElement.lang") == "de"
        tab.press("Tab")
        tab.wait_for("document.activeElement.href?.includes('/jobs/job-1')")
        beats = tab.value("beats")
        tab.wait_for(f"beats > {beats} + 2")
        assert "/jobs/job-1" in tab.value("document.activeElement.href"), (
            "thrown out by a heartbeat"
        )
        tab.open(f"{page.url}/", *PHONE)
        tab.wait_for("document.querySelector('h1').textContent == 'PASS'")
        assert tab.value("document.documentElement.scrollWidth") <= PHONE[0]


@pytest.mark.nightly  # eight screens
@needs_chromium
def test_an_outcome_does_not_fill_the_screen(
    robot: Robot, page: PageProcess, tmp_path: Path
) -> None:
    """Read from five metres: sign and word are a third of its height, on a phone a fifth."""
    high = "document.querySelector({!r}).offsetHeight"
    large = f"{high.format('.sign')} + {high.format('h1')}"
    passes_next(robot, "job-1")
    with browser(tmp_path) as tab:
        for wanted, word, language in (
            ("PASS", WORDS["en"]["PASS"], "en"),
            ("INDETERMINATE", WORDS["de"]["INDETERMINATE"], "de"),
        ):
            for width_px, height_px in SCREENS:
                tab.open("about:blank")
                tab.open(f"{page.url}/?lang={language}", width_px, height_px)
                tab.wait_for(f"document.body?.dataset.light == {wanted!r}")
                assert tab.value("document.querySelector('h1').textContent") == word
                assert tab.value("document.documentElement.scrollWidth") <= width_px
                assert tab.value("document.querySelector('main').scrollHeight") <= tab.value(
                    "document.querySelector('main').clientHeight"
                ), "words are cut off"
                assert tab.value(large) > height_px / (3 if width_px > height_px else 5)
                screenshot(tab, f"page-{wanted.lower()}-{width_px}-{language}.png")
            if wanted == "PASS":
                robot.start_job("of-nothing")
                doubtful = stop(robot, "of-nothing")
        first = doubtful.reasons[0]
        words = reasons_in("de")[first.reason.value]
        why = f"{words['meaning']} ({first.detail})"
        assert tab.value("document.querySelector('.why').textContent") == why
        assert tab.value("document.querySelector('.remedy').textContent") == words["remedy"]


@needs_chromium
def test_a_pass_stays_green_on_a_screen_whose_page_is_gone(
    robot: Robot, page: PageProcess, tmp_path: Path
) -> None:
    with browser(tmp_path) as tab:
        tab.open(f"{page.url}/")
        passes_next(robot, "job-1")
        tab.wait_for("document.body.dataset.light == 'PASS'")
        page.process.terminate()
        tab.wait_for("document.body.dataset.light == 'SILENT'")
        assert tab.value("document.querySelector('.remedy').textContent") == NOT_PASSED
        assert tab.value("document.querySelector('.part').textContent") == ""
