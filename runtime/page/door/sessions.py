"""Who has logged in, in memory only: a restart of the page ends every session."""

from __future__ import annotations

import hashlib
import secrets
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock

from voxgate.runtime.common.people.role import Role
from voxgate.runtime.page.door.visitor import Visitor

TOKEN_BYTES = 32
LONGEST_S = 12 * 3600.0  # a shift, and half of the next
IDLE_S = 8 * 3600.0  # a screen beside the line asks for its stream again when it wakes
MOST = 256  # of all people; the one that was used longest ago goes


@dataclass(slots=True)
class _Session:
    visitor: Visitor
    began_s: float
    used_s: float


class Sessions:
    """By a cookie's value, of which only a hash is kept. now_s: a clock that nobody sets."""

    def __init__(self, now_s: Callable[[], float]) -> None:
        self._now_s = now_s
        self._of: OrderedDict[str, _Session] = OrderedDict()
        self._lock = Lock()

    def begin(self, name: str, role: Role) -> str:
        """A new session's cookie."""
        cookie, now_s = secrets.token_urlsafe(TOKEN_BYTES), self._now_s()
        visitor = Visitor(name, role, secrets.token_urlsafe(TOKEN_BYTES))
        with self._lock:
            self._of[_hash(cookie)] = _Session(visitor, now_s, now_s)
            while len(self._of) > MOST:
                self._of.popitem(last=False)
        return cookie

    def visitor(self, cookie: str) -> Visitor | None:
        """Whose it is; None: it was never given out, or is over."""
        key, now_s = _hash(cookie), self._now_s()
        with self._lock:
            session = self._of.get(key)
            if session is None:
                return None
            if now_s - session.began_s > LONGEST_S or now_s - session.used_s > IDLE_S:
                del self._of[key]
                return None
            session.used_s = now_s
            self._of.move_to_end(key)
            return session.visitor

    def end(self, cookie: str) -> None:
        """Whoever has the cookie is nobody from now on."""
        with self._lock:
            self._of.pop(_hash(cookie), None)


def _hash(cookie: str) -> str:
    return hashlib.sha256(cookie.encode()).hexdigest()
