"""Where a browser asks for jobs, pictures, points and scores, and says what it holds of them."""

from __future__ import annotations

from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from voxgate.runtime.common.people.role import Role
from voxgate.runtime.common.wall_clock import utc_now
from voxgate.runtime.errors import ScanError, ServiceError
from voxgate.runtime.page.assets_folder import asset
from voxgate.runtime.page.door.door import Door, Said
from voxgate.runtime.page.door.visitor import Visitor
from voxgate.runtime.page.quality import job, search
from voxgate.runtime.page.quality.archive import Archive
from voxgate.runtime.page.quality.asked import is_identifier
from voxgate.runtime.page.quality.second_opinion import second_opinion
from voxgate.runtime.page.sealed import JPEG, REPORT, html, raw, told
from voxgate.runtime.remote.marks import Judged, Mark, put_mark
from voxgate.runtime.report.job_report import report

POINTS = "application/octet-stream"
Picture = Callable[[Archive, str, int], bytes]


def quality_routes(archive: Archive, door: Door) -> list[Route]:
    """Of one cell."""

    def page(request: Request, visitor: Visitor) -> Response:
        return html(asset("quality.html"))

    def jobs(request: Request, visitor: Visitor) -> Response:
        return told(search.rows(archive, request.query_params))

    def scores(request: Request, visitor: Visitor) -> Response:
        return told(search.scores(archive, request.query_params))

    def job_page(request: Request, visitor: Visitor) -> Response:
        _known(archive, request)
        return html(asset("job.html"))

    def printed(request: Request, visitor: Visitor) -> Response:
        return html(report(archive.recording(_job_id(request))), REPORT)

    def told_job(request: Request, visitor: Visitor) -> Response:
        return told(job.job(archive, _known(archive, request)))

    def volume(request: Request, visitor: Visitor) -> Response:
        return raw(job.volume(archive, _job_id(request)), POINTS)

    def judge(request: Request, visitor: Visitor, said: Said) -> Response:
        mark = _mark(archive, _job_id(request), visitor, said)
        put_mark(archive.marks, mark)
        return told({"judged": mark.judged.value})

    def compare(request: Request, visitor: Visitor, said: Said) -> Response:
        return told(second_opinion(archive, _job_id(request), str(said.get("recipe", ""))))

    of_job = "/api/jobs/{job_id}"
    pictures = {"seen": job.seen_picture, "golden": job.golden_picture}
    return [
        Route("/quality", door.shows(Role.QUALITY, page, is_page=True)),
        Route("/jobs/{job_id}", door.shows(Role.OPERATOR, job_page, is_page=True)),
        Route("/jobs/{job_id}/report", door.shows(Role.OPERATOR, printed, is_page=True)),
        Route("/api/jobs", door.shows(Role.QUALITY, jobs)),
        Route("/api/scores", door.shows(Role.QUALITY, scores)),
        Route(of_job, door.shows(Role.OPERATOR, told_job)),
        Route(f"{of_job}/volume", door.shows(Role.OPERATOR, volume)),
        Route(f"{of_job}/mark", door.changes(Role.QUALITY, judge), methods=["POST"]),
        Route(f"{of_job}/compare", door.changes(Role.QUALITY, compare), methods=["POST"]),
        *(
            Route(
                f"{of_job}/{kind}/{{number:int}}",
                door.shows(Role.OPERATOR, _picture(archive, drawn)),
            )
            for kind, drawn in pictures.items()
        ),
    ]


def _picture(archive: Archive, drawn: Picture) -> Callable[[Request, Visitor], Response]:
    def picture(request: Request, visitor: Visitor) -> Response:
        return raw(drawn(archive, _job_id(request), request.path_params["number"]), JPEG)

    return picture


def _mark(archive: Archive, job_id: str, visitor: Visitor, said: Said) -> Mark:
    verdict = archive.verdict(job_id)
    if verdict is None:
        raise ServiceError(f"{job_id}: has no verdict to judge")
    word, note = said.get("judged"), said.get("note", "")
    if word not in {each.value for each in Judged} or not isinstance(note, str) or len(note) > 500:
        raise ServiceError("judged: right or wrong; note: at most 500 characters")
    return Mark(
        job_id=job_id,
        outcome=verdict.outcome,
        judged=Judged(word),
        who=visitor.name,
        note=note,
        utc=utc_now(),
    )


def _known(archive: Archive, request: Request) -> str:
    """A job's id. Raises ScanError for one that nothing tells of."""
    job_id = _job_id(request)
    if not archive.knows(job_id):
        raise ScanError("no such job: not in the journal, and no recording of it is kept")
    return job_id


def _job_id(request: Request) -> str:
    job_id = str(request.path_params["job_id"])
    if not is_identifier(job_id):
        raise ScanError("this is no job's id")
    return job_id
