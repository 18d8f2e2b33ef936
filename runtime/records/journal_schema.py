"""The tables of the journal's file, and how an older file gets what came later."""

from __future__ import annotations

from voxgate.runtime.records.chain import TABLE

SCHEMA_VERSION = 1

SCHEMA = """
CREATE TABLE jobs (
    job_id           TEXT PRIMARY KEY,
    part_id          TEXT NOT NULL,
    recipe           TEXT NOT NULL,
    configuration_id TEXT NOT NULL,
    is_simulated     INTEGER NOT NULL CHECK (is_simulated IN (0, 1)),
    backend          TEXT NOT NULL,
    opened_utc       TEXT NOT NULL
) STRICT;
CREATE TABLE results (
    result_id        TEXT PRIMARY KEY,
    job_id           TEXT NOT NULL UNIQUE REFERENCES jobs (job_id),
    outcome          TEXT NOT NULL CHECK (outcome IN ('PASS', 'FAIL', 'INDETERMINATE')),
    message          TEXT NOT NULL,
    created_utc      TEXT NOT NULL,
    acknowledged_utc TEXT
) STRICT;
"""

NUMBERED = """
CREATE TABLE result_order (
    number    INTEGER PRIMARY KEY AUTOINCREMENT,
    result_id TEXT NOT NULL UNIQUE
) STRICT;
INSERT INTO result_order (result_id) SELECT result_id FROM results ORDER BY created_utc, rowid;
CREATE TRIGGER result_made AFTER INSERT ON results BEGIN
    INSERT INTO result_order (result_id) VALUES (new.result_id);
END;
CREATE TRIGGER result_gone AFTER DELETE ON results BEGIN
    DELETE FROM result_order WHERE result_id = old.result_id;
END;
DROP TABLE IF EXISTS good_recipes;
"""
"""Which verdict came after which, by numbers of its own: SQLite's row ids change with a dump.

Made once. The triggers number what a VoxGate from before it writes, too.
"""

GOOD = """
INSERT INTO good_recipes
    SELECT recipe, max(number) FROM result_order
        JOIN results USING (result_id) JOIN jobs USING (job_id)
    WHERE outcome IN ('PASS', 'FAIL')
        AND number > (SELECT coalesce(max(last_result), 0) FROM good_recipes)
    GROUP BY recipe
    ON CONFLICT (recipe) DO UPDATE SET last_result = excluded.last_result;
"""

SEARCHED = """
CREATE INDEX IF NOT EXISTS opened ON jobs (opened_utc);
CREATE INDEX IF NOT EXISTS opened_of_part ON jobs (part_id, opened_utc);
CREATE INDEX IF NOT EXISTS opened_of_recipe ON jobs (recipe, opened_utc);
CREATE INDEX IF NOT EXISTS decided_so ON results (outcome, created_utc);
"""
"""By what people look for jobs (runtime/remote/history.py)."""

ADDED = f"""
{TABLE}
CREATE INDEX IF NOT EXISTS unacknowledged ON results (acknowledged_utc)
    WHERE acknowledged_utc IS NULL;
CREATE INDEX IF NOT EXISTS unacknowledged_since ON results (acknowledged_utc, created_utc)
    WHERE acknowledged_utc IS NULL;
{SEARCHED}
CREATE TABLE IF NOT EXISTS good_recipes (
    recipe      TEXT PRIMARY KEY,
    last_result INTEGER NOT NULL
) STRICT;
{GOOD}
"""
"""What came later, made at every opening in one transaction, and brought up to date.

A VoxGate from before it reads and writes the file all the same: an upgrade can be rolled back.
good_recipes: those that decided a part, with the number of their last such verdict.
"""
