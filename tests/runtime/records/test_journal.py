"""The journal: one verdict per job whatever happens to process or disk, and never a silent loss."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.kits.journalled import record, verdict
from voxgate.runtime.errors import ServiceError
from voxgate.runtime.records.journal import _ADDED, Journal


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "journal.sqlite"


@pytest.fixture
def journal(path: Path) -> Iterator[Journal]:
    journal = Journal(path)
    yield journal
    journal.close()


def test_verdict_comes_back_as_it_was_written(journal: Journal) -> None:
    assert journal.open_job(record())
    journal.close_job(verdict())
    assert journal.result("job-1") == verdict()


def test_second_verdict_of_a_job_is_impossible(journal: Journal) -> None:
    journal.open_job(record())
    journal.close_job(verdict())
    with pytest.raises(ServiceError, match="has a verdict already"):
        journal.close_job(verdict(result_id="res-2", passed=False))
    assert journal.result("job-1") == verdict()


def test_verdict_without_a_job_is_impossible(journal: Journal) -> None:
    with pytest.raises(ServiceError, match="never opened"):
        journal.close_job(verdict("job-9"))


def test_job_id_cannot_be_used_twice(journal: Journal) -> None:
    assert not journal.knows("job-1")
    assert journal.open_job(record())
    assert journal.knows("job-1")
    assert not journal.open_job(record())


def test_job_left_open_is_found_after_the_process_was_killed(path: Path) -> None:
    journal = Journal(path)
    journal.open_job(record("job-1"))
    journal.close_job(verdict("job-1"))
    journal.open_job(record("job-2"))
    # as kill -9 leaves it: nothing is closed, nothing is folded
    image = {file.name: file.read_bytes() for file in path.parent.iterdir()}
    journal.close()
    for name, content in image.items():
        path.with_name(name).write_bytes(content)
    again = Journal(path)
    assert again.open_jobs() == [record("job-2")]
    assert again.result("job-1") == verdict("job-1")
    again.close()


def test_acknowledge_keeps_the_first_time(journal: Journal) -> None:
    journal.open_job(record())
    journal.close_job(verdict())
    assert journal.acknowledge("res-1")
    assert journal.acknowledge("res-1")
    assert not journal.acknowledge("res-9")


def test_verdict_is_revoked_towards_caution_only(journal: Journal) -> None:
    journal.open_job(record())
    journal.close_job(verdict())
    with pytest.raises(ServiceError, match="towards INDETERMINATE"):
        journal.revoke(verdict())
    cautious = verdict(result_id="res-2", passed=False)
    journal.revoke(cautious)
    assert journal.result("job-1") == cautious


def test_revoking_needs_no_verdict_before(journal: Journal) -> None:
    journal.open_job(record())
    journal.revoke(verdict(passed=False))
    assert journal.open_jobs() == []


def test_revoking_without_waiting_leaves_the_patience_of_other_writes(
    journal: Journal, path: Path
) -> None:
    journal.open_job(record())
    before = journal._db.execute("PRAGMA busy_timeout").fetchone()
    other = sqlite3.connect(path)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(ServiceError, match="locked"):
        journal.revoke(verdict(passed=False), wait=False)
    other.rollback()
    other.close()
    assert journal._db.execute("PRAGMA busy_timeout").fetchone() == before
    journal.revoke(verdict(passed=False), wait=False)
    assert journal.result("job-1") == verdict(passed=False)


def test_second_service_cannot_share_a_journal(journal: Journal, path: Path) -> None:
    with pytest.raises(ServiceError, match="another voxgate"):
        Journal(path)


def test_journal_is_free_again_after_close(path: Path) -> None:
    Journal(path).close()
    Journal(path).close()


def test_full_disk_is_told_and_nothing_half_is_kept(journal: Journal) -> None:
    journal.open_job(record())
    (pages,) = journal._db.execute("PRAGMA page_count").fetchone()
    journal._db.execute(f"PRAGMA max_page_count = {pages}")
    large = verdict().model_copy(update={"backend": "x" * 60_000})
    with pytest.raises(ServiceError, match="disk is full"):
        journal.close_job(large)
    assert journal.result("job-1") is None
    assert journal.open_jobs() == [record()]


def test_locked_journal_is_told(journal: Journal, path: Path) -> None:
    other = sqlite3.connect(path)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(ServiceError, match="locked"):
        journal.open_job(record())
    other.rollback()
    other.close()
    assert journal.open_job(record())


def test_damaged_verdict_is_told_not_guessed(journal: Journal) -> None:
    journal.open_job(record())
    journal.close_job(verdict())
    journal._db.execute("UPDATE results SET message = '{}'")
    with pytest.raises(ServiceError, match="unreadable"):
        journal.result("job-1")


def _garbage(path: Path) -> None:
    path.write_bytes(b"this is no database, and longer than a header is" * 100)


def _torn(path: Path) -> None:
    Journal(path).close()
    content = path.read_bytes()
    path.write_bytes(content[:4096] + b"\xff" * (len(content) - 4096))


def _newer(path: Path) -> None:
    db = sqlite3.connect(path)
    db.execute("PRAGMA user_version = 99")
    db.close()


def _folder(path: Path) -> None:
    path.mkdir()


@pytest.mark.parametrize("harm", [_garbage, _torn, _newer, _folder])
def test_file_that_is_no_journal_is_refused_in_one_line(
    path: Path, harm: Callable[[Path], None]
) -> None:
    path.parent.mkdir()
    harm(path)
    with pytest.raises(ServiceError) as caught:
        _use(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def _use(path: Path) -> None:
    journal = Journal(path)
    try:
        journal.open_job(record())
    finally:
        journal.close()


def test_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ServiceError, match="folder it may write to"):
        Journal(tmp_path / "file" / "journal.sqlite")


def _as_the_first_version_wrote_it(path: Path, jobs: int) -> None:
    """With its tables and nothing else: every second part failed, none was acknowledged."""
    journal = Journal(path)
    for number in range(jobs):
        journal.open_job(record(f"job-{number}", recipe=f"bracket/{number % 2 + 1}"))
        journal.close_job(verdict(f"job-{number}", f"res-{number}", passed=number != jobs - 1))
    journal._db.executescript("DROP INDEX unacknowledged; DROP TABLE good_recipes;")
    journal.close()


def test_older_file_opens_and_gets_what_came_later(path: Path) -> None:
    path.parent.mkdir()
    _as_the_first_version_wrote_it(path, jobs=6)
    journal = Journal(path)
    assert journal.count_unacknowledged(1000) == (6, "job-0")
    assert journal.good_recipes() == ("bracket/1", "bracket/2")  # the last of /2 decided nothing
    journal.close()


def test_recipe_counts_as_good_by_the_parts_it_decided_last(path: Path) -> None:
    journal = Journal(path)
    for number, version in enumerate((1, 2, 3)):
        journal.open_job(record(f"job-{number}", recipe=f"bracket/{version}"))
        journal.close_job(verdict(f"job-{number}", f"res-{number}", passed=version != 3))
    journal.close()
    journal = Journal(path)
    assert journal.good_recipes() == ("bracket/2", "bracket/1")
    journal.open_job(record("job-9"))
    journal.close_job(verdict("job-9", "res-9"))
    journal.close()
    journal = Journal(path)
    assert journal.good_recipes() == ("bracket/1", "bracket/2")
    journal.close()


def test_migration_that_is_interrupted_leaves_the_older_file(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path.parent.mkdir()
    _as_the_first_version_wrote_it(path, jobs=2)
    with monkeypatch.context() as broken:
        broken.setattr(
            "voxgate.runtime.records.journal._ADDED", _ADDED + "SELECT no_such_function();"
        )
        with pytest.raises(ServiceError, match="no_such_function"):
            Journal(path)
    with contextlib.closing(sqlite3.connect(path)) as db:
        names = {name for (name,) in db.execute("SELECT name FROM sqlite_schema")}
        assert "good_recipes" not in names
    Journal(path).close()
