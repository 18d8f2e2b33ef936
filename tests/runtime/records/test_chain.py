"""The journal proves itself: what was altered, taken out or put in is named; a crash is none."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.kits.job_files import header, part
from tests.kits.journalled import passing_verdict, record
from voxgate.runtime.cli import app
from voxgate.runtime.common.trusted.box_key import key_beside
from voxgate.runtime.errors import ServiceError
from voxgate.runtime.records.chain import Event, Kind, digest_of
from voxgate.runtime.records.journal import Journal, Retention
from voxgate.runtime.records.journal_verify import RESULT_COLUMNS, verify
from voxgate.runtime.scans.job_writer import write_job
from voxgate.runtime.scans.recording import Recording
from voxgate.runtime.wire.verdict import VerdictMessage

JOBS = 5
PASSED = (
    """UPDATE results SET message = replace(message, '"part"', '"other"') WHERE job_id = 'job-2'"""
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A journal of some jobs, closed."""
    path = tmp_path / "journal.sqlite"
    journal = Journal(path)
    for number in range(JOBS):
        journal.open_job(record(f"job-{number}"), "robot")
        journal.close_job(passing_verdict(f"job-{number}"))
    journal.acknowledge("result-job-1", "robot")
    journal.note(Event(Kind.COMMAND, "bracket/2", "display", "prepare_recipe"))
    journal.close()
    return path


def altered(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path)) as db, db:
        for statement in statements:
            db.execute(statement)


def test_a_journal_that_nobody_touched_is_whole(path: Path) -> None:
    found = verify(path)
    assert (found.wrong, found.unclosed) == ([], [])
    assert (found.jobs, found.verdicts, found.unproven) == (JOBS, JOBS, 0)
    assert verify(path, found.keys[0], found.head).wrong == []


@pytest.mark.parametrize(
    ("statement", "named"),
    [
        ("UPDATE results SET outcome = 'FAIL' WHERE job_id = 'job-2'", "verdict of job job-2: was"),
        ("UPDATE results SET message = replace(message, '0.5', '0.4')", "job-0: was altered"),
        ("UPDATE results SET result_id = 'x' WHERE job_id = 'job-2'", "job-2: was altered"),
        ("UPDATE jobs SET part_id = 'other' WHERE job_id = 'job-3'", "job job-3: was altered"),
        ("DELETE FROM results WHERE job_id = 'job-3'", "verdict of job job-3: is missing"),
        ("DELETE FROM chain WHERE number = 4", "entries 4 to 4: are missing"),
        ("DELETE FROM chain WHERE number < 4", "entries 1 to 3: are missing"),
        (
            "UPDATE chain SET who = 'nobody' WHERE kind = 'command'",
            "command bracket/2): was altered",
        ),
        ("UPDATE chain SET utc = '2020-01-01T00:00:00+00:00' WHERE number = 3", "entry 3"),
        ("UPDATE chain SET kind = 'forgotten' WHERE number = 3", "entry 3"),
        ("UPDATE chain SET kind = 'x' WHERE number = 3", "entry 3: is none"),
        ("UPDATE chain SET signature = '00' WHERE number = 3", "entry 3: was not signed"),
        ("UPDATE results SET acknowledged_utc = '2026-01-01' WHERE job_id = 'job-4'", "nobody did"),
        (
            "INSERT INTO jobs SELECT 'job-x', part_id, recipe, configuration_id, is_simulated, "
            "backend, opened_utc FROM jobs WHERE job_id = 'job-4'",
            "job job-x: is foreign",
        ),
    ],
)
def test_what_was_altered_taken_out_or_put_in_is_named(
    statement: str, named: str, path: Path
) -> None:
    altered(path, statement)
    assert any(named in line for line in verify(path).wrong), verify(path).wrong


def test_a_tail_that_was_cut_off_is_seen_by_the_head_that_was_told(path: Path) -> None:
    head = verify(path).head
    altered(path, f"DELETE FROM chain WHERE number = {head.partition(':')[0]}")
    assert verify(path).wrong == []
    assert "is not the one that was told" in verify(path, head=head).wrong[0]


def test_another_box_cannot_have_written_it(path: Path, tmp_path: Path) -> None:
    own = verify(path).keys[0]
    key_beside(path).unlink()
    Journal(path).close()
    assert verify(path).wrong == []  # a box that was replaced
    assert "opened by another box" in verify(path, own).wrong[0]


def test_a_fail_that_became_a_pass_in_the_file_is_never_told(path: Path) -> None:
    altered(path, PASSED)
    journal = Journal(path)
    with pytest.raises(ServiceError, match="not the one that this box wrote"):
        journal.result("job-2")
    journal.close()


