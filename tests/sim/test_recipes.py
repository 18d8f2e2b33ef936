"""One recipe per scan and code: never an old one for new code, never a new one for a comment."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.kits.repository import BRACKET
from voxgate.sim.export_code import EXPORT, code_of, modules_of
from voxgate.sim.recipes import content_key

CODE = '''"""What it is for."""

LIMIT_MM = 2.0  # twice the noise


def limit_mm(scale: float) -> float:
    """The limit at this scale."""
    return LIMIT_MM * scale
'''


def _code_after(folder: Path, old: str, new: str) -> bool:
    """Whether replacing `old` by `new` changes the code."""
    assert old in CODE
    before, after = folder / "before.py", folder / "after.py"
    before.write_text(CODE, "utf-8")
    after.write_text(CODE.replace(old, new), "utf-8")
    return code_of(before) != code_of(after)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("2.0", "2.5"),
        ("LIMIT_MM * scale", "LIMIT_MM + scale"),
        ("scale: float", "scale: float = 1"),
    ],
)
def test_a_changed_statement_is_other_code(tmp_path: Path, old: str, new: str) -> None:
    assert _code_after(tmp_path, old, new)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("twice the noise", "three times the noise"),
        ("What it is for", "What it serves"),
        ("The limit at this scale", "What is too much"),
        ("\n\n\n", "\n\n"),
        ("LIMIT_MM * scale", "(LIMIT_MM\n        * scale)"),
    ],
)
def test_a_comment_or_a_line_break_is_the_same_code(tmp_path: Path, old: str, new: str) -> None:
    assert not _code_after(tmp_path, old, new)


@pytest.mark.slow
def test_no_module_that_an_export_loads_is_left_out_of_its_key() -> None:
    code = (
        f"import sys, {EXPORT}, voxgate.export.reference.reference\n"
        "print(*(name for name in sys.modules if name.split('.')[0] == 'voxgate'))\n"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    ).stdout.split()
    covered = modules_of(EXPORT)
    assert set(loaded) <= set(covered)
    assert "voxgate.runtime.engines.onnxruntime_engine" in covered  # imported by its name
    assert "voxgate.runtime.service.service" not in covered


@pytest.mark.slow
def test_another_scan_is_another_recipe() -> None:
    golden, good = BRACKET / "golden", BRACKET / "good"
    assert content_key(golden) == content_key(golden)
    assert content_key(golden) != content_key(good)
