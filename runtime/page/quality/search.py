"""Jobs as rows for a browser, and one recipe's scores over the days."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict

from voxgate.runtime.errors import ServiceError
from voxgate.runtime.page.quality.archive import Archive
from voxgate.runtime.page.quality.asked import wanted
from voxgate.runtime.remote.history import PastJob, last_jobs
from voxgate.runtime.remote.marks import Mark, marks_in
from voxgate.runtime.remote.scores import last_scores, recipes_in

PAGE = 50  # rows
MOST_SCORES = 2000  # points of a chart: more lie on top of each other


def rows(archive: Archive, query: Mapping[str, str]) -> dict[str, object]:
    """A page of jobs, newest first, and after which to go on. Raises ServiceError."""
    found = last_jobs(archive.journal, PAGE, wanted(query))
    marks = marks_in(archive.marks)
    more = found[-1].place if len(found) == PAGE else None
    return {"jobs": [_row(job, marks.get(job.job_id)) for job in found], "before": more}


def scores(archive: Archive, query: Mapping[str, str]) -> dict[str, object]:
    """By one recipe, the last one that served where none is named. Raises ServiceError."""
    recipes = recipes_in(archive.journal)
    newest = last_jobs(archive.journal, 1)
    recipe = query.get("recipe") or (newest[0].recipe if newest else "")
    if recipe and recipe not in recipes:
        raise ServiceError("by this recipe no part was inspected here")
    found = last_scores(archive.journal, recipe, MOST_SCORES) if recipe else []
    return {"recipe": recipe, "recipes": recipes, "scores": [asdict(each) for each in found]}


def _row(job: PastJob, mark: Mark | None) -> dict[str, object]:
    verdict = job.verdict
    why = "" if verdict is None or not verdict.reasons else verdict.reasons[0].reason.value
    utc = job.opened_utc if verdict is None else verdict.created_utc.isoformat()
    return {
        "job_id": job.job_id,
        "part_id": job.part_id,
        "recipe": job.recipe,
        "utc": utc,
        "outcome": None if verdict is None else verdict.outcome.value,
        "score": None if verdict is None else verdict.score,
        "why": why,
        "judged": None if mark is None else mark.judged.value,
    }
