"""What every viewer's screen follows: a box that is not understood is not a box that passed."""

from __future__ import annotations

from collections.abc import Iterator
from queue import Queue

import pytest

from tests.kits import virtual
from tests.kits.journalled import passing_verdict
from tests.runtime.page.test_screen import beat
from voxgate.runtime.page.live import Live
from voxgate.runtime.page.screen import Light, Watcher
from voxgate.runtime.remote.client import Said
from voxgate.runtime.wire.fields import State

PATIENCE_S = 20.0
NO_MORE = object()


def test_a_pass_stays_green_once_the_box_says_what_is_not_understood(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """As a box of a newer version may, while the page of the older one still runs."""
    told: Queue[object] = Queue()

    def listen() -> Iterator[Said | None]:
        while (each := told.get()) is not NO_MORE:
            if isinstance(each, Exception):
                raise each
            yield each  # type: ignore[misc]

    live = Live(Watcher("c"), listen)
    told.put(beat(State.READY))
    told.put(beat(State.EXECUTING, "j1"))
    told.put(passing_verdict("j1"))
    virtual.wait_until(lambda: live.screen.light is Light.PASS, PATIENCE_S)
    told.put(ValueError("outcome: 'MAYBE' is none of those known"))
    virtual.wait_until(lambda: live.screen.light is Light.SILENT, PATIENCE_S)
    assert "MAYBE" in caplog.text
    told.put(beat(State.READY))
    virtual.wait_until(lambda: live.screen.light is Light.WAITING, PATIENCE_S)
    told.put(NO_MORE)
