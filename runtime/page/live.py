"""Listens to the box in a thread of its own and hands every screen to whoever looks."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from threading import Lock, Thread

from voxgate.runtime.page.screen import Screen, Watcher
from voxgate.runtime.remote.client import Said
from voxgate.runtime.wire.published import HeartbeatMessage

Viewer = tuple[asyncio.AbstractEventLoop, "asyncio.Queue[Screen | None]"]
WAITING_SCREENS = 4  # for a viewer that is slow: the newest ones


class Live:
    """Of one cell."""

    def __init__(self, watcher: Watcher, listen: Callable[[], Iterator[Said | None]]) -> None:
        self._watcher = watcher
        self._lock = Lock()
        self._screen = watcher.screen()
        self._viewers: set[Viewer] = set()
        Thread(target=self._follow, args=(listen,), name="follow", daemon=True).start()

    @property
    def screen(self) -> Screen:
        """The newest."""
        return self._screen

    @property
    def beat(self) -> HeartbeatMessage | None:
        """The last heartbeat; None: the box is not heard."""
        return self._watcher.beat

    async def screens(self) -> AsyncIterator[Screen]:
        """The newest, then each as it comes: with every heartbeat, so that silence is noticed."""
        queue: asyncio.Queue[Screen | None] = asyncio.Queue(WAITING_SCREENS)
        viewer = (asyncio.get_running_loop(), queue)
        with self._lock:
            self._viewers.add(viewer)
            queue.put_nowait(self._screen)
        try:
            while (screen := await queue.get()) is not None:
                yield screen
        finally:
            with self._lock:
                self._viewers.discard(viewer)

    def end(self) -> None:
        """Every stream ends; who looks is told by its browser."""
        self._tell(None)

    def _follow(self, listen: Callable[[], Iterator[Said | None]]) -> None:
        try:
            for said in listen():
                self._show(said)
        finally:
            self._show(None)  # whatever ended it: what was known is known no longer

    def _show(self, said: Said | None) -> None:
        self._screen = self._watcher.hear(said)
        self._tell(self._screen)

    def _tell(self, screen: Screen | None) -> None:
        with self._lock:
            viewers = list(self._viewers)
        for loop, queue in viewers:
            with contextlib.suppress(RuntimeError):  # its loop has ended
                loop.call_soon_threadsafe(_offer, queue, screen)


def _offer(queue: asyncio.Queue[Screen | None], screen: Screen | None) -> None:
    if queue.full():
        queue.get_nowait()
    queue.put_nowait(screen)
