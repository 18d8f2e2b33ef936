"""Data sets as people copy them: ends in capitals, masks of 16 bits, one kind of part alone."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from typer.testing import CliRunner

from tests.kits.layouts_kit import write_mad, write_mvtec3d, write_scenes
from voxgate.export.evaluation.cases import Case, PictureCase
from voxgate.export.evaluation.layouts.files import mask
from voxgate.export.evaluation.layouts.open_dataset import open_dataset
from voxgate.runtime.cli import app
from voxgate.runtime.errors import ScanError


@pytest.mark.parametrize("write", [write_mvtec3d, write_mad])
def test_ends_in_capitals_are_other_files(write: Any, tmp_path: Path) -> None:
    before = open_dataset(write(tmp_path))
    names = [case.name for case in before.cases]
    marked = [_marked_px(case) for case in before.cases]
    for path in [path for path in tmp_path.rglob("*") if path.suffix in (".png", ".tiff")]:
        path.rename(path.with_suffix(path.suffix.upper()))
    after = open_dataset(tmp_path)
    assert (after.layout, after.missing) == (before.layout, ())
    assert [case.name for case in after.cases] == names
    assert [_marked_px(case) for case in after.cases] == marked


def _marked_px(case: Case) -> int:
    return int(cast(PictureCase, case).truth().defect.sum())


MARKED = np.zeros((24, 32), np.bool_)
MARKED[9:12, 11:15] = True


@pytest.mark.parametrize(
    "image",
    [
        MARKED.astype(np.uint16),
        MARKED.astype(np.uint8),
        MARKED.astype(np.uint16) * 65535,
        np.dstack([MARKED.astype(np.uint8) * 255] * 3),
        np.dstack([MARKED.astype(np.uint8) * n for n in (0, 0, 9)]),
        np.dstack([*[MARKED.astype(np.uint8) * 255] * 3, np.full(MARKED.shape, 255, np.uint8)]),
    ],
    ids=["1 of 16 bits", "1 of 8 bits", "white of 16 bits", "colour", "dark red", "opaque"],
)
def test_a_faint_mask_marks_nothing(image: npt.NDArray[Any], tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "m.png"), image)
    assert np.array_equal(mask(tmp_path / "m.png"), MARKED)


def test_a_split_that_is_none_ends_in_pythons_words(tmp_path: Path) -> None:
    write_scenes(tmp_path)
    (tmp_path / "toys-split.json").write_text(json.dumps(["cup_1-001"]))
    with pytest.raises(ScanError, match="no split of scenes"):
        open_dataset(tmp_path)


@pytest.mark.parametrize("gone", ["good", "hole"])
def test_a_figure_of_one_kind_of_part_alone_is_a_dash_without_a_word(
    gone: str, tmp_path: Path
) -> None:
    data = write_mvtec3d(tmp_path / "data")
    shutil.rmtree(data / "bagel" / "test" / gone)
    for case in open_dataset(data).cases:
        path = tmp_path / "scores" / f"{case.name}.npz"
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez(path, map=np.ones((24, 32), np.float32))
    words = ["evaluate", str(tmp_path / "scores"), str(data), "--work", str(tmp_path / "w")]
    done = CliRunner().invoke(app, [*words, "--jobs", "1"])
    assert done.exit_code == 0, done.output
    known = "0 good and 1 bad" if gone == "good" else "2 good and 0 bad"
    assert "bagel: no image AUROC, " in done.output
    assert known in done.output
