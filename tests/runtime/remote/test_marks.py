"""What people say of verdicts is kept, also in a power cut, and not taken for its opposite."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path

import pytest

from voxgate.export.quality.review import Known, called_good
from voxgate.runtime.errors import ScanError, ServiceError
from voxgate.runtime.nouns import Outcome
from voxgate.runtime.records.evidence_folder import file_name
from voxgate.runtime.remote.marks import Judged, Mark, marks_file, marks_in, put_mark

UTC = datetime(2026, 11, 29, tzinfo=timezone.utc)


def mark(job_id: str, outcome: Outcome, judged: Judged) -> Mark:
    return Mark(job_id=job_id, outcome=outcome, judged=judged, who="ann", utc=UTC)


def test_the_last_word_about_a_job_does_not_count(tmp_path: Path) -> None:
    file = tmp_path / "marks"
    assert marks_in(file) == {}
    put_mark(file, mark("a", Outcome.FAIL, Judged.WRONG))
    put_mark(file, mark("b", Outcome.PASS, Judged.RIGHT))
    put_mark(file, mark("a", Outcome.FAIL, Judged.RIGHT))
    assert {name: each.judged for name, each in marks_in(file).items()} == {
        "a": Judged.RIGHT,
        "b": Judged.RIGHT,
    }
    assert len(file.read_bytes().splitlines()) == 3, "what was said before is gone"


def test_a_power_cut_takes_every_mark(tmp_path: Path) -> None:
    file = tmp_path / "marks"
    put_mark(file, mark("a", Outcome.FAIL, Judged.WRONG))
    whole = file.read_bytes()
    file.write_bytes(whole + whole[:20])
    assert set(marks_in(file)) == {"a"}
    file.write_bytes(whole[:20] + b"\n" + whole)
    with pytest.raises(ServiceError, match=":1: is no mark"):
        marks_in(file)


@pytest.mark.parametrize(
    ("outcome", "judged", "good"),
    [
        (Outcome.PASS, Judged.RIGHT, True),
        (Outcome.PASS, Judged.WRONG, False),
        (Outcome.FAIL, Judged.RIGHT, False),
        (Outcome.FAIL, Judged.WRONG, True),
        (Outcome.INDETERMINATE, Judged.WRONG, None),
    ],
)
def test_a_bad_part_is_reviewed_as_a_good_one(
    outcome: Outcome, judged: Judged, good: bool | None
) -> None:
    known = Known(None, {"j:1": mark("j:1", outcome, judged)})
    assert known(Path(file_name("j:1", outcome, UTC))) is good
    assert known(Path(file_name("j:2", outcome, UTC))) is None
    listed = Known(frozenset({"scan"}), {})
    assert (listed(Path("scan")), listed(Path("other"))) == (True, False)


def test_marks_go_where_a_unit_may_not_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = tmp_path / "journal.sqlite"
    assert marks_file(journal) == tmp_path / "journal.sqlite.marks"
    monkeypatch.setenv("STATE_DIRECTORY", "/var/lib/voxgate-page")
    assert marks_file(journal) == Path("/var/lib/voxgate-page/journal.sqlite.marks")


def test_a_threshold_is_found_from_parts_that_nobody_called_good(tmp_path: Path) -> None:
    marks = tmp_path / "marks"
    judged = {"a": (Outcome.PASS, Judged.RIGHT), "b": (Outcome.PASS, Judged.WRONG)}
    judged["c"] = (Outcome.FAIL, Judged.WRONG)
    for job_id, (outcome, said) in judged.items():
        put_mark(marks, mark(job_id, outcome, said))
    for job_id, (outcome, _) in {**judged, "d": (Outcome.PASS, None)}.items():
        (tmp_path / file_name(job_id, outcome, UTC)).touch()
    found = [path.name for path in called_good([tmp_path], marks)]
    assert found == [file_name("a", Outcome.PASS, UTC), file_name("c", Outcome.FAIL, UTC)]
    with pytest.raises(ScanError, match="calls no part good"):
        called_good([tmp_path], tmp_path / "none")
