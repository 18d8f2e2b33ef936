"""Descriptors held back for evidence: a crowd of connections must not cost the recording."""

from __future__ import annotations

import errno
import logging
import os
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

log = logging.getLogger(__name__)

T = TypeVar("T")

HELD = 16  # a recording takes three: its draft, its folder, and the file once more for its digest
_NONE_LEFT = frozenset((errno.EMFILE, errno.ENFILE))


class Reserve:
    """Of one thread, which alone uses it. `with` takes them and lets them go."""

    def __init__(self) -> None:
        self._held: list[int] = []

    def __enter__(self) -> Reserve:
        self._take()
        return self

    def __exit__(self, *_: object) -> None:
        self._give()

    def lend(self, do: Callable[[], T]) -> T:
        """What `do` gives; where it finds no descriptor it is done again, with those held here."""
        try:
            return do()
        except OSError as error:
            if error.errno not in _NONE_LEFT or not self._held:
                raise
        log.error("no descriptor is left: the reserve of %d is given to evidence", len(self._held))
        self._give()
        try:
            return do()
        finally:
            self._take()

    def _take(self) -> None:
        with suppress(OSError):  # as many as there are; the next time more
            while len(self._held) < HELD:
                self._held.append(os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC))

    def _give(self) -> None:
        while self._held:
            os.close(self._held.pop())
