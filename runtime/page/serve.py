"""The page's process: beside the service, never in its way."""

from __future__ import annotations

import logging
import os
import socket
from pathlib import Path

import uvicorn

from voxgate.runtime.config.sections import CellConfig
from voxgate.runtime.errors import ScanError, ServiceError
from voxgate.runtime.page.app import app_of
from voxgate.runtime.page.live import Live
from voxgate.runtime.page.screen import STRIP, Watcher
from voxgate.runtime.records.evidence_folder import recording_of
from voxgate.runtime.remote.client import Client
from voxgate.runtime.remote.history import last_jobs
from voxgate.runtime.report.job_report import report

log = logging.getLogger(__name__)

LOOPBACK = "127.0.0.1"
NICE = 10  # whatever a browser asks for, a verdict comes first
AT_ONCE = 32  # connections; beyond it a browser is told to come back


def serve(config: CellConfig, port: int, key: Path | None = None) -> None:
    """Until SIGINT or SIGTERM. Raises ServiceError when the port is taken, and as Client does."""
    os.nice(NICE)
    bound = _bound(port)
    with Client(config, key) as client:
        watcher = Watcher(config.cell)
        try:
            watcher.remember(last_jobs(config.journal.path, STRIP))
        except ServiceError as error:
            log.warning("no history: %s", error)
        live = Live(watcher, client.listen())
        app = app_of(live, lambda job_id: _report(config, job_id))
        settings = uvicorn.Config(
            app,
            log_level="warning",
            access_log=False,
            limit_concurrency=AT_ONCE,
            lifespan="off",
        )
        _Server(settings, live).run(sockets=[bound])


class _Server(uvicorn.Server):
    """A stream has no end of its own: without a word it would be waited for."""

    def __init__(self, settings: uvicorn.Config, live: Live) -> None:
        super().__init__(settings)
        self._live = live

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End what looks on, then as ever."""
        self._live.end()
        await super().shutdown(sockets)


def _bound(port: int) -> socket.socket:
    bound = socket.socket()
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((LOOPBACK, port))
    except OSError as error:
        bound.close()
        raise ServiceError(
            f"port {port}: {os.strerror(error.errno or 0)}: --port another"
        ) from error
    return bound


def _report(config: CellConfig, job_id: str) -> str:
    section = config.evidence
    if section is None:
        raise ScanError("this cell keeps no recordings")
    return report(recording_of(section.folder, job_id))
