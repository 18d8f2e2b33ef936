"""The C producer's tables and the camera's XML are made from the features, not by hand."""

from __future__ import annotations

from voxgate.sim.gentl import generate


def test_the_generated_files_are_stale() -> None:
    for file, content in generate.files().items():
        assert file.read_text(encoding="utf-8") == content, f"{file.name}: generate it again"
