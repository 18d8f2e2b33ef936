"""The operator's page beside a real service, in a real browser."""

from __future__ import annotations

import http.client
import json
import signal
import subprocess
from collections.abc import Generator, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.kits.browser import browser
from tests.kits.cell_kit import until
from tests.kits.good_part import passes_next
from tests.kits.needs import needs_chromium
from tests.kits.ports import free_ports
from tests.kits.robot_kit import Robot
from voxgate.runtime.page.words import WORDS
from voxgate.sim.box import voxgate

PHONE = (360, 640)  # pixels
NOT_PASSED = WORDS["en"]["not_passed"]


@pytest.fixture
def process(folder: Path, robot: Robot) -> Iterator[subprocess.Popen[str]]:
    """The page's, from its start on."""
    (port,) = free_ports(1)
    command = voxgate("page", "-c", str(folder / "cell.yaml"), "--port", str(port))
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as page:
        try:
            until(lambda: _answers(port), "a page")
            yield page
        finally:
            page.send_signal(signal.SIGTERM)
            _, said = page.communicate(timeout=20)
    assert said.count("\n") == 1, said  # where it answers, and no complaint


@pytest.fixture
def port(process: subprocess.Popen[str]) -> int:
    """Where it answers."""
    assert isinstance(process.args, list)
    return int(process.args[-1])


@dataclass(frozen=True)
class Answer:
    """Of a GET."""

    status: int
    headers: Mapping[str, str]
    body: str


def ask(port: int, path: str, **headers: str) -> Answer:
    """GET; a stream has no end and is looked at for its head alone."""
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=20)) as connection:
        connection.request("GET", path, headers=headers)
        with connection.getresponse() as answer:
            return Answer(answer.status, dict(answer.headers), answer.read().decode())


def _answers(port: int) -> bool:
    try:
        return ask(port, "/words").status == 200
    except OSError:
        return False


def _screens(port: int) -> Generator[dict[str, object], None, None]:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=20)) as connection:
        connection.request("GET", "/stream")
        with connection.getresponse() as stream:
            while True:
                line = stream.readline().decode()
                if line.startswith("data: "):
                    yield json.loads(line.removeprefix("data: "))


def test_the_screen_does_not_follow_the_line(robot: Robot, port: int) -> None:
    with closing(_screens(port)) as screens:
        assert next(screen for screen in screens if screen["light"] == "WAITING")
        robot.start_job("job-1")
        scanning = next(screen for screen in screens if screen["light"] == "SCANNING")
        assert scanning["job_id"] == "job-1"


def test_a_page_of_elsewhere_reads_what_the_box_says(robot: Robot, port: int) -> None:
    assert ask(port, "/", Host="evil.example").status == 400
    assert ask(port, "/stream", Host=f"evil.example:{port}").status == 400
    mine = ask(port, "/")
    policy = mine.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert "//" not in mine.body.replace("<!doctype", ""), "something of another place is asked for"


@pytest.mark.parametrize("path", ["/jobs/none", "/jobs/..%2f..%2fetc", "/assets/..%2fapp.py", "/x"])
def test_what_is_not_there_is_a_traceback(robot: Robot, port: int, path: str) -> None:
    answer = ask(port, path)
    assert answer.status == 404
    assert "Traceback" not in answer.body


@needs_chromium
def test_what_a_browser_shows_is_not_what_the_box_says(
    robot: Robot, port: int, tmp_path: Path
) -> None:
    with browser(tmp_path) as page:
        page.open(f"http://127.0.0.1:{port}/?lang=de")
        page.wait_for("document.body.dataset.light == 'WAITING'")
        passes_next(robot, "job-1")
        page.wait_for("document.body.dataset.light == 'PASS'")
        assert page.value("document.querySelector('h1').textContent") == "GUT"
        assert page.value("document.documentElement.lang") == "de"
        page.press("Tab")
        page.wait_for("document.activeElement.href.includes('/jobs/job-1')")
        page.open(f"http://127.0.0.1:{port}/", *PHONE)
        page.wait_for("document.querySelector('h1').textContent == 'PASS'")
        assert page.value("document.documentElement.scrollWidth") <= PHONE[0]


@needs_chromium
def test_a_pass_stays_green_on_a_screen_whose_page_is_gone(
    robot: Robot, port: int, process: subprocess.Popen[str], tmp_path: Path
) -> None:
    with browser(tmp_path) as page:
        page.open(f"http://127.0.0.1:{port}/")
        passes_next(robot, "job-1")
        page.wait_for("document.body.dataset.light == 'PASS'")
        process.terminate()
        page.wait_for("document.body.dataset.light == 'SILENT'")
        assert page.value("document.querySelector('.remedy').textContent") == NOT_PASSED
        assert page.value("document.querySelector('.part').textContent") == ""
