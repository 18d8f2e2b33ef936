"""What goes out: every answer says what a browser may do with it, which is next to nothing."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response

JPEG = "image/jpeg"
OURS = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'"
REPORT = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
SEALED = "; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"


def sealed(policy: str = OURS) -> dict[str, str]:
    """Headers: nothing from elsewhere, nothing of ours elsewhere, nothing kept."""
    return {
        "Content-Security-Policy": policy + SEALED,
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Strict-Transport-Security": "max-age=31536000",  # browsers mind it over TLS alone
        "Cache-Control": "no-store",
    }


def html(text: str, policy: str = OURS) -> Response:
    """A page."""
    return HTMLResponse(text, headers=sealed(policy))


def told(content: Mapping[str, object], status: int = 200) -> Response:
    """JSON for one of our scripts."""
    return JSONResponse(content, status, headers=sealed())


def raw(content: bytes, kind: str) -> Response:
    """Bytes of a media type."""
    return Response(content, media_type=kind, headers=sealed())


def refused(why: object, status: int = 404) -> Response:
    """One line of plain text: a browser runs nothing of it."""
    return PlainTextResponse(str(why), status, headers=sealed())
