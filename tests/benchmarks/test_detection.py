"""The detection figures: where the scans are looked for, and that they are the real pipeline's."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.kits.repository import ROOT
from voxgate.benchmarks.quality.detection import SCANS_VARIABLE, main, measure, scans_folder

EXAMPLE = ROOT / "examples" / "bracket"


def test_a_missing_folder_says_how_to_name_it(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=SCANS_VARIABLE):
        scans_folder(str(tmp_path))


def test_without_scans_the_figures_are_skipped_not_failed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(SCANS_VARIABLE, str(tmp_path))
    main()
    assert "skipped" in capsys.readouterr().out


def test_the_argument_wins_over_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(SCANS_VARIABLE, str(tmp_path / "elsewhere"))
    golden = tmp_path / "part" / "golden"
    golden.mkdir(parents=True)
    (golden / "frames.jsonl").touch()
    assert scans_folder(str(tmp_path)) == tmp_path


@pytest.mark.nightly
def test_the_example_scans_are_told_apart(tmp_path: Path) -> None:
    part = tmp_path / "bracket"
    shutil.copytree(EXAMPLE / "golden", part / "golden")
    for name in ("calibration.json", "grid.json"):
        shutil.copy(EXAMPLE / name, part / name)
    for name in ("good", "bad"):
        shutil.copytree(EXAMPLE / name, part / "test" / name)
    result = measure(tmp_path, tmp_path / "work", "real2real").evaluation
    (bracket,) = result.types
    assert bracket.figures["I-AUROC"] == 1.0
    assert (bracket.figures["V-AUPRO@1%"] or 0) > 0.8
    assert max(bracket.good_scores) < 1 < min(bracket.bad_scores)
    assert np.isfinite(list(bracket.stage_ms.values())).all()
