"""Who may see what: every endpoint goes through here, and every change has to prove its origin."""

from __future__ import annotations

import hmac
import json
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping
from threading import BoundedSemaphore
from urllib.parse import urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from voxgate.runtime.common.people.accounts import MOST_CHARACTERS, Accounts
from voxgate.runtime.common.people.patience import Patience
from voxgate.runtime.common.people.role import Role
from voxgate.runtime.errors import VoxGateError
from voxgate.runtime.page.door.sessions import LONGEST_S, TOKEN_BYTES, Sessions
from voxgate.runtime.page.door.visitor import Visitor
from voxgate.runtime.page.sealed import refused, sealed, told

COOKIE = "__Host-voxgate"  # RFC 6265bis: only over TLS, only to this host, for all of it
TOKEN_HEADER = "x-voxgate-token"
LOGIN = "/login"
MOST_BODY_BYTES = 16 * 1024

AT_ONCE = 2  # passwords that are proven at a time: 64 MiB and a core's tenth of a second each

Said = Mapping[str, object]
Endpoint = Callable[[Request, Visitor], Response]
Change = Callable[[Request, Visitor, Said], Response]


class Door:
    """accounts None: a page for this machine alone, whoever sits there may see everything."""

    def __init__(
        self, accounts: Accounts | None, now_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._accounts = accounts
        self._sessions = Sessions(now_s)
        self._patience = Patience(now_s)
        self._hands = BoundedSemaphore(AT_ONCE)
        self._anybody = Visitor("", Role.MAINTENANCE, secrets.token_urlsafe(TOKEN_BYTES))

    def visitor(self, request: Request) -> Visitor | None:
        """None: who asks has to log in."""
        if self._accounts is None:
            return self._anybody
        return self._sessions.visitor(request.cookies.get(COOKIE, ""))

    def shows(
        self, role: Role, endpoint: Endpoint, is_page: bool = False
    ) -> Callable[[Request], Response]:
        """An endpoint for this role and those above. is_page: who is nobody is led to the login."""

        def answer(request: Request) -> Response:
            visitor = self.visitor(request)
            if visitor is None and is_page:
                return RedirectResponse(LOGIN, 303, headers=sealed())
            return _let(visitor, role, lambda known: endpoint(request, known))

        return answer

    def changes(self, role: Role, endpoint: Change) -> Callable[[Request], Awaitable[Response]]:
        """As `shows`, for what changes something: asked by our own page, and by nobody else."""

        async def answer(request: Request) -> Response:
            said = await body_of(request)

            def done(known: Visitor) -> Response:
                token = request.headers.get(TOKEN_HEADER, "")
                if not _is_ours(request) or not _same(token, known.token):
                    return refused("this did not come from this page: load it again", 403)
                return endpoint(request, known, said)

            return await run_in_threadpool(_let, self.visitor(request), role, done)

        return answer

    def me(self, request: Request, visitor: Visitor) -> Response:
        """Who asks, and the token for his changes."""
        said = {"name": visitor.name, "role": visitor.role.value, "token": visitor.token}
        return told({**said, "has_login": self._accounts is not None})

    async def log_in(self, request: Request) -> Response:
        """A session for a name and its password; a wrong one is the same answer as no such name."""
        if self._accounts is None:
            return refused("this page has no accounts", 404)
        if not _is_ours(request):
            return refused("this did not come from this page: load it again", 403)
        said = await body_of(request)
        name, password = str(said.get("name", "")), str(said.get("password", ""))
        if max(len(name), len(password)) > MOST_CHARACTERS:
            return refused("name or password is wrong", 403)
        return await run_in_threadpool(self._let_in, request, name, password)

    def log_out(self, request: Request, visitor: Visitor, said: Said) -> Response:
        """The session is over."""
        self._sessions.end(request.cookies.get(COOKIE, ""))
        response = told({})
        response.delete_cookie(COOKIE, path="/", secure=True, httponly=True, samesite="strict")
        return response

    def _let_in(self, request: Request, name: str, password: str) -> Response:
        assert self._accounts is not None
        address = request.client.host if request.client is not None else ""
        who = (f"address {address}", f"name {name}")
        wait_s = self._patience.wait_s(*who)
        if wait_s > 0:
            return _later(f"too many wrong passwords: wait {wait_s:.0f} s", wait_s)
        if not self._hands.acquire(blocking=False):
            return _later("others are logging in: wait a second", 1.0)
        try:
            role = self._accounts.role_of(name, password)
        finally:
            self._hands.release()
        if role is None:
            self._patience.failed(*who)
            return refused("name or password is wrong", 403)
        self._patience.succeeded(*who)
        return self._with_session(name, role)

    def _with_session(self, name: str, role: Role) -> Response:
        response = told({"role": role.value})
        response.set_cookie(
            COOKIE,
            self._sessions.begin(name, role),
            max_age=int(LONGEST_S),
            path="/",
            secure=True,
            httponly=True,
            samesite="strict",
        )
        return response


async def body_of(request: Request) -> dict[str, object]:
    """A JSON object, at most MOST_BODY_BYTES; empty for anything else."""
    content = b""
    async for chunk in request.stream():
        content += chunk
        if len(content) > MOST_BODY_BYTES:
            return {}
    try:
        said = json.loads(content)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}


def _is_ours(request: Request) -> bool:
    """Browsers say on every POST from which page it comes; what is no browser has no cookie."""
    origin = urlsplit(request.headers.get("origin", ""))
    kind = request.headers.get("content-type", "").partition(";")[0].strip()
    return origin.netloc == request.headers.get("host", "") != "" and kind == "application/json"


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode())


def _let(visitor: Visitor | None, role: Role, endpoint: Callable[[Visitor], Response]) -> Response:
    if visitor is None:
        return refused("log in first", 401)
    if not visitor.role.covers(role):
        return refused(f"this is for the role {role.value}", 403)
    try:
        return endpoint(visitor)
    except VoxGateError as error:
        return refused(error)


def _later(why: str, wait_s: float) -> Response:
    response = refused(why, 429)
    response.headers["Retry-After"] = str(int(wait_s) + 1)
    return response
