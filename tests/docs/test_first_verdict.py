"""The first tutorial, followed word for word."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.kits.follow import follow
from tests.kits.ports import with_free_ports
from tests.kits.repository import ROOT


@pytest.mark.nightly
@pytest.mark.timeout(900)
def test_the_first_verdict_cannot_be_reached_by_following_the_page(tmp_path: Path) -> None:
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    page = (ROOT / "docs/tutorials/first-verdict.md").read_text(encoding="utf-8")
    said = follow(with_free_ports(page), tmp_path, {})
    for expected in ("exit code 1", "clock_unsynced", "frame_lost", "exit code 3"):
        assert expected in said, said[-8000:]
    assert len(list((tmp_path / "out/first/evidence").glob("*_PASS.mcap"))) == 1
    assert (tmp_path / "out/first/bad.npz").is_file()
