"""One bad file among many is named, the others are judged, and the exit tells that one was not."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from voxgate.export.evaluation.run.evaluate import Evaluation, Plan, evaluate
from voxgate.runtime.cli import app

GREY = np.full((30, 40), 40, np.uint8)
GREY[5:25, 10:30] = 150
MASK = np.zeros_like(GREY)
MASK[12:16, 18:24] = 255
BAD = "bracket/Burrs/0"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Two good pictures and two bad ones, as MAD has them, and scores of each."""
    part = tmp_path / "mad" / "bracket"
    for defect in ("good", "Burrs"):
        for n in range(2):
            image = GREY if defect == "good" else np.where(MASK > 0, 250, GREY).astype(np.uint8)
            _write(part / "test" / defect / f"{n}.png", image)
            scores = tmp_path / "scores" / "bracket" / defect / f"{n}.npz"
            scores.parent.mkdir(parents=True, exist_ok=True)
            np.savez(scores, map=(MASK / 255 * (defect != "good")).astype(np.float32))
            if defect != "good":
                _write(part / "ground_truth" / defect / f"{n}_mask.png", MASK)
    return tmp_path


def _write(path: Path, image: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), image)


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _npy(path: Path) -> None:
    with path.open("wb") as file:
        np.save(file, np.zeros((30, 40)))


SCORES: dict[str, Callable[[Path], Any]] = {
    "cut": lambda path: path.write_bytes(path.read_bytes()[:200]),
    "cut at its end": lambda path: path.write_bytes(path.read_bytes()[:-10]),
    "a byte wrong": lambda path: path.write_bytes(_with_a_wrong_byte(path.read_bytes())),
    "empty": lambda path: path.write_bytes(b""),
    "a .npy": _npy,
    "a pickle": lambda path: path.write_bytes(b"\x80\x04K\x01."),
    "text": lambda path: path.write_text("not scores"),
    "missing": lambda path: path.unlink(),
    "a folder": _folder,
    "without a map": lambda path: np.savez(path, scores=np.zeros(3)),
    "of words": lambda path: np.savez(path, map=np.array([["a", "b"]])),
    "of another size": lambda path: np.savez(path, map=np.zeros((7, 7), np.float32)),
    "of no dimension": lambda path: np.savez(path, map=np.float32(1.0)),
    "not a number": lambda path: np.savez(path, map=np.full((30, 40), np.nan, np.float32)),
    "two part scores": lambda path: np.savez(
        path, map=np.zeros((30, 40), np.float32), part_score=np.zeros(2)
    ),
}


def _with_a_wrong_byte(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 255]) + content[middle + 1 :]


def _evaluated(data: Path, jobs: int = 1) -> Evaluation:
    return evaluate(Plan(data / "scores", data / "mad", data / "store", jobs=jobs))


def _names_the_one(found: Evaluation) -> None:
    assert sorted(record.name for record in found.records) == [
        "bracket/Burrs/1",
        "bracket/good/0",
        "bracket/good/1",
    ]
    (line,) = found.failed
    assert line.startswith(f"{BAD}: ")
    assert len(line) > len(BAD) + 6
    assert "\n" not in line
    assert found.types[0].figures["image AUROC"] == 1.0


@pytest.mark.parametrize("how", SCORES)
def test_a_bad_file_of_scores_ends_the_evaluation(data: Path, how: str) -> None:
    SCORES[how](data / "scores" / f"{BAD}.npz")
    _names_the_one(_evaluated(data))


@pytest.mark.parametrize(
    "spoil",
    [
        lambda path: cv2.imwrite(str(path), MASK[::2, ::2]),
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(path.read_bytes()[:40]),
        _folder,
    ],
    ids=["of half the size", "empty", "cut", "a folder"],
)
@pytest.mark.parametrize("place", ["ground_truth/Burrs/0_mask.png", "test/Burrs/0.png"])
def test_a_bad_picture_ends_the_evaluation(data: Path, spoil: Any, place: str) -> None:
    spoil(data / "mad" / "bracket" / place)
    _names_the_one(_evaluated(data))


@pytest.mark.nightly  # by day in one process, and test_cluster.py
@pytest.mark.slow
def test_a_bad_file_ends_the_other_processes(data: Path) -> None:
    (data / "scores" / f"{BAD}.npz").write_bytes(b"")
    _names_the_one(_evaluated(data, jobs=2))


@pytest.mark.parametrize("content", [b"", b"PK\3\4", b"\xff\xfe"])
@pytest.mark.parametrize("end", ["npz", "json"])
def test_a_damaged_result_ends_the_next_evaluation(data: Path, content: bytes, end: str) -> None:
    figures = _evaluated(data).types[0].figures
    (data / "store" / f"{BAD}.{end}").write_bytes(content)
    again = _evaluated(data)
    assert (again.reused, again.failed) == (3, ())
    assert again.types[0].figures == figures


def test_the_exit_says_that_every_case_was_judged(data: Path) -> None:
    (data / "scores" / f"{BAD}.npz").write_bytes(b"")
    words = ["evaluate", str(data / "scores"), str(data / "mad"), "--work", str(data / "w")]
    result = CliRunner().invoke(app, [*words, "--jobs", "1", "--json"])
    assert result.exit_code == 2
    assert json.loads(result.stdout)["failed"][0].startswith(f"{BAD}: ")
    assert json.loads(result.stdout)["cases"] == 3
