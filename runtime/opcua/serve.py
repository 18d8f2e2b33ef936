"""The door's process: it listens to the box and asks it as any peer does, and serves a PLC."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from typing import Any

from voxgate.runtime.config.opcua import OpcUaSection
from voxgate.runtime.config.sections import CellConfig
from voxgate.runtime.errors import ConfigError, ServiceError
from voxgate.runtime.opcua import standard_types as types
from voxgate.runtime.opcua import structures
from voxgate.runtime.opcua.events import ResultReady
from voxgate.runtime.opcua.guard import guard
from voxgate.runtime.opcua.guarded_server import GuardedServer
from voxgate.runtime.opcua.known import Known
from voxgate.runtime.opcua.method_nodes import add_methods
from voxgate.runtime.opcua.methods import Methods
from voxgate.runtime.opcua.tree import OWN_NAMESPACE, Tree
from voxgate.runtime.opcua.values import cell_values, verdict_values
from voxgate.runtime.opcua.visitors import Visitors
from voxgate.runtime.remote.client import Client, Said
from voxgate.runtime.wire.commands import CommandMessage, PrepareRecipe, Rollback
from voxgate.runtime.wire.replies import Reply
from voxgate.runtime.wire.verdict import VerdictMessage

log = logging.getLogger(__name__)

NICE = 10  # whatever a PLC asks for, a verdict comes first
PREPARE_MS = 900_000  # a large engine on a slow disk takes minutes
SLACK_MS = 5_000  # beyond a job's deadline


def serve(config: CellConfig, key: Path | None = None) -> None:
    """Until SIGINT or SIGTERM.

    Raises ConfigError without a door, KeyFileError for certificates or accounts that cannot be
    used, ServiceError when the port is taken, and as Client does.
    """
    if config.opcua is None:
        raise ConfigError("the cell has no door for a PLC: give `opcua: {}` in its YAML")
    os.nice(NICE)
    logging.getLogger("asyncua").setLevel(logging.CRITICAL)  # it tells of every visitor's mistake
    guard(needs_security=config.opcua.security is not None)
    with Client(config, key) as client:
        asyncio.run(_Door(config, config.opcua, client).serve())


class _Door:
    """Of one cell."""

    def __init__(self, config: CellConfig, settings: OpcUaSection, client: Client) -> None:
        self._config = config
        self._settings = settings
        self._client = client
        visitors = Visitors(settings.security)
        self._known = Known()
        self._server = GuardedServer(visitors, settings.security)
        self._telling = asyncio.Lock()
        self._shown: tuple[VerdictMessage | None, bool] | None = None

    async def serve(self) -> None:
        """Until it is asked to end."""
        await self._build()
        end = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, end.set)
        said: asyncio.Queue[Said | Exception | None] = asyncio.Queue()
        loop = asyncio.get_running_loop()
        Thread(target=_follow, args=(self._client.listen(), loop, said), daemon=True).start()
        try:
            await self._server.start()
        except OSError as error:
            where = f"{self._settings.host} port {self._settings.port}"
            raise ServiceError(f"{where}: {os.strerror(error.errno or 0)}") from error
        try:
            await _first(end.wait(), self._hear(said))
        finally:
            await self._server.stop()

    async def _build(self) -> None:
        server = self._server
        await server.init()
        await server.secure(self._config.cell, self._settings)
        self._vision = await server.register_namespace(structures.NAMESPACE)
        own = await server.register_namespace(OWN_NAMESPACE)
        await types.define(server, self._vision, structures.RESULT)
        self._classes = await structures.define(server, self._vision)
        self._tree = Tree(server, self._vision, own)
        await self._tree.grow(self._config.cell, structures.RESULT)
        self._ready = await ResultReady.of(server, self._vision, self._tree.node("VisionSystem"))
        methods = Methods(self._known, self._ask, self._tell, self._classes)
        await add_methods(self._tree, methods)
        await self._tell()

    async def _hear(self, queue: asyncio.Queue[Said | Exception | None]) -> None:
        while True:
            heard = [await queue.get()]
            while not queue.empty():  # on a busy machine: what counts is how things stand now
                heard.append(queue.get_nowait())
            for said in heard:
                if isinstance(said, Exception):
                    raise ServiceError(f"the box is not understood: {said}")
                self._known.hear(said)
            await self._tell()
            for said in heard:
                if isinstance(said, VerdictMessage):
                    await self._ready.tell(said, self._classes)

    async def _tell(self) -> None:
        async with self._telling:
            await self._tree.tell(cell_values(self._known, self._vision))
            shown = (self._known.verdict, self._known.beat is None)
            if shown != self._shown:
                self._shown = shown
                await self._tree.tell(verdict_values(self._known, self._classes))

    async def _ask(self, command: type[CommandMessage], fields: dict[str, Any]) -> Reply:
        message = command(request_id=self._client.next_id(), **fields)
        wait_ms = self._config.job.deadline_ms + SLACK_MS
        if isinstance(message, PrepareRecipe | Rollback):
            wait_ms = PREPARE_MS
        return await asyncio.to_thread(self._client.ask, message, wait_ms)


def _follow(
    said: Iterator[Said | None],
    loop: asyncio.AbstractEventLoop,
    queue: asyncio.Queue[Said | Exception | None],
) -> None:
    try:
        for each in said:
            loop.call_soon_threadsafe(queue.put_nowait, each)
    except Exception as error:  # noqa: BLE001 - a door that hears nothing more must not stay open
        if not loop.is_closed():
            loop.call_soon_threadsafe(queue.put_nowait, error)


async def _first(*works: Any) -> None:
    """Until one ends; raises what it raised."""
    tasks = [asyncio.ensure_future(work) for work in works]
    done, left = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in left:
        task.cancel()
    for task in done:
        task.result()
