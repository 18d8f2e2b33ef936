"""A part is taught at a cell whose robot and camera are virtual: real processes, end to end."""

from __future__ import annotations

import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.kits.cell_kit import until
from tests.kits.small_scan import small_bracket
from voxgate.runtime.nouns import Outcome
from voxgate.sim.box import CONFIG_NAME, Box, voxgate
from voxgate.sim.cell_wires import wires_from_config
from voxgate.sim.demo.demo import play_in_time, wait_until_ready
from voxgate.sim.robot import RobotError
from voxgate.sim.virtual_cell import VirtualCell

pytestmark = [pytest.mark.nightly, pytest.mark.timeout(900)]
SPEED = 2.0
TRIES = 8
TELLING = ("this is the golden", "left out", "PASS", "FAIL", "INDETERMINATE")
ONE_PART_PROVES = "0.5"
SHIPPED = ("calibration.json", "grid.json")


@pytest.fixture
def box(tmp_path: Path) -> Box:
    """A cell without a recipe; its service is not running."""
    for name in SHIPPED:
        shutil.copy(small_bracket() / name, tmp_path / name)
    (tmp_path / "recipes").mkdir()
    box = Box.start(tmp_path, tmp_path / SHIPPED[0], tmp_path / "recipes", None)
    box.stop()
    return box


@contextmanager
def teaching(box: Box) -> Iterator[subprocess.Popen[str]]:
    """Somebody is being taught."""
    cell = str(box.folder / CONFIG_NAME)
    words = ("teach", "-c", cell, "--part", "bracket", "--false-rejects", ONE_PART_PROVES, "--yes")
    with subprocess.Popen(voxgate(*words), stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)


def _heard(process: subprocess.Popen[str], word: str) -> str:
    """The next line with this word in it."""
    assert process.stdout is not None
    for line in process.stdout:
        if word in line:
            return line
    raise AssertionError(f"never said: {word}")


def _play_until(cell: VirtualCell, scan: str, process: subprocess.Popen[str], word: str) -> None:
    """A part is played again where this machine stalled its clocks, and the lesson says so."""
    assert process.stdout is not None
    for _ in range(TRIES):
        until(lambda: _is_ready(cell), "a box that records")
        cell.play(small_bracket() / scan, speed=SPEED, part_id=scan)
        said = next(line for line in process.stdout if line.startswith(TELLING))
        if word in said:
            return
    raise AssertionError(f"never said: {word}")


def _is_ready(cell: VirtualCell) -> bool:
    """The box may just be starting: what was heard last was another one's heartbeat."""
    try:
        cell.wait_until_ready()
    except RobotError:
        return False
    return True


def test_a_part_cannot_be_taught_or_a_lesson_is_lost(box: Box) -> None:
    with VirtualCell(wires_from_config(box.config)) as cell:
        with teaching(box) as first:
            _heard(first, "put a good part down")
            _play_until(cell, "golden", first, "golden part")
            _heard(first, "take the same part off")
        with teaching(box) as second:
            assert "0 good parts" in _heard(second, "going on")
            _heard(second, "take the same part off")
            for asked in ("take the same part off", "another good part", "installed"):
                _play_until(cell, "good", second, "PASS")
                _heard(second, asked)
            _heard(second, "start the cell")
            command = voxgate("run", str(box.folder / CONFIG_NAME))
            with subprocess.Popen(command, stderr=subprocess.DEVNULL) as service:
                try:
                    assert "bracket/1 serves; it is READY" in _heard(second, "serves")
                    serving = Box(box.folder, box.config, service)
                    wait_until_ready(serving, cell)
                    for part, outcome in (("good", Outcome.PASS), ("bad", Outcome.FAIL)):
                        until(lambda: _is(cell, part, outcome), f"{part} is {outcome}")  # noqa: B023
                finally:
                    service.terminate()


def _is(cell: VirtualCell, part: str, outcome: Outcome) -> bool:
    verdict = play_in_time(cell, small_bracket() / part, (), SPEED).verdict
    assert verdict is not None
    return verdict.outcome is outcome
