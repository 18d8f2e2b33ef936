"""A lesson proves what its parts prove, no more, and goes on where it was left."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.kits.cell_kit import write_cell
from voxgate.export.teaching.lesson import FILE, Lesson, Looked, lesson_in
from voxgate.runtime.cli import app
from voxgate.runtime.errors import ScanError
from voxgate.runtime.nouns import Outcome


def lesson(*outcomes: Outcome, false_rejects: float = 0.1) -> Lesson:
    """With further parts that came out so."""
    made = Lesson(part="p", version="1", false_rejects=false_rejects)
    for number, outcome in enumerate(outcomes):
        made.others.append(Looked(recording=f"r{number}", outcome=outcome, score=0.5))
    return made


def test_a_bound_is_called_proven_by_too_few_parts() -> None:
    assert lesson().proven == 1.0
    assert not lesson(*[Outcome.PASS] * 8).is_proven
    assert lesson(*[Outcome.PASS] * 9).is_proven, "one of ten, as the next part may be the bad one"
    assert lesson(*[Outcome.PASS] * 5).still_needed == 4


def test_a_good_part_that_fails_is_forgotten() -> None:
    one_failed = lesson(Outcome.FAIL, *[Outcome.PASS] * 9)
    assert not one_failed.is_proven
    assert one_failed.still_needed == 9
    assert lesson(Outcome.FAIL, *[Outcome.PASS] * 18).is_proven
    assert one_failed.proven_95 > one_failed.proven > 0.1


def test_the_golden_part_put_down_again_proves_anything() -> None:
    made = lesson()
    made.again += [Looked(recording="a", outcome=Outcome.PASS, score=0.4)] * 50
    assert made.proven == 1.0


def test_a_lesson_begins_anew_after_its_end(tmp_path: Path) -> None:
    assert lesson_in(tmp_path) is None
    made = lesson(Outcome.PASS)
    made.golden = "g.mcap"
    made.left_out.append("x.mcap")
    made.keep(tmp_path)
    assert lesson_in(tmp_path) == made
    assert made.used == {"g.mcap", "r0", "x.mcap"}
    (tmp_path / FILE).write_text("{}")
    with pytest.raises(ScanError, match="begin anew"):
        lesson_in(tmp_path)


def test_a_cell_that_asks_for_signatures_is_taught_in_vain(tmp_path: Path) -> None:
    signers = [{"name": "ann", "public_key": "0" * 64}]
    cell = write_cell(tmp_path, recipes={"signers": signers, "allow_unsigned": False})
    done = CliRunner().invoke(app, ["teach", "-c", str(cell), "--part", "p"])
    assert "--signer" in str(done.exception)
    done = CliRunner().invoke(app, ["teach", "-c", str(cell), "--part", "../p"])
    assert done.exit_code == 2
