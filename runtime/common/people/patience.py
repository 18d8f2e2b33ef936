"""How often a password may be guessed: five times, then the wait doubles with each failure.

By address and by name: one machine cannot try many names, many machines cannot try one.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock

FREE = 5  # failures without a wait: people mistype
FIRST_WAIT_S = 2.0
LONGEST_WAIT_S = 900.0
FORGOTTEN_S = 3600.0
MOST = 10_000  # addresses and names that are remembered; the oldest go


@dataclass(slots=True)
class _Failures:
    count: int = 0
    last_s: float = 0.0


class Patience:
    """now_s: a clock that nobody sets."""

    def __init__(self, now_s: Callable[[], float]) -> None:
        self._now_s = now_s
        self._of: OrderedDict[str, _Failures] = OrderedDict()
        self._lock = Lock()

    def wait_s(self, *who: str) -> float:
        """How long these have to wait; 0: they may try."""
        with self._lock:
            return max(self._wait_s(each) for each in who)

    def failed(self, *who: str) -> None:
        """A wrong guess."""
        with self._lock:
            for each in who:
                known = self._of.setdefault(each, _Failures())
                known.count, known.last_s = known.count + 1, self._now_s()
                self._of.move_to_end(each)
            while len(self._of) > MOST:
                self._of.popitem(last=False)

    def succeeded(self, *who: str) -> None:
        """The right one: forgiven."""
        with self._lock:
            for each in who:
                self._of.pop(each, None)

    def _wait_s(self, who: str) -> float:
        known = self._of.get(who)
        if known is None:
            return 0.0
        since_s = self._now_s() - known.last_s
        if since_s > FORGOTTEN_S:
            del self._of[who]
            return 0.0
        if known.count < FREE:
            return 0.0
        wait_s = min(FIRST_WAIT_S * 2.0 ** min(known.count - FREE, 20), LONGEST_WAIT_S)
        return max(0.0, wait_s - since_s)
