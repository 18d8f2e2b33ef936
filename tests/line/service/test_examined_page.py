"""The page's examination of the cell, where what is examined is broken."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.kits.cell_kit import write_cell
from tests.kits.page_kit import page_process

KILLS = "import os, signal\nos.kill(os.getpid(), signal.SIGBUS)\n"


def test_a_library_that_kills_whoever_loads_it_ends_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As one of TensorRT does that a full disk cut off."""
    (tmp_path / "tensorrt").mkdir()
    (tmp_path / "tensorrt/__init__.py").write_text(KILLS)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    cell = write_cell(tmp_path, page={"host": "127.0.0.1"}, engine={"backend": "tensorrt"})
    with page_process(cell) as page:
        answer = page.post("/api/examine", {}, X_VoxGate_Token=page.token())
        assert page.answers()
    rows = {row["check"]: row for row in answer.json["rows"]}
    assert "(SIGBUS)" in rows["TensorRT"]["said"]
    assert "install.sh" in rows["TensorRT"]["do"]
    assert "calibration" in rows, "the rows behind it were not looked at"
