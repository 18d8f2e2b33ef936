"""The workstation's figures: what their short forms measure, and what is trained for them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from rich.console import Console

from voxgate.benchmarks.workstation import learnt
from voxgate.benchmarks.workstation.case import Case
from voxgate.benchmarks.workstation.exporters import EVERY, fewer_views, told
from voxgate.runtime.scans.open_scan import open_scan
from voxgate.runtime.scans.placed import lost_frames


def test_the_short_form_measures_another_part(small_scans: Path, tmp_path: Path) -> None:
    part = fewer_views(small_scans, tmp_path / "part")
    for name in ("golden", "good", "bad"):
        whole, fewer = open_scan(small_scans / name), open_scan(part / name)
        seen = [frame.view for frame in fewer.frames]
        assert seen == [frame.view for frame in whole.frames][::EVERY]
        assert not list(lost_frames(fewer))
        assert fewer.calibration.digest == whole.calibration.digest


def test_one_refused_export_ends_the_table(
    small_scans: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    case = Case("onnx", ("onnx", str(tmp_path / "none.onnx")))
    assert told(case, small_scans, tmp_path / "recipe", Console(width=200)) is None
    assert "none.onnx" in capsys.readouterr().out


@pytest.mark.nightly
@pytest.mark.timeout(900)
def test_a_model_that_is_there_is_trained_again(
    small_scans: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    part, models = tmp_path / "scans" / "bracket", tmp_path / "models"
    shutil.copytree(small_scans, part)
    for scan in ("good", "bad"):
        shutil.move(part / scan, part / "test" / scan)
    monkeypatch.setattr(learnt, "MINUTES", 0.01)
    monkeypatch.setattr(learnt, "METHODS", ("autoencoder",))
    learnt.main(str(tmp_path / "scans"), str(models))
    said = capsys.readouterr().out
    for row in ("reference", "autoencoder, depth", "autoencoder, voxel"):
        assert row in said
    written = {model: model.stat().st_mtime_ns for model in models.glob("*.pth")}
    assert len(written) == 2
    learnt.main(str(tmp_path / "scans"), str(models))
    assert written == {model: model.stat().st_mtime_ns for model in models.glob("*.pth")}
