"""What every viewer's screen follows: a box that nobody hears is not a box that passed."""

from __future__ import annotations

from collections.abc import Iterator
from queue import Queue

from tests.kits import virtual
from tests.kits.journalled import passing_verdict
from tests.runtime.page.test_screen import beat
from voxgate.runtime.page.live import Live
from voxgate.runtime.page.screen import Light, Watcher
from voxgate.runtime.remote.client import Said
from voxgate.runtime.wire.fields import State

PATIENCE_S = 20.0
NO_MORE = object()


def test_a_pass_stays_green_once_nobody_listens_any_more() -> None:
    """As when the socket is closed: a viewer who comes later is told so at once."""
    told: Queue[object] = Queue()

    def listen() -> Iterator[Said | None]:
        while (each := told.get()) is not NO_MORE:
            yield each  # type: ignore[misc]

    live = Live(Watcher("c"), listen)
    told.put(beat(State.READY))
    told.put(beat(State.EXECUTING, "j1"))
    told.put(passing_verdict("j1"))
    virtual.wait_until(lambda: live.screen.light is Light.PASS, PATIENCE_S)
    told.put(NO_MORE)
    virtual.wait_until(lambda: live.screen.light is Light.SILENT, PATIENCE_S)
