"""Where a browser asks how the cell and its machine stand. Nothing is switched from here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from threading import Lock

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from voxgate.runtime.common.people.role import Role
from voxgate.runtime.config.sections import CellConfig
from voxgate.runtime.errors import ServiceError, VoxGateError
from voxgate.runtime.page.assets_folder import asset
from voxgate.runtime.page.door.door import Door, Said
from voxgate.runtime.page.door.visitor import Visitor
from voxgate.runtime.page.live import Live
from voxgate.runtime.page.sealed import JPEG, html, raw, told
from voxgate.runtime.page.upkeep.calibration import calibration_report
from voxgate.runtime.page.upkeep.examined import examined
from voxgate.runtime.page.upkeep.live_pictures import LivePictures
from voxgate.runtime.remote.figures import figures
from voxgate.runtime.remote.history import last_jobs


def upkeep_routes(config: CellConfig, live: Live, seen: LivePictures, door: Door) -> list[Route]:
    """Of one cell."""
    one_at_a_time = Lock()

    def page(request: Request, visitor: Visitor) -> Response:
        return html(asset("maintenance.html"))

    def state(request: Request, visitor: Visitor) -> Response:
        beat = live.beat
        shown = None if beat is None else beat.model_dump(mode="json")
        rows, why = _or_why(lambda: [asdict(each) for each in figures(config.metrics)])
        return told({"cell": config.cell, "beat": shown, "figures": rows or [], "why_none": why})

    def calibration(request: Request, visitor: Visitor) -> Response:
        return told(calibration_report(*config.calibrations.values()))

    def pictures(request: Request, visitor: Visitor) -> Response:
        return told({"cameras": seen.ages()})

    def picture(request: Request, visitor: Visitor) -> Response:
        return raw(seen.jpeg(request.path_params["camera"]), JPEG)

    def last_seen(request: Request, visitor: Visitor) -> Response:
        found = last_jobs(config.journal.path, 1)
        return told({"job_id": found[0].job_id if found else None})

    def examine(request: Request, visitor: Visitor, said: Said) -> Response:
        if not one_at_a_time.acquire(blocking=False):
            raise ServiceError("it is being examined: wait until that is done")
        try:
            return told(examined(config))
        finally:
            one_at_a_time.release()

    return [
        Route("/maintenance", door.shows(Role.MAINTENANCE, page, is_page=True)),
        Route("/api/state", door.shows(Role.MAINTENANCE, state)),
        Route("/api/calibration", door.shows(Role.MAINTENANCE, calibration)),
        Route("/api/pictures", door.shows(Role.MAINTENANCE, pictures)),
        Route("/api/pictures/{camera}/{number:int}", door.shows(Role.MAINTENANCE, picture)),
        Route("/api/last", door.shows(Role.MAINTENANCE, last_seen)),
        Route("/api/examine", door.changes(Role.MAINTENANCE, examine), methods=["POST"]),
    ]


def _or_why(
    asked: Callable[[], list[dict[str, object]]],
) -> tuple[list[dict[str, object]] | None, str]:
    try:
        return asked(), ""
    except VoxGateError as error:
        return None, str(error)
