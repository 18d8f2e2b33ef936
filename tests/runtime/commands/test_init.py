"""A new cell by a few questions: what is written is sound, and nothing is written over."""

from __future__ import annotations

import os
import pty
import shutil
import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from tests.kits.repository import BRACKET
from tests.kits.viky import CTI, SERIALS
from voxgate.runtime.cli import app
from voxgate.runtime.config.cameras import GenicamCamera
from voxgate.runtime.config.cell import check_config, load_cell
from voxgate.runtime.errors import VoxGateError
from voxgate.sim.box import voxgate


def init(folder: Path, *options: str) -> Result:
    """`voxgate init FOLDER ...`."""
    return CliRunner().invoke(app, ["init", str(folder), *options])


def calibrated(folder: Path) -> Path:
    """The new cell's file, with the example's calibration beside it."""
    shutil.copy(BRACKET / "calibration.json", folder)
    return folder / "cell.yaml"


@pytest.mark.parametrize(
    "options",
    [(), ("--keys",), ("--address", "10.0.0.7"), ("--address", "fd00::7", "--port", "6000")],
    ids=["plain", "keys", "on the network", "IPv6"],
)
def test_what_is_written_is_no_sound_cell(tmp_path: Path, options: tuple[str, ...]) -> None:
    done = init(tmp_path / "new", "--yes", "--cell", "press-2", "--part", "bracket", *options)
    assert done.exit_code == 0, done.exception
    cell = calibrated(tmp_path / "new")
    assert check_config(cell) == []
    config = load_cell(cell).config
    assert config.cell == "press-2"
    assert (config.security is not None) == bool(options)
    assert f"voxgate record {tmp_path}/new/recordings -c {cell}" in done.stdout
    assert f"--out {tmp_path}/new/recipes/bracket/1" in done.stdout


def test_a_cell_that_is_there_is_written_over(tmp_path: Path) -> None:
    cell = tmp_path / "cell.yaml"
    cell.write_text("mine")
    done = init(tmp_path, "--yes")
    assert isinstance(done.exception, VoxGateError)
    assert "is there already" in str(done.exception)
    assert cell.read_text() == "mine"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--cell", "Press 2"), "cell: 'Press 2'"),
        (("--part", "a/b"), "part: 'a/b'"),
        (("--address", "the-box"), "give an IP address"),
        (("--camera", "nowhere.cti"), "nowhere.cti: no such producer"),
    ],
)
def test_half_a_cell_is_left_behind_by_a_wrong_answer(
    tmp_path: Path, options: tuple[str, ...], words: str
) -> None:
    done = init(tmp_path / "new", "--yes", *options)
    assert words in str(done.exception)
    assert not (tmp_path / "new").exists()


def test_a_program_waits_for_answers_that_nobody_gives(tmp_path: Path) -> None:
    done = init(tmp_path)
    assert "--yes" in str(done.exception)


@pytest.mark.slow
def test_a_person_types_what_a_producer_knows(tmp_path: Path) -> None:
    """Over a terminal: names, the simulator's camera by its number, and the usual for the rest."""
    ours, theirs = pty.openpty()
    command = voxgate("init", str(tmp_path / "new"), "--camera", CTI)
    with subprocess.Popen(
        command, stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as asked:
        os.write(ours, f"{SERIALS['green']}\npress-2\nbracket\n\n".encode())
        said, questions = asked.communicate(timeout=60)
    os.close(ours)
    os.close(theirs)
    assert asked.returncode == 0, questions
    assert "serial number" in questions
    cell = calibrated(tmp_path / "new")
    (camera,) = load_cell(cell).config.cameras
    assert isinstance(camera, GenicamCamera)
    assert camera.serial_number == SERIALS["green"]
    assert "voxgate calib board" in said
