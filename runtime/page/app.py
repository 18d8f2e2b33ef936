"""What a browser gets: the screen beside the line, the quality page, who is logged in."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import asdict
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from voxgate.runtime.common.people.role import Role
from voxgate.runtime.config.page import HERE
from voxgate.runtime.page.assets_folder import ASSETS, asset
from voxgate.runtime.page.door.door import LOGIN, Door
from voxgate.runtime.page.door.visitor import Visitor
from voxgate.runtime.page.live import Live
from voxgate.runtime.page.reasons import reasons_in
from voxgate.runtime.page.sealed import html, sealed
from voxgate.runtime.page.words import WORDS, language_of


def app_of(
    live: Live, door: Door, rooms: Sequence[BaseRoute], hosts: Sequence[str] = HERE
) -> Starlette:
    """The page of one cell. rooms: what there is beside the operator's screen. hosts: what browsers
    call this box; a page of elsewhere would name it by a name of its own."""
    return Starlette(
        routes=[*_operator_routes(live, door), *_door_routes(door), *rooms],
        middleware=[
            Middleware(TrustedHostMiddleware, allowed_hosts=list(hosts), www_redirect=False)
        ],
    )


def _operator_routes(live: Live, door: Door) -> list[BaseRoute]:
    def operator(request: Request, visitor: Visitor) -> Response:
        return html(asset("operator.html"))

    def stream(request: Request, visitor: Visitor) -> Response:
        events = _events(live, lambda: door.visitor(request) is not None)
        return StreamingResponse(events, media_type="text/event-stream", headers=sealed())

    return [
        Route("/", door.shows(Role.OPERATOR, operator, is_page=True)),
        Route("/stream", door.shows(Role.OPERATOR, stream)),
    ]


def _door_routes(door: Door) -> list[BaseRoute]:
    def login(request: Request) -> Response:
        return html(asset("login.html"))

    def words(request: Request) -> Response:
        asked = request.query_params.get("lang") or request.headers.get("accept-language", "")
        language = language_of(asked)
        said = {"language": language, "words": WORDS[language], "reasons": reasons_in(language)}
        return JSONResponse(said, headers=sealed())

    return [
        Route("/words", words),
        Route("/me", door.shows(Role.OPERATOR, door.me)),
        Route(LOGIN, login),
        Route("/session", door.log_in, methods=["POST"]),
        Route("/session/end", door.changes(Role.OPERATOR, door.log_out), methods=["POST"]),
        Mount("/assets", _Assets(directory=ASSETS)),
    ]


class _Assets(StaticFiles):
    def file_response(self, *arguments: Any, **named: Any) -> Response:
        """With the headers of everything else."""
        response = super().file_response(*arguments, **named)
        response.headers.update(sealed())
        return response


async def _events(live: Live, may_look: Callable[[], bool]) -> AsyncIterator[str]:
    """Until who looks has logged out, or has to log in again."""
    async for screen in live.screens():
        if not may_look():
            return
        yield f"data: {json.dumps(asdict(screen))}\n\n"
