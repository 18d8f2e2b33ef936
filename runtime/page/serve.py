"""The page's process: beside the service, never in its way."""

from __future__ import annotations

import logging
import os
import socket
import ssl
from pathlib import Path

import uvicorn

from voxgate.runtime.common.people.accounts import Accounts
from voxgate.runtime.common.trusted.server_tls import server_context
from voxgate.runtime.config.page import HERE, PageSection
from voxgate.runtime.config.sections import CellConfig
from voxgate.runtime.errors import ServiceError
from voxgate.runtime.page.app import app_of
from voxgate.runtime.page.door.door import Door
from voxgate.runtime.page.live import Live
from voxgate.runtime.page.quality.archive import Archive
from voxgate.runtime.page.quality.routes import quality_routes
from voxgate.runtime.page.screen import STRIP, Watcher
from voxgate.runtime.page.upkeep.live_pictures import LivePictures
from voxgate.runtime.page.upkeep.routes import upkeep_routes
from voxgate.runtime.remote.client import Client
from voxgate.runtime.remote.history import last_jobs
from voxgate.runtime.remote.marks import marks_file

log = logging.getLogger(__name__)

NICE = 10  # whatever a browser asks for, a verdict comes first
LAST_WORDS_S = 3  # a replay is not waited for
AT_ONCE = 128  # connections; beyond it a browser is told to come back. One opens six, and a stream


def serve(config: CellConfig, key: Path | None = None) -> None:
    """Until SIGINT or SIGTERM.

    Raises ServiceError when the port is taken, KeyFileError for a certificate or a file of accounts
    that cannot be used, and as Client does.
    """
    os.nice(NICE)
    page = config.page
    door = Door(None if page.accounts is None else Accounts(page.accounts))
    context = None if page.tls is None else server_context(page.tls.certificate, page.tls.key)
    bound = _bound(page)
    with Client(config, key) as client:
        watcher = Watcher(config.cell)
        _remember(watcher, config)
        live = Live(watcher, client.listen)
        seen = LivePictures(client.look)
        archive = Archive(config, marks_file(config.journal.path))
        rooms = [*quality_routes(archive, door), *upkeep_routes(config, live, seen, door)]
        app = app_of(live, door, rooms, (*HERE, *page.names))
        settings = uvicorn.Config(
            app,
            log_level="warning",
            access_log=False,
            limit_concurrency=AT_ONCE,
            lifespan="off",
            timeout_graceful_shutdown=LAST_WORDS_S,
            server_header=False,
        )
        _Server(settings, live, context).run(sockets=[bound])


class _Server(uvicorn.Server):
    """A stream has no end of its own: without a word it would be waited for."""

    def __init__(self, settings: uvicorn.Config, live: Live, tls: ssl.SSLContext | None) -> None:
        settings.load()
        settings.ssl = tls
        super().__init__(settings)
        self._live = live

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End what looks on, then as ever."""
        self._live.end()
        await super().shutdown(sockets)


def _remember(watcher: Watcher, config: CellConfig) -> None:
    try:
        watcher.remember(last_jobs(config.journal.path, STRIP))
    except ServiceError as error:
        log.warning("no history: %s", error)


def _bound(page: PageSection) -> socket.socket:
    bound = socket.socket(socket.AF_INET6 if ":" in page.host else socket.AF_INET)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((page.host, page.port))
    except OSError as error:
        bound.close()
        why = os.strerror(error.errno or 0)
        raise ServiceError(f"{page.host} port {page.port}: {why}: --port another") from error
    return bound