def test_an_entry_that_somebody_else_appended_proves_no_verdict(path: Path) -> None:
    own = key_beside(path).read_bytes()
    key_beside(path).unlink()
    foreign = Journal(path)
    altered(path, PASSED)
    with closing(sqlite3.connect(path)) as db:
        row = db.execute(f"SELECT {RESULT_COLUMNS} FROM results WHERE job_id = 'job-2'").fetchone()
    foreign.note(Event(Kind.RESULT, "job-2", content=digest_of(row)))
    foreign.close()
    key_beside(path).write_bytes(own)
    journal = Journal(path)
    with pytest.raises(ServiceError, match="not the one"):
        journal.result("job-2")
    journal.close()


def test_a_power_cut_is_told_apart_from_tampering(path: Path) -> None:
    altered(path, "DELETE FROM chain WHERE kind = 'closed'")  # as if that was never written
    journal = Journal(path)
    assert journal.result("job-1") is not None
    journal.close()
    found = verify(path)
    assert found.wrong == []
    assert len(found.unclosed) == 1


def test_what_is_forgotten_leaves_a_chain_that_is_whole_and_no_longer_than_the_journal(
    path: Path,
) -> None:
    journal = Journal(path)
    for number in range(200):
        journal.open_job(record(f"new-{number}"))
        journal.close_job(passing_verdict(f"new-{number}"))
        journal.forget(Retention(max_rows=10, max_age_s=1e9))
    journal.close()
    found = verify(path)
    assert found.wrong == []
    assert found.verdicts == 10
    assert found.entries < 100


def test_a_key_that_others_may_read_signs_nothing(path: Path) -> None:
    key_beside(path).chmod(0o644)
    with pytest.raises(ServiceError, match="chmod 600"):
        Journal(path)


def test_who_asked_stands_in_the_chain(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db:
        rows = db.execute("SELECT kind, subject, who FROM chain").fetchall()
    assert ("job", "job-2", "robot") in rows
    assert ("acknowledged", "result-job-1", "robot") in rows
    assert ("command", "bracket/2", "display") in rows


def test_a_recording_that_was_exchanged_is_named(path: Path, tmp_path: Path) -> None:
    recording = tmp_path / "20261128T000000Z_job-1_FAIL.mcap"
    recording.write_bytes(b"what the line saw")
    journal = Journal(path)
    digest = hashlib.sha256(b"what the line saw").hexdigest()
    journal.note(Event(Kind.RECORDING, "job-1", detail=recording.name, content=digest))
    journal.close()
    assert verify(path, evidence=tmp_path).wrong == []
    recording.write_bytes(b"what a good part looks like")
    assert verify(path, evidence=tmp_path).wrong == [f"recording {recording.name}: was altered"]
    recording.unlink()  # the oldest give way: no tampering
    assert verify(path, evidence=tmp_path).wrong == []


def recorded(folder: Path, message: VerdictMessage) -> Path:
    """A recording that no entry tells of, as a kill right after the writing leaves one."""
    path = folder / f"20261128T000000Z_{message.job_id}_{message.outcome.value}.mcap"
    with path.open("wb") as file:
        write_job(file, Recording(header()), part(folder), message)
    return path


def test_a_recording_with_another_verdict_than_the_journals_passes_for_the_jobs(
    path: Path, tmp_path: Path
) -> None:
    with closing(Journal(path)) as journal:
        told = journal.result("job-1")
    assert told is not None
    folder = tmp_path / "evidence"
    folder.mkdir()
    recorded(folder, told)
    assert verify(path, evidence=folder).wrong == [], "a crash is no tampering"
    altered_one = recorded(folder, told.model_copy(update={"score": 0.25}))
    (said,) = verify(path, evidence=folder).wrong
    assert said == f"recording {altered_one.name}: holds another verdict than the journal"
    altered_one.unlink()
    stranger = recorded(folder, passing_verdict("job-77"))
    (said,) = verify(path, evidence=folder).wrong
    assert stranger.name in said


def test_the_command_names_what_is_wrong_and_exits_1(path: Path) -> None:
    whole = CliRunner().invoke(app, ["journal", "verify", "--file", str(path)])
    assert whole.exit_code == 0
    assert "whole up to" in whole.output
    altered(path, "DELETE FROM jobs WHERE job_id = 'job-0'", "DELETE FROM results")
    wrong = CliRunner().invoke(app, ["journal", "verify", "--file", str(path), "--json"])
    assert wrong.exit_code == 1
    assert "job job-0: is missing" in json.loads(wrong.output)["wrong"]
