"""Which recipe serves, which one is on its way to serve, and which one served before.

Labels are `name/version`; what is asked for may be a name alone until its manifest was read.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from voxgate.runtime.jobs.part_inspector import Prepared
from voxgate.runtime.nouns import How


@dataclass(slots=True)
class _Next:
    asked: str
    how: How
    why: str | None = None  # it is not what the configuration asks for
    ready: Prepared | None = None  # it is proven and waits for the open job's end


class Changeover:
    """Of one cell. good: labels that decided a part here before, the last one first."""

    def __init__(self, good: tuple[str, ...] = ()) -> None:
        self.served: Prepared | None = None
        self.next: _Next | None = None
        self.fallback: str | None = None  # why the recipe that serves is an older one
        self._good = good
        self._before: Prepared | None = None

    # --- what can be asked -----------------------------------------------------------------------

    @property
    def label(self) -> str | None:
        """The recipe that serves."""
        return None if self.served is None else self.served.label

    @property
    def preparing(self) -> str | None:
        """What is being prepared, or waits for the open job's end."""
        if self.next is None:
            return None
        return self.next.asked if self.next.ready is None else self.next.ready.label

    @property
    def before(self) -> str | None:
        """What a rollback brings back."""
        if self._before is not None:
            return self._before.label
        return next((label for label in self._good if label != self.label), None)

    def last_good(self, name: str) -> str | None:
        """The version of this recipe that last decided a part here."""
        return next((label for label in self._good if label.partition("/")[0] == name), None)

    def warm(self, now_utc: datetime) -> Prepared | None:
        """The one before, if it may serve as it is; whether it is still open the relay knows."""
        before = self._before
        return None if before is None or before.has_expired(now_utc) else before

    def problem_with(self, wanted: str | None) -> str | None:
        """Why a job that names `wanted` cannot start with the recipe that serves; None: it can.

        A job that leaves it open could mean either recipe while a second one is on its way.
        """
        label, preparing = self.label, self.preparing
        assert label is not None
        name = label.partition("/")[0]
        coming = "" if preparing is None else f", {preparing} is still being prepared"
        if wanted not in {None, label, name}:
            return f"the recipe that serves is {label}{coming}"
        if preparing in {None, label} or wanted == label:
            return None
        if wanted is None or preparing.partition("/")[0] == name:
            return f"the recipe that serves is {label}{coming}: name the version this part is for"
        return None

    # --- what happens ----------------------------------------------------------------------------

    def begin(self, asked: str, how: How, why: str | None = None) -> None:
        """A recipe is being prepared. why: it is not what the configuration asks for."""
        self.next = _Next(asked, how, why)

    def begin_again(self) -> None:
        """The one before is to serve again; it is proven already."""
        assert self._before is not None
        self.next = _Next(self._before.label, How.ROLLED_BACK, ready=self._before)

    def proven(self, prepared: Prepared) -> None:
        """It only waits for the end of the open job."""
        assert self.next is not None
        self.next.ready = prepared

    def failed(self) -> _Next:
        """What was asked for cannot serve; what serves stays."""
        failed, self.next = self.next, None
        assert failed is not None
        return failed

    def switch(self) -> tuple[Prepared, How]:
        """The next one serves."""
        assert self.next is not None
        assert self.next.ready is not None
        old, self.served, how = self.served, self.next.ready, self.next.how
        if old is not None and old.label != self.served.label:
            self._before = old
        elif self._before is not None and self._before.label == self.served.label:
            self._before = None
        self.fallback = self.next.why
        self.next = None
        return self.served, how
