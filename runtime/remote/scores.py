"""How one recipe's parts scored over the days, and how far the camera seemed to have moved."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from voxgate.runtime.remote.history import reading

SCORES = """
SELECT jobs.job_id, results.created_utc, results.outcome,
       json_extract(results.message, '$.score'), json_extract(results.message, '$.drift.drift_mm')
FROM jobs JOIN results USING (job_id)
WHERE jobs.recipe = ? ORDER BY jobs.opened_utc DESC LIMIT ?
"""
RECIPES = """
WITH RECURSIVE each(recipe) AS (
    SELECT min(recipe) FROM jobs
    UNION ALL SELECT (SELECT min(recipe) FROM jobs WHERE jobs.recipe > each.recipe) FROM each
    WHERE each.recipe IS NOT NULL
) SELECT recipe FROM each WHERE recipe IS NOT NULL
"""
"""From each to the next in the index: a hundred thousand jobs of three recipes are three steps."""


@dataclass(frozen=True, slots=True)
class Score:
    """Of one part. score, drift_mm: None where the verdict has none."""

    job_id: str
    decided_utc: str
    outcome: str
    score: float | None
    drift_mm: float | None


def last_scores(journal: Path, recipe: str, most: int) -> list[Score]:
    """The newest ones, oldest first. Raises ServiceError."""
    with reading(journal) as db:
        rows = db.execute(SCORES, (recipe, most)).fetchall()
    return [Score(*row) for row in reversed(rows)]


def recipes_in(journal: Path) -> list[str]:
    """Labels by which parts were inspected. Raises ServiceError."""
    with reading(journal) as db:
        return [label for (label,) in db.execute(RECIPES)]
