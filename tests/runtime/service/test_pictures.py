"""Pictures for people cost a verdict nothing: none unless somebody looks, none while it is made."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.kits.cell_kit import HEIGHT_PX, WIDTH_PX
from tests.kits.scripted_cell import Script
from tests.kits.stepped_cell import SteppedCell
from voxgate.runtime.nouns import Device, Frame, Picture
from voxgate.runtime.service.pictures import picture_message
from voxgate.runtime.wire.commands import StopJob
from voxgate.runtime.wire.published import LARGEST_PICTURE_PX
from voxgate.runtime.wire.replies import ResultReply

FINISH_S = 2.0  # of a slow inspector: time for a picture to get in its way


@pytest.fixture
def cell(tmp_path: Path) -> Iterator[SteppedCell]:
    cell = SteppedCell(tmp_path, Script(finish_s=FINISH_S))
    yield cell
    cell.end()


def _stream(cell: SteppedCell, frames: int) -> None:
    """Ten frames a second."""
    for _ in range(frames):
        cell.expose()
        cell.run_for(0.08)


def test_pictures_are_made_for_nobody(cell: SteppedCell) -> None:
    _stream(cell, 20)
    assert cell.sockets.shown == []


def test_who_looks_sees_nothing_between_jobs_or_every_frame(cell: SteppedCell) -> None:
    cell.sockets.looked_at = True
    cell.run_for(0.5)
    _stream(cell, 20)
    shown = cell.sockets.shown
    assert 3 <= len(shown) <= 5, "two a second"
    assert {each["camera"] for each in shown} == {"cam0"}
    assert (shown[0]["width_px"], shown[0]["height_px"]) == (WIDTH_PX, HEIGHT_PX)
    assert shown[-1]["t_host_ns"] > shown[0]["t_host_ns"]


def test_a_picture_is_made_while_a_verdict_is_waited_for(cell: SteppedCell) -> None:
    cell.sockets.looked_at = True
    cell.run_for(0.5)
    cell.start_job()
    for _ in range(3):  # as many as are planned
        cell.expose()
    before = len(cell.sockets.shown)
    cell.send(StopJob, job_id="job-1")
    cell.run_for(FINISH_S / 2)
    cell.expose()  # the camera runs on
    cell.run_for(FINISH_S / 4)
    assert len(cell.sockets.shown) == before
    reply = cell.reply()
    assert isinstance(reply, ResultReply)
    cell.run_for(1.0)
    assert len(cell.sockets.shown) == before + 1, "the newest, once nobody waits"


def test_who_has_gone_is_shown_what_waited(cell: SteppedCell) -> None:
    cell.sockets.looked_at = True
    cell.run_for(0.5)
    _stream(cell, 10)
    cell.sockets.looked_at = False
    cell.run_for(0.5)
    before = len(cell.sockets.shown)
    _stream(cell, 10)
    assert len(cell.sockets.shown) == before


@pytest.mark.parametrize("shape", [(3000, 4096), (600, 800, 3), (1, 401), (400, 400)])
def test_a_large_picture_is_sent_large_or_bent(shape: tuple[int, ...]) -> None:
    picture: Picture = np.random.default_rng(1).integers(0, 256, shape, np.uint8)
    told = picture_message(Frame("cam0", 7, 0, 5, 0, picture))
    pixels = np.frombuffer(base64.b64decode(told.pixels), np.uint8)
    got = pixels.reshape(told.height_px, told.width_px, told.channels)
    assert max(got.shape[:2]) <= LARGEST_PICTURE_PX
    step = -(-max(shape[:2]) // LARGEST_PICTURE_PX)
    assert (got.squeeze() == picture[::step, ::step].squeeze()).all()
    assert (told.frame_id, told.t_host_ns) == (7, 5)


def test_a_sensors_blank_picture_is_shown_for_the_cameras(cell: SteppedCell) -> None:
    cell.sockets.looked_at = True
    cell.run_for(0.5)
    blank = np.zeros((HEIGHT_PX, WIDTH_PX), np.uint8)
    cell.cameras.events.append(Frame("sensor0", 1, 0, 5, 0, blank, device=Device.SENSOR))
    cell.run_for(0.5)
    assert cell.sockets.shown == []
