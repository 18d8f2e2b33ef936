"""An auditor asks who stopped a job, by what it was inspected, and whose keys were listed when."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from tests.kits.cell_kit import write_cell
from tests.kits.journalled import record, verdict
from voxgate.runtime.common.access import ROLES
from voxgate.runtime.config.cell import load_cell
from voxgate.runtime.config.sections import CellConfig
from voxgate.runtime.nouns import How, Origin
from voxgate.runtime.records.chain import THE_BOX, Kind
from voxgate.runtime.records.configured import LISTED, keys_changed, serves
from voxgate.runtime.records.journal import Journal
from voxgate.runtime.wire.keys import make_key_pair

ORIGIN = Origin("ab" * 32, "quality", ("cd" * 32,), "ef" * 32, "0.2.0 1234")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.sqlite"


def whos(path: Path, kind: Kind) -> list[str]:
    with closing(sqlite3.connect(path)) as db:
        rows = db.execute("SELECT who FROM chain WHERE kind = ? ORDER BY number", (kind.value,))
        return [who for (who,) in rows]


def test_nobody_knows_who_stopped_a_job(path: Path) -> None:
    with closing(Journal(path)) as journal:
        journal.open_job(record("job-1"), "plc")
        journal.close_job(verdict("job-1"), "display")
        journal.open_job(record("job-2"), "plc")
        journal.close_job(verdict("job-2", "res-2"))
    assert whos(path, Kind.JOB) == ["plc", "plc"]
    assert whos(path, Kind.RESULT) == ["display", THE_BOX]


def test_a_crash_takes_away_by_what_a_part_was_inspected(path: Path) -> None:
    with closing(Journal(path)) as journal:
        journal.open_job(replace(record(), origin=ORIGIN))
    with closing(Journal(path)) as journal:
        (left,) = journal.open_jobs()
    assert left.origin == ORIGIN


def test_by_what_a_part_was_inspected_can_be_forged_before_the_next_start(path: Path) -> None:
    with closing(Journal(path)) as journal:
        journal.open_job(replace(record(), origin=ORIGIN))
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("UPDATE chain SET detail = replace(detail, 'quality', 'nobody')")
    with closing(Journal(path)) as journal:
        (left,) = journal.open_jobs()
    assert left.origin is None


def cell(folder: Path, **peers: str) -> CellConfig:
    """A cell that lets these peers in, by their keys."""
    listed = [{"name": n, "roles": [*ROLES], "public_key": k} for n, k in peers.items()]
    security = {"secret_key": "keys/box.key_secret", "peers": listed}
    written = write_cell(folder, security=security)
    return load_cell(written).config


def test_a_key_is_exchanged_and_no_record_tells(tmp_path: Path, path: Path) -> None:
    names = ("box", "robot", "display", "new")
    keys = {n: make_key_pair(tmp_path / "keys", n)[1].public.decode() for n in names}
    before = cell(tmp_path, robot=keys["robot"], display=keys["display"])
    after = cell(tmp_path, robot=keys["new"])
    with closing(Journal(path)) as journal:
        first = keys_changed(before, journal.last_detail(Kind.KEYS, LISTED))
        assert first is not None
        journal.note(first)
    with closing(Journal(path)) as journal:
        told = journal.last_detail(Kind.KEYS, LISTED)
        assert keys_changed(before, told) is None, "nothing changed"
        changed = keys_changed(after, told)
    assert changed is not None
    said = json.loads(changed.detail)
    assert said["changes"] == ["peer display: no longer listed", "peer robot: changed"]
    assert keys["new"] in said["keys"]["peer robot"]
    assert said["keys"]["the box"] == keys["box"]
    assert "secret" not in changed.detail


def test_no_record_tells_whose_signature_let_a_recipe_serve() -> None:
    told = json.loads(serves("bracket/2", How.ASKED, ORIGIN).detail)
    assert told["signer"] == "quality"
    assert told["recipe_digest"] == ORIGIN.recipe_digest
