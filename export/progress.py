"""How far an export is, for a progress bar."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[int, int, str], None]
"""(done, of, what): called as the work goes on."""


def silent(done: int, of: int, what: str) -> None:
    """Nobody watches."""


class Bar:
    """Counts the steps of a work whose size is known once it has begun."""

    def __init__(self, on_progress: Progress) -> None:
        self._report = on_progress
        self._done, self._of, self._what = 0, 1, ""

    def begin(self, steps: int) -> None:
        """So many steps will come."""
        self._of = steps

    def say(self, what: str) -> None:
        """What is being done now."""
        self._what = what
        self._report(self._done, self._of, what)

    def step(self) -> None:
        """One step is done."""
        self._done = min(self._done + 1, self._of)
        self._report(self._done, self._of, self._what)

    def end(self) -> None:
        """All of it is done."""
        self._report(self._of, self._of, "done")
