"""ResultReady (OPC 40100-1, clause 8.3.8.4): told once for every verdict that is published."""

from __future__ import annotations

from typing import Any

from asyncua import Node, Server, ua

from voxgate.runtime.nouns import Outcome
from voxgate.runtime.opcua import structures as of
from voxgate.runtime.opcua.results import result_of
from voxgate.runtime.opcua.standard_types import RESULT_READY
from voxgate.runtime.wire.verdict import VerdictMessage

GOOD, NOT_GOOD = 100, 500  # severities, 1 to 1000
FIELDS: tuple[tuple[str, int | ua.VariantType], ...] = (
    ("ResultId", of.RESULT_ID),
    ("IsPartial", ua.VariantType.Boolean),
    ("IsSimulated", ua.VariantType.Boolean),
    ("ResultState", ua.VariantType.Int32),
    ("PartId", of.PART_ID),
    ("InternalRecipeId", of.INTERNAL_RECIPE),
    ("InternalConfigurationId", of.CONFIGURATION_ID),
    ("JobId", of.JOB_ID),
    ("CreationTime", ua.VariantType.DateTime),
    ("ResultContent", ua.VariantType.Variant),
)


class ResultReady:
    """Of one vision system."""

    def __init__(self, generator: Any) -> None:
        self._generator = generator

    @classmethod
    async def of(cls, server: Server, vision: int, system: Node) -> ResultReady:
        """vision: index of the standard's namespace."""
        kind = server.get_node(ua.NodeId(RESULT_READY, vision))
        for name, data_type in FIELDS:
            await _property(kind, name, data_type, vision)
        return cls(await server.get_event_generator(kind, system))

    async def tell(self, verdict: VerdictMessage, classes: dict[str, Any]) -> None:
        """To whoever has subscribed."""
        event, result = self._generator.event, result_of(verdict, classes)
        for name, kind in FIELDS:
            value = getattr(result, name)
            is_mixed = kind is ua.VariantType.Variant
            setattr(event, name, ua.Variant(value, kind) if is_mixed else value)
        event.Severity = GOOD if verdict.outcome is Outcome.PASS else NOT_GOOD
        await self._generator.trigger(message=f"{verdict.job_id}: {verdict.outcome.value}")


async def _property(kind: Node, name: str, data_type: int | ua.VariantType, vision: int) -> None:
    is_built_in = isinstance(data_type, ua.VariantType)
    kind_of_value = data_type if is_built_in else ua.VariantType.ExtensionObject
    number = int(data_type)  # of a built-in type too: they are node ids of namespace 0
    await kind.add_property(
        ua.NodeId(f"ResultReadyEventType.{name}", vision),
        ua.QualifiedName(name, vision),
        ua.get_default_value(kind_of_value),
        kind_of_value,
        ua.NodeId(number, 0 if is_built_in else vision),
    )
