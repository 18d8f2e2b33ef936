"""What the cameras see now, from the camera's process to a real browser, and what a line feels."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import zmq

from tests.kits.cell_kit import until, write_cell
from tests.kits.good_part import passes_next
from tests.kits.needs import needs_chromium
from tests.kits.page_kit import PageProcess, page_process
from tests.kits.ports import free_ports
from tests.kits.robot_kit import Robot
from voxgate.benchmarks.line.browser import browser
from voxgate.runtime.page.words import WORDS
from voxgate.runtime.remote.figures import SHOWN
from voxgate.runtime.wire.published import PictureMessage, picture_topic

PICTURE = "document.querySelector('#live img')"
WHY_NONE = "document.querySelector('#why_not_live').textContent"
OLD = "document.querySelectorAll('#live .old').length"


@pytest.fixture
def cell(folder: Path) -> Path:
    (port,) = free_ports(1)
    metrics = {"enabled": True, "port": port}
    return write_cell(folder, sockets={"pictures": f"ipc://{folder}/pictures"}, metrics=metrics)


@pytest.fixture
def page(cell: Path, robot: Robot) -> Iterator[PageProcess]:
    with page_process(cell) as page:
        yield page


@needs_chromium
def test_what_a_camera_sees_now_is_not_shown_or_looks_new_for_ever(
    robot: Robot, page: PageProcess, tmp_path: Path
) -> None:
    with browser(tmp_path) as tab:
        tab.open(f"{page.url}/maintenance")
        tab.wait_for(f"{WHY_NONE} == {WORDS['en']['no_live']!r}")
        until(lambda: robot.expose() and tab.value(f"{PICTURE}?.naturalWidth > 0"), "a picture")
        first = tab.value(f"{PICTURE}.src")
        until(lambda: robot.expose() and tab.value(f"{PICTURE}.src") != first, "the next one")
        assert tab.value(WHY_NONE) == ""
        assert tab.value(OLD) == 0
        tab.wait_for(f"{OLD} == 1")  # the camera stands still
        assert "cam0, " in tab.value("document.querySelector('#live figcaption').textContent")
        page.process.terminate()
        tab.wait_for(f"{WHY_NONE} != ''")


@pytest.mark.nightly  # by day: tests/runtime/page
@needs_chromium
def test_a_figure_is_told_by_the_name_that_programs_give_it(
    page: PageProcess, tmp_path: Path
) -> None:
    german = WORDS["de"]
    with browser(tmp_path) as tab:
        tab.open(f"{page.url}/maintenance?lang=de")
        tab.wait_for("document.querySelectorAll('#figures tr').length > 4")
        names = tab.value(
            "[...document.querySelectorAll('#figures th')].map((cell) => cell.textContent)"
        )
        assert german["disk_free_bytes"] in names
        assert set(names) <= {german[each.removeprefix("voxgate_")] for each in SHOWN}
        assert german["streaming"] in tab.value("document.querySelector('#cameras').textContent")


@pytest.mark.nightly  # the words alone
@needs_chromium
def test_why_there_are_no_pictures_is_not_said(robot: Robot, cell: Path, tmp_path: Path) -> None:
    cell.write_text("".join(f"{x}\n" for x in cell.read_text().splitlines() if "pictures" not in x))
    with page_process(cell) as page, browser(tmp_path) as tab:
        tab.open(f"{page.url}/maintenance")
        tab.wait_for(f"{WHY_NONE}.includes('sockets.pictures')")


def test_who_looks_and_never_reads_costs_a_part_its_verdict(robot: Robot, folder: Path) -> None:
    with zmq.Context() as context, context.socket(zmq.SUB) as looker:
        looker.linger, looker.rcvhwm = 0, 1
        looker.subscribe(picture_topic("test"))
        looker.connect(f"ipc://{folder}/pictures")
        until(lambda: robot.expose() and looker.poll(0), "the first picture")
        for number in range(3):
            assert passes_next(robot, f"job-{number}").outcome.value == "PASS"
        _, body = looker.recv_multipart()
        assert PictureMessage.model_validate_json(body).camera == "cam0"
