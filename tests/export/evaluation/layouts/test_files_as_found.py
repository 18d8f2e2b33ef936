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

from tests.kits.layouts_kit import write_mad, write_mvtec3d, write_scenes, write_sim3d
from voxgate.export.evaluation.cases import Case, PictureCase, SceneCase, VolumeCase
from voxgate.export.evaluation.layouts.files import mask
from voxgate.export.evaluation.layouts.open_dataset import open_dataset
from voxgate.export.evaluation.metrics.objects import SceneObjects
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


SHAPE = (20, 16, 30)


@pytest.mark.parametrize(
    ("ids", "words"),
    [
        (np.zeros(SHAPE, np.int16), "marks no defect on an instance that is bad"),
        (np.full(SHAPE, -1, np.int16), "whole numbers from 0 to 32767"),
        (np.full(SHAPE, 65536, np.int32), "whole numbers from 0 to 32767"),
        (np.full(SHAPE, 0.5), "whole numbers from 0 to 32767"),
        (np.full(SHAPE, np.nan), "whole numbers from 0 to 32767"),
    ],
    ids=["none", "negative", "65536", "half", "NaN"],
)
def test_a_bad_instance_without_a_marked_voxel_is_a_good_one(
    ids: npt.NDArray[Any], words: str, tmp_path: Path
) -> None:
    write_sim3d(tmp_path)
    np.save(tmp_path / "container" / "bad_01" / "gt.npy", ids)
    bad = next(case for case in open_dataset(tmp_path).cases if "bad" in case.name)
    with pytest.raises(ScanError, match=words):
        cast(VolumeCase, bad).truth()


def test_several_arrays_in_place_of_one_end_in_numpys_words(tmp_path: Path) -> None:
    write_sim3d(tmp_path)
    with (tmp_path / "container" / "bad_01" / "gt.npy").open("wb") as file:
        np.savez(file, np.ones(SHAPE))
    bad = next(case for case in open_dataset(tmp_path).cases if "bad" in case.name)
    with pytest.raises(ScanError, match=r"expected one array \(\.npy\)"):
        cast(VolumeCase, bad).truth()


def test_a_file_of_names_that_are_none_ends_in_pythons_words(tmp_path: Path) -> None:
    write_sim3d(tmp_path)
    (tmp_path / "sim3d_layout.json").write_text('{"camera": 3}')
    with pytest.raises(ScanError, match="camera: expected a file's name"):
        open_dataset(tmp_path)


def test_a_good_sample_with_a_marked_defect_is_judged(tmp_path: Path) -> None:
    write_mvtec3d(tmp_path)
    cv2.imwrite(str(tmp_path / "bagel/test/good/gt/000.png"), MARKED.astype(np.uint8) * 255)
    good = next(case for case in open_dataset(tmp_path).cases if "good/000" in case.name)
    with pytest.raises(ScanError, match="marks a defect on a good sample"):
        cast(PictureCase, good).truth()


@pytest.mark.parametrize(
    "entry",
    [
        {"path": "a", "bbox": [[0, 0, 0], [1, 1, 1]], "rotation_matrix": [1]},
        {"path": "a", "bbox": [[0, 0], [1, 1, 1]]},
        {"path": 3, "bbox": [[0, 0, 0], [1, 1, 1]]},
    ],
)
def test_a_box_that_is_none_ends_in_numpys_words(entry: dict[str, Any], tmp_path: Path) -> None:
    write_scenes(tmp_path)
    scene = tmp_path / "cup_1-001" / "scene3d.metadata.json"
    scene.write_text(json.dumps({"objects": [entry]}))
    case = next(case for case in open_dataset(tmp_path).cases if "cup_1" in case.name)
    with pytest.raises(ScanError, match="objects need path and bbox"):
        cast(SceneCase, case).truth()


@pytest.mark.parametrize("place", ["boxes", "found"])
def test_a_box_that_is_no_number_is_one_that_was_not_found(place: str) -> None:
    given = {"boxes": np.ones((1, 6)), "found": np.ones((1, 6))}
    given[place][0, 2] = np.nan
    with pytest.raises(ValueError, match="expected finite boxes"):
        SceneObjects(**given, odd=np.ones(1, np.bool_), score=np.ones(1))


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
