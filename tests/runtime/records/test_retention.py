"""The journal does not grow for ever, a copy of it is whole, and its order outlives a dump."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.kits.journalled import record, verdict
from tests.kits.repository import ROOT
from voxgate.runtime.cli import app
from voxgate.runtime.common.clock import Clock
from voxgate.runtime.config.cell import load_cell
from voxgate.runtime.errors import ServiceError
from voxgate.runtime.records.journal import Journal, Retention
from voxgate.runtime.records.journal_copy import copy_journal
from voxgate.runtime.wire.verdict import VerdictMessage

DAY = timedelta(days=1)
NOW = datetime(2026, 11, 22, tzinfo=timezone.utc)
FOR_EVER = Retention(10**9, 1e12)


class SetClock:
    """Both clocks of the host, moved by hand."""

    def __init__(self) -> None:
        self.utc = NOW
        self.passed = timedelta(0)

    @property
    def clock(self) -> Clock:
        return Clock(lambda: int(self.passed.total_seconds() * 1e9), lambda: self.utc)

    def wait(self, time: timedelta) -> None:
        self.utc += time
        self.passed += time


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.sqlite"


@pytest.fixture
def cell_yaml(tmp_path: Path) -> Path:
    """The commented example, with everything in place that it names."""
    (tmp_path / "out/recipes/bracket/1").mkdir(parents=True)
    calibration = tmp_path / "examples/bracket/calibration.json"
    calibration.parent.mkdir(parents=True)
    calibration.write_text("{}")
    (tmp_path / "configs").mkdir()
    example = ROOT / "configs" / "bracket_cell.yaml"
    return Path(shutil.copy(example, tmp_path / "configs" / "cell.yaml"))


@pytest.fixture
def journal(path: Path, clock: SetClock) -> Iterator[Journal]:
    journal = Journal(path, clock.clock)
    yield journal
    journal.close()


def _decide(journal: Journal, number: int, made: datetime = NOW, recipe: str = "bracket/1") -> None:
    journal.open_job(record(f"job-{number}", recipe))
    journal.close_job(_verdict(number, made))


def _verdict(number: int, made: datetime = NOW) -> VerdictMessage:
    said = verdict(f"job-{number}", f"res-{number}")
    return said.model_copy(update={"created_utc": made})


def _jobs(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as db:
        return [job for (job,) in db.execute("SELECT job_id FROM results ORDER BY created_utc")]


# retention


def test_the_journal_grows_for_ever(journal: Journal, path: Path) -> None:
    for number in range(7):
        _decide(journal, number, NOW + number * DAY)
    keep = replace(FOR_EVER, max_rows=4)
    assert [journal.forget(keep, most=2), journal.forget(keep), journal.forget(keep)] == [2, 1, 0]
    assert _jobs(path) == ["job-3", "job-4", "job-5", "job-6"]
    assert not journal.knows("job-2")
    assert journal.knows("job-3")


def test_what_is_too_old_is_kept(journal: Journal, path: Path, clock: SetClock) -> None:
    for number in range(4):
        _decide(journal, number, clock.utc)
        clock.wait(DAY)
    assert journal.forget(replace(FOR_EVER, max_age_s=2.5 * 86_400)) == 2
    assert _jobs(path) == ["job-2", "job-3"]


def test_a_clock_that_was_set_makes_everything_old(
    journal: Journal, path: Path, clock: SetClock
) -> None:
    """Its battery was empty, or somebody set the wrong year."""
    _decide(journal, 1)
    clock.utc += 4000 * DAY
    assert journal.forget(replace(FOR_EVER, max_age_s=86_400)) == 0
    assert _jobs(path) == ["job-1"]


def test_a_job_that_is_still_open_is_forgotten(journal: Journal, clock: SetClock) -> None:
    journal.open_job(record("open"))
    _decide(journal, 1)
    clock.wait(9 * DAY)
    assert journal.forget(Retention(100, 86_400)) == 1
    assert [each.job.job_id for each in journal.open_jobs()] == ["open"]


def test_a_recipe_is_no_longer_good_when_its_parts_are_forgotten(
    path: Path, clock: SetClock
) -> None:
    for recipe, number in (("bracket/1", 1), ("bracket/2", 2)):
        journal = Journal(path, clock.clock)
        _decide(journal, number, recipe=recipe)
        clock.wait(9 * DAY)
        journal.forget(Retention(100, 86_400))
        journal.close()
    with closing(Journal(path, clock.clock)) as journal:
        assert journal.good_recipes() == ("bracket/2", "bracket/1")


# order


def _dumped(path: Path) -> None:
    """Written out as SQL and read in again: row ids are counted anew."""
    restored = path.with_name("restored.sqlite")
    with closing(sqlite3.connect(path)) as old, closing(sqlite3.connect(restored)) as new:
        new.executescript("\n".join(old.iterdump()))
        (version,) = old.execute("PRAGMA user_version").fetchone()
        new.execute(f"PRAGMA user_version = {version}")
    path.unlink()
    restored.rename(path)


def test_which_recipe_decided_last_is_wrong_after_a_dump(path: Path, clock: SetClock) -> None:
    with closing(Journal(path, clock.clock)) as journal:
        for number in range(20):
            _decide(journal, number)
        journal.forget(Retention(2, 1e12))
    with closing(Journal(path, clock.clock)) as journal:
        assert journal.good_recipes() == ("bracket/1",)
    _dumped(path)
    with closing(Journal(path, clock.clock)) as journal:
        _decide(journal, 21, recipe="bracket/2")
    with closing(Journal(path, clock.clock)) as journal:
        assert journal.good_recipes() == ("bracket/2", "bracket/1")
        assert journal.unacknowledged(9, NOW - DAY) == ["res-18", "res-19", "res-21"]


def test_a_file_of_the_first_version_has_no_order(path: Path, clock: SetClock) -> None:
    with closing(Journal(path, clock.clock)) as journal:
        for number, recipe in enumerate(("bracket/2", "bracket/1")):
            _decide(journal, number, NOW + number * DAY, recipe)
        journal._db.executescript(
            "DROP TRIGGER result_made; DROP TRIGGER result_gone; DROP TABLE result_order;"
            "UPDATE good_recipes SET last_result = 4711;"
        )
    with closing(Journal(path, clock.clock)) as journal:
        assert journal.good_recipes() == ("bracket/1", "bracket/2")


def test_a_verdict_that_the_first_version_writes_has_no_place_in_the_order(
    path: Path, clock: SetClock
) -> None:
    """After an upgrade was rolled back, and then made again."""
    Journal(path, clock.clock).close()
    with closing(sqlite3.connect(path)) as older, older:
        older.execute("INSERT INTO jobs VALUES ('job-9','p','bracket/9','c',0,'b','2026')")
        said = _verdict(9)
        older.execute(
            "INSERT INTO results VALUES ('res-9','job-9','PASS',?,?,NULL)",
            (said.to_json().decode(), said.created_utc.isoformat()),
        )
    with closing(Journal(path, clock.clock)) as journal:
        assert journal.good_recipes() == ("bracket/9",)


# a copy


def test_a_copy_of_a_running_journal_holds_nothing(journal: Journal, path: Path) -> None:
    for number in range(5):
        _decide(journal, number)
    plain = path.with_name("plain.sqlite")
    shutil.copy(path, plain)  # what is still in the log is not in the file
    copied = copy_journal(path, path.with_name("backup.sqlite"))
    assert (copied.jobs, copied.verdicts) == (5, 5)
    moved = path.with_name("elsewhere") / "journal.sqlite"
    moved.parent.mkdir()
    shutil.copy(path.with_name("backup.sqlite"), moved)
    with closing(Journal(moved)) as restored:
        assert restored.result("job-4") == _verdict(4)
        assert len(restored.unacknowledged(9, NOW - DAY)) == 5
    _decide(journal, 6)  # the line goes on


def test_a_half_copied_journal_stands_under_its_name(journal: Journal, path: Path) -> None:
    target = path.with_name("backup.sqlite")
    with pytest.raises(ServiceError, match="no journal here"):
        copy_journal(path.with_name("other.sqlite"), target)
    target.write_text("mine")
    with pytest.raises(ServiceError, match="exists already"):
        copy_journal(path, target)
    assert target.read_text() == "mine"
    assert [each.name for each in path.parent.glob("*.draft*")] == []


def test_another_database_is_copied_as_a_journal(tmp_path: Path) -> None:
    other = tmp_path / "other.sqlite"
    with closing(sqlite3.connect(other)) as db, db:
        db.execute("CREATE TABLE things (name TEXT)")
    with pytest.raises(ServiceError, match="is no journal of this VoxGate"):
        copy_journal(other, tmp_path / "backup.sqlite")
    other.write_bytes(b"no database at all" * 100)
    with pytest.raises(ServiceError, match="cannot be copied"):
        copy_journal(other, tmp_path / "backup.sqlite")


def test_the_command_copies_another_file(tmp_path: Path, cell_yaml: Path) -> None:
    with closing(Journal(load_cell(cell_yaml).config.journal.path)) as journal:
        _decide(journal, 1)
        words = ["journal", "backup", str(tmp_path / "copy.sqlite"), "-c", str(cell_yaml), "--json"]
        said = json.loads(CliRunner().invoke(app, words).stdout)
    assert (said["jobs"], said["verdicts"], said["last_job"]) == (1, 1, "job-1")
    assert _jobs(tmp_path / "copy.sqlite") == ["job-1"]


@pytest.mark.parametrize(("quality", "left"), [("not synchronised", 2), ("synchronised", 0)])
def test_a_box_that_starts_400_days_ahead_forgets_nothing_until_somebody_keeps_its_clock(
    quality: str, left: int, tmp_path: Path
) -> None:
    now = datetime(2026, 11, 28, tzinfo=timezone.utc)
    with closing(Journal(tmp_path / "j.sqlite", Clock(lambda: 0, lambda: now))) as journal:
        for number in range(2):
            journal.open_job(record(f"job-{number}"))
            journal.close_job(verdict(f"job-{number}", f"res-{number}"))
    ahead = Clock(lambda: 0, lambda: now + timedelta(days=400), lambda: quality)
    with closing(Journal(tmp_path / "j.sqlite", ahead)) as journal:
        journal.forget(Retention(max_rows=100, max_age_s=30 * 86_400))
        assert sum(journal.result(f"job-{number}") is not None for number in range(2)) == left


def test_a_clock_that_is_set_back_is_not_believed_where_something_expires(tmp_path: Path) -> None:
    now = datetime(2026, 11, 28, tzinfo=timezone.utc)
    Journal(tmp_path / "j.sqlite", Clock(lambda: 0, lambda: now)).close()
    back = Clock(lambda: 0, lambda: now - timedelta(days=400))
    with closing(Journal(tmp_path / "j.sqlite", back)) as journal:
        assert journal.latest_utc() == now
