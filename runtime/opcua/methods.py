"""Methods of OPC 40100-1 (clauses 7.5, 7.10, 8.2, 8.3) as commands to the box, which decides.

Every method ends with `Error`: 0, or what the box refused with (ERRORS). Where nobody answers, the
call itself fails with a bad status: then ask again what became of it, with the same id.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Awaitable, Callable, Coroutine
from functools import wraps
from typing import Any, TypeAlias

from asyncua import ua
from pydantic import ValidationError

from voxgate.runtime.common.wall_clock import utc_now
from voxgate.runtime.opcua.known import Known
from voxgate.runtime.opcua.results import result_of
from voxgate.runtime.remote.client import RefusedError, RemoteError
from voxgate.runtime.wire.commands import (
    Abort,
    Acknowledge,
    CommandMessage,
    GetResult,
    PrepareRecipe,
    Reset,
    Rollback,
    StartJob,
    StopJob,
)
from voxgate.runtime.wire.replies import RefusalCode, Reply, ResultReply

log = logging.getLogger(__name__)

ERRORS = {code: -number for number, code in enumerate(RefusalCode, start=1)}
"""Below zero: ours, as the standard has it (clause 6)."""
QUICK_S = 2.0  # clients wait some seconds for a method; a recipe may take minutes to be proven
NOT_HERE = ua.StatusCode(ua.StatusCodes.BadNotSupported)
NO_ANSWER = ua.StatusCode(ua.StatusCodes.BadTimeout)
SILENT = ua.StatusCode(ua.StatusCodes.BadNoCommunication)
NO_ID = ua.StatusCode(ua.StatusCodes.BadInvalidArgument)

Answer: TypeAlias = "list[ua.Variant] | ua.StatusCode"
Method = Callable[..., Awaitable[Answer]]
Ask = Callable[[type[CommandMessage], dict[str, Any]], Awaitable[Reply]]


def guarded(method: Method) -> Method:
    """What no person at a PLC should see as a broken connection."""

    @wraps(method)
    async def call(self: Methods, parent: ua.NodeId, *said: ua.Variant) -> Answer:
        if self._known.beat is None:
            return SILENT
        try:
            return await method(self, *(each.Value for each in said))
        except ValidationError:
            return NO_ID
        except RemoteError as error:
            log.warning("%s: %s", method.__name__, error)
            return NO_ANSWER

    return call


class Methods:
    """Of one cell. ask: a command, and its reply; raises RemoteError as Client.ask does."""

    def __init__(
        self, known: Known, ask: Ask, news: Callable[[], Awaitable[None]], classes: dict[str, Any]
    ) -> None:
        self._known = known
        self._ask = ask
        self._news = news
        self._classes = classes
        self._numbers = itertools.count(1)
        self._under_way: set[asyncio.Task[int]] = set()

    @guarded
    async def start_single_job(
        self, meas: Any, part: Any, recipe: Any, product: Any, parameters: Any
    ) -> Answer:
        job_id = _id(meas) or self._new_job()
        named = {"job_id": job_id, "part_id": _id(part) or job_id, "recipe": _recipe(recipe)}
        error = await self._error(StartJob, **named)
        if error == 0:
            self._known.started(job_id)
            await self._news()
        return [self._struct("JobIdDataType", job_id if error == 0 else ""), _int(error)]

    @guarded
    async def stop(self, cause: Any, description: Any) -> Answer:
        if self._known.verdict is not None:  # a job decides itself once every view has come
            return [_int(0)]
        job_id = self._known.open_job
        if job_id is None:
            return [_int(ERRORS[RefusalCode.WRONG_STATE])]
        error = await self._soon(self._decide(StopJob, job_id=job_id))
        return [_int(error or 0)]

    @guarded
    async def abort(self, cause: Any, description: Any) -> Answer:
        return [_int(await self._soon(self._decide(Abort)) or 0)]

    @guarded
    async def reset(self, cause: Any, description: Any) -> Answer:
        return [_int(await self._error(Reset))]

    @guarded
    async def not_here(self, *said: Any) -> Answer:
        return NOT_HERE

    @guarded
    async def prepare_recipe(self, external: Any, internal: Any) -> Answer:
        recipe = _recipe(internal) or _recipe(external)
        error = await self._soon(self._error(PrepareRecipe, recipe=recipe))
        name, _, version = (recipe or "").partition("/")
        told = self._classes["RecipeIdInternalDataType"](Id=name, Version=version or None)
        is_completed = ua.Variant(error == 0, ua.VariantType.Boolean)
        return [_struct(told), is_completed, _int(error or 0)]

    @guarded
    async def rollback(self) -> Answer:
        return [_int(await self._soon(self._error(Rollback)) or 0)]

    @guarded
    async def acknowledge(self, result_id: Any) -> Answer:
        return [_int(await self._error(Acknowledge, result_id=result_id))]

    @guarded
    async def result_of_job(self, job_id: Any) -> Answer:
        try:
            reply = await self._ask(GetResult, {"job_id": job_id})
        except RefusedError as refused:
            return [self._no_result(), _int(ERRORS[refused.reply.code])]
        assert isinstance(reply, ResultReply)
        return [_struct(result_of(reply.result, self._classes)), _int(0)]

    @guarded
    async def result_by_id(self, result_id: Any, timeout_ms: Any) -> Answer:
        found = self._known.result(_id(result_id))
        handle = ua.Variant(0, ua.VariantType.UInt32)
        if found is None:
            return [handle, self._no_result(), _int(ERRORS[RefusalCode.UNKNOWN_RESULT])]
        return [handle, _struct(result_of(found, self._classes)), _int(0)]

    async def _decide(self, command: type[CommandMessage], **fields: Any) -> int:
        try:
            reply = await self._ask(command, fields)
        except RefusedError as refused:
            return ERRORS[refused.reply.code]
        if isinstance(reply, ResultReply):
            self._known.decided(reply.result)
            await self._news()
        return 0

    async def _error(self, command: type[CommandMessage], **fields: Any) -> int:
        try:
            await self._ask(command, fields)
        except RefusedError as refused:
            log.warning("%s", refused)
            return ERRORS[refused.reply.code]
        return 0

    async def _soon(self, work: Coroutine[Any, Any, int]) -> int | None:
        """Its error; None: it goes on, and what comes of it stands in the variables."""
        task = asyncio.create_task(work)
        self._under_way.add(task)
        task.add_done_callback(self._ended)
        done, _ = await asyncio.wait({task}, timeout=QUICK_S)
        return task.result() if done else None

    def _ended(self, task: asyncio.Task[int]) -> None:
        self._under_way.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.warning("%s", task.exception())

    def _new_job(self) -> str:
        return f"opcua-{utc_now():%Y%m%dT%H%M%S.%f}-{next(self._numbers)}"

    def _struct(self, name: str, value: str) -> ua.Variant:
        return _struct(self._classes[name](Id=value))

    def _no_result(self) -> ua.Variant:
        return _struct(self._classes["ResultDataType"]())


def _struct(value: Any) -> ua.Variant:
    return ua.Variant(value, ua.VariantType.ExtensionObject)


def _int(value: int) -> ua.Variant:
    return ua.Variant(value, ua.VariantType.Int32)


def _id(structure: Any) -> str:
    """Of a structure that may be left out."""
    return getattr(structure, "Id", None) or ""


def _recipe(structure: Any) -> str | None:
    name, version = _id(structure), getattr(structure, "Version", None)
    return (f"{name}/{version}" if version else name) or None
