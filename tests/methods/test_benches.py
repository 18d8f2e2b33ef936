"""The workstation's figures: what their short forms measure, and what is trained for them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.kits.repository import BRACKET
from voxgate.benchmarks.workstation import learnt
from voxgate.benchmarks.workstation.case import Case
from voxgate.benchmarks.workstation.one_view import held_on_one_view
from voxgate.benchmarks.workstation.seeded import padim
from voxgate.runtime.errors import VoxGateError


def test_the_short_form_holds_another_graph_against_another_model(tmp_path: Path) -> None:
    case = next(each for each in padim.cases(tmp_path, BRACKET / "golden") if each.small)
    held = held_on_one_view(case)
    assert held is not None
    assert 0 < held.error < 1e-4 < held.largest
    assert held.cpu_ms > 0


def test_a_refused_model_has_a_row(tmp_path: Path) -> None:
    with pytest.raises(VoxGateError, match=r"none\.onnx"):
        held_on_one_view(Case("onnx", ("onnx", str(tmp_path / "none.onnx"))))


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
    monkeypatch.setattr(learnt, "FURTHER", ("--minutes", "0.01"))
    monkeypatch.setattr(learnt, "METHODS", ("autoencoder",))
    learnt.main(str(tmp_path / "scans"), str(models))
    said = capsys.readouterr().out
    for row in ("reference", "autoencoder, depth", "autoencoder, voxel"):
        assert row in said
    written = {model: model.stat().st_mtime_ns for model in models.glob("*.pth")}
    assert len(written) == 2
    learnt.main(str(tmp_path / "scans"), str(models))
    assert written == {model: model.stat().st_mtime_ns for model in models.glob("*.pth")}
