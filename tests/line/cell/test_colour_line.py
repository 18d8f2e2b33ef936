"""The whole line in colour: by network and by a virtual GenICam camera, recorded and replayed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.kits import virtual
from tests.kits.needs import needs_c_compiler
from tests.kits.painted import painted_bracket
from tests.kits.repository import ROOT
from tests.kits.small_scan import small_bracket
from tests.kits.virtual_line import comes_to
from tests.line.service.test_evidence_line import recorded
from voxgate.runtime.nouns import Device
from voxgate.runtime.offline.replay import replay_file
from voxgate.runtime.report.job_report import report as page_of
from voxgate.runtime.scans.job_reader import read_job
from voxgate.runtime.scans.scan import FrameRecord, decoded_frame
from voxgate.sim.box import Box
from voxgate.sim.cell_wires import wires_from_config
from voxgate.sim.demo.demo import play_in_time, wait_until_ready
from voxgate.sim.recipes import export_once
from voxgate.sim.virtual_cell import VirtualCell

pytestmark = pytest.mark.nightly  # by day without a line: tests/runtime/offline/test_colour_part.py

SPEED = 8.0


@pytest.fixture(scope="module")
def recipe() -> Path:
    return export_once(painted_bracket() / "golden", ROOT / "out" / "recipes")


def _start(folder: Path, recipe: Path, producer: Path | None = None) -> Box:
    return Box.start(
        folder,
        small_bracket() / "calibration.json",
        recipe.parents[1],
        f"{recipe.parent.name}/{recipe.name}",
        {"evidence": {"folder": str(folder / "evidence"), "min_free_gb": 0.0}},
        producer=producer,
        colour=True,
    )


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory, recipe: Path) -> Iterator[Box]:
    with _start(tmp_path_factory.mktemp("box"), recipe) as running:
        yield running


def test_a_good_part_in_colour_does_not_pass_on_the_line(cell: VirtualCell) -> None:
    assert comes_to(cell, painted_bracket() / "good", "PASS", SPEED).may_pass


def test_a_red_cap_passes_on_the_line_or_its_recording_shows_it_grey(
    box: Box, cell: VirtualCell, recipe: Path
) -> None:
    line = comes_to(cell, painted_bracket() / "red_cap", "FAIL", SPEED).verdict
    assert line is not None
    path = recorded(box, line.job_id)
    again = replay_file(path, recipe)
    assert again.recorded == line
    assert again.moved == ()
    assert again.verdict.score == line.score
    assert [d.peak_score for d in again.verdict.defects] == [d.peak_score for d in line.defects]
    job = read_job(path)
    frames = [each for each in job.recording.events if isinstance(each, FrameRecord)]
    first = next(each for each in frames if each.device is Device.CAMERA)
    stored = cv2.imread(str(painted_bracket() / "red_cap" / "images" / "00.png"))
    np.testing.assert_array_equal(
        decoded_frame(first, job.calibration).image, np.asarray(stored)[..., ::-1]
    )
    assert "<img" in page_of(path)


def test_grey_pictures_pass_where_the_cell_says_colour(cell: VirtualCell) -> None:
    report = play_in_time(cell, small_bracket() / "good", speed=SPEED)
    assert report.outcome == "INDETERMINATE"
    assert not report.may_pass
    assert report.verdict is not None
    said = " ".join(each.detail for each in report.verdict.reasons)
    assert "is grey, the cell says `colour: true`" in said


@needs_c_compiler
def test_a_genicam_camera_in_colour_comes_to_other_verdicts(recipe: Path, tmp_path: Path) -> None:
    with (
        _start(tmp_path, recipe, Path(virtual.cti())) as running,
        VirtualCell(wires_from_config(running.config)) as playing,
    ):
        wait_until_ready(running, playing)
        comes_to(playing, painted_bracket() / "good", "PASS", SPEED)
        comes_to(playing, painted_bracket() / "red_cap", "FAIL", SPEED)
