"""The recordings of one part are found by its number, which their names do not hold."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from tests.kits.job_files import header, part
from voxgate.runtime.cli import app
from voxgate.runtime.nouns import Outcome
from voxgate.runtime.records.evidence_folder import file_name
from voxgate.runtime.scans.job_writer import write_job
from voxgate.runtime.scans.recording import Recording

UTC = datetime(2026, 11, 22, tzinfo=timezone.utc)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Part 4711 twice, a second try; 4712 once; and a file that a disk has damaged."""
    files = part(tmp_path)
    kept = tmp_path / "evidence"
    kept.mkdir()
    for number, part_id in enumerate(("4711", "4712", "4711")):
        job = replace(header().job, job_id=f"job-{number}", part_id=part_id)
        name = file_name(job.job_id, Outcome.FAIL, UTC + timedelta(minutes=number))
        with (kept / name).open("wb") as file:
            write_job(file, Recording(replace(header(), job=job)), files, None)
    (kept / file_name("job-9", Outcome.PASS, UTC)).write_bytes(b"\x89MCAP0\r\n\x03")
    return kept


def _listed(*words: str) -> tuple[int, list[dict[str, Any]]]:
    result = CliRunner().invoke(app, ["evidence", "list", *words, "--json"])
    return result.exit_code, json.loads(result.stdout)["recordings"]


def test_the_recordings_of_a_part_cannot_be_found(folder: Path) -> None:
    exit_code, rows = _listed(str(folder), "--part", "4711")
    assert exit_code == 0
    assert [row["job_id"] for row in rows] == ["job-0", "job-2"]
    assert {row["part_id"] for row in rows} == {"4711"}
    _, (row,) = _listed(str(folder), "--part", "4711", "--job", "job-2")
    assert row["job_id"] == "job-2"


def test_a_part_that_was_never_recorded_is_found(folder: Path) -> None:
    assert _listed(str(folder), "--part", "4713") == (1, [])


def test_a_damaged_recording_hides_the_others(folder: Path) -> None:
    exit_code, rows = _listed(str(folder))
    assert exit_code == 0
    parts = {row["job_id"]: row["part_id"] for row in rows}
    assert parts == {"job-0": "4711", "job-1": "4712", "job-2": "4711", "job-9": None}


def test_a_person_is_not_told_the_part(folder: Path) -> None:
    result = CliRunner().invoke(app, ["evidence", "list", str(folder), "--part", "4712"])
    assert "part 4712" in result.stdout
