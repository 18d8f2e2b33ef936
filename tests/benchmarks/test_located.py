"""Pictures without a robot: the folders that are judged show what the scans show."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.kits.repository import BRACKET
from voxgate.benchmarks.quality.located import EVERY, main, measure, write_pictures
from voxgate.export.evaluation.layouts.files import any_image
from voxgate.export.evaluation.layouts.mad import MadCase
from voxgate.export.evaluation.layouts.open_dataset import open_dataset

VIEWS = 12


def test_a_defect_that_no_picture_shows_is_asked_for(tmp_path: Path) -> None:
    for scan in ("good", "bad"):
        write_pictures(BRACKET / scan, tmp_path / "bracket")
    cases = [case for case in open_dataset(tmp_path, "mad").cases if isinstance(case, MadCase)]
    good, bad = ([c for c in cases if c.truth().anomalous is odd] for odd in (False, True))
    assert len(good) == VIEWS // EVERY
    assert 0 < len(bad) <= VIEWS // EVERY
    for case in bad:
        assert case.truth().defect.any()
        number = case.source.stem.rsplit("-", 1)[1]
        shown = any_image(BRACKET / "bad" / "images" / f"{number}.jpg")
        assert np.array_equal(case.picture().image, shown)


def test_without_scans_the_pictures_are_skipped_not_failed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(str(tmp_path))
    assert "skipped" in capsys.readouterr().out


@pytest.mark.nightly
def test_pictures_are_placed_and_judged_beside_their_masks(tmp_path: Path) -> None:
    shutil.copytree(BRACKET, tmp_path / "bracket")
    for scan in ("good", "bad"):
        shutil.move(tmp_path / "bracket" / scan, tmp_path / "bracket" / "test" / scan)
    found = measure(tmp_path / "bracket" / "golden", tmp_path / "work")
    (figures,) = found.types
    assert not found.failed
    assert figures.figures["image AUROC"] == 1.0
    pixels = figures.figures["AU-PRO@0.3"]
    assert pixels is not None
    assert pixels > 0.9
