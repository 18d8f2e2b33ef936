"""What a browser gets: the operator's screen, its stream, a job's report. Nothing is changed."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from dataclasses import asdict
from pathlib import Path

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import (
    HTMLResponse,
    JSONResponse,
    PlainTextResponse,
    Response,
    StreamingResponse,
)
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from voxgate.runtime.errors import VoxGateError
from voxgate.runtime.page.live import Live
from voxgate.runtime.page.words import WORDS, language_of

ASSETS = Path(__file__).with_name("assets")
HOSTS = ["127.0.0.1", "localhost", "[::1]"]  # a page of elsewhere that names us by its own name
OURS = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'"
REPORT = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
SEALED = "; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

ReportOf = Callable[[str], str]
"""The HTML of a job's report. Raises VoxGateError when there is none."""


def app_of(live: Live, report_of: ReportOf) -> Starlette:
    """The page of one cell."""

    def operator(request: Request) -> Response:
        return _page((ASSETS / "operator.html").read_text("utf-8"), OURS)

    def words(request: Request) -> Response:
        asked = request.query_params.get("lang") or request.headers.get("accept-language", "")
        language = language_of(asked)
        return JSONResponse({"language": language, "words": WORDS[language]}, headers=_sealed(OURS))

    def stream(request: Request) -> Response:
        return StreamingResponse(
            _events(live), media_type="text/event-stream", headers=_sealed(OURS)
        )

    async def job(request: Request) -> Response:
        try:
            html = await run_in_threadpool(report_of, request.path_params["job_id"])
        except VoxGateError as error:
            return PlainTextResponse(str(error), 404, headers=_sealed(OURS))
        return _page(html, REPORT)

    return Starlette(
        routes=[
            Route("/", operator),
            Route("/words", words),
            Route("/stream", stream),
            Route("/jobs/{job_id}", job),
            Mount("/assets", StaticFiles(directory=ASSETS)),
        ],
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=HOSTS, www_redirect=False)],
    )


async def _events(live: Live) -> AsyncIterator[str]:
    async for screen in live.screens():
        yield f"data: {json.dumps(asdict(screen))}\n\n"


def _page(html: str, policy: str) -> Response:
    return HTMLResponse(html, headers=_sealed(policy))


def _sealed(policy: str) -> dict[str, str]:
    """Headers: nothing from elsewhere, nothing of ours elsewhere, nothing kept."""
    return {
        "Content-Security-Policy": policy + SEALED,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Cache-Control": "no-store",
    }
