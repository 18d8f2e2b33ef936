"""The cell's own nodes: a VisionSystem with what a PLC reads, each under a name that stays.

`ns=...;s=Verdict.Outcome`: the last two names of the path. A value that is not known, or is of an
older part, has a bad status and no value.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from asyncua import Node, Server, ua

from voxgate.runtime.opcua import standard_types as types
from voxgate.runtime.opcua.values import CELL, UNDECIDED, VERDICT, Value

OUTCOME = "Verdict.Outcome"
OWN_NAMESPACE = "urn:voxgate:opcua"


class Tree:
    """vision, own: indices of the two namespaces."""

    def __init__(self, server: Server, vision: int, own: int) -> None:
        self._server = server
        self._vision = vision
        self._own = own
        self._nodes: dict[str, Node] = {}
        self._shown: dict[str, Value] = {}

    async def grow(self, cell: str, result: int) -> None:
        """Every node but the methods. result: id of the data type ResultDataType."""
        system = await self._object(self._server.nodes.objects, "VisionSystem", types.VISION_SYSTEM)
        await self._nodes["VisionSystem"].write_attribute(
            ua.AttributeIds.DisplayName, ua.DataValue(ua.Variant(ua.LocalizedText(cell)))
        )
        machine = await self._object(system, "VisionStateMachine", types.STATE_MACHINE)
        automatic = await self._object(machine, "AutomaticModeStateMachine", types.AUTOMATIC_MODE)
        for node in (machine, automatic):
            await self._current_state(node)
        await self._object(system, "RecipeManagement", types.RECIPES)
        results = await self._object(system, "ResultManagement", types.RESULTS)
        await self._result(await self._object(results, "Results", types.RESULT_FOLDER), result)
        for name, rows in (("Cell", CELL), ("Verdict", VERDICT)):
            folder = await self._object(system, name, None)
            for row in rows:
                await self._variable(folder, f"{name}.{row.name}", row.name, row.kind, row.array)

    def node(self, name: str) -> Node:
        """An object or variable by its identifier."""
        return self._nodes[name]

    async def tell(self, values: Iterable[Value]) -> None:
        """Write what changed, the outcome last: whoever reads meanwhile reads none."""
        wanted = {each.node: each for each in values}
        changes = [each for each in wanted.values() if self._shown.get(each.node) != each]
        if any(each.node.startswith("Verdict.") for each in changes):
            await self._write(Value(OUTCOME, None, UNDECIDED))
            changes = [each for each in changes if each.node != OUTCOME] + [wanted[OUTCOME]]
        for each in changes:
            await self._write(each)

    async def _write(self, value: Value) -> None:
        told = ua.DataValue(value.variant, StatusCode=ua.StatusCode(value.status))
        await self._nodes[value.node].write_value(told)
        self._shown[value.node] = value

    async def method(self, parent: str, name: str, call: Any, takes: Any, gives: Any) -> None:
        """takes, gives: pairs of a name and a type, see arguments()."""
        space = self._own if parent == "Cell" else self._vision
        await self._nodes[parent].add_method(
            ua.NodeId(f"{parent}.{name}", self._own),
            ua.QualifiedName(name, space),
            call,
            self._arguments(takes),
            self._arguments(gives),
        )

    def _arguments(self, named: Iterable[tuple[str, int | ua.VariantType]]) -> list[ua.Argument]:
        return [self._argument(name, kind) for name, kind in named]

    def _argument(self, name: str, kind: int | ua.VariantType) -> ua.Argument:
        is_built_in = isinstance(kind, ua.VariantType)
        number = kind.value if isinstance(kind, ua.VariantType) else kind
        is_list = kind is ua.VariantType.Variant
        return ua.Argument(
            Name=name,
            DataType=ua.NodeId(number, 0 if is_built_in else self._vision),
            ValueRank=1 if is_list else -1,
            ArrayDimensions=[0] if is_list else [],
        )

    async def _object(self, parent: Node, name: str, kind: int | None) -> Node:
        space = self._own if kind is None or name == "VisionSystem" else self._vision
        of = ua.NodeId(types.BASE_OBJECT) if kind is None else ua.NodeId(kind, self._vision)
        added = await parent.add_object(
            ua.NodeId(name, self._own), ua.QualifiedName(name, space), of
        )
        self._nodes[name] = added
        return added

    async def _variable(
        self, parent: Node, path: str, name: str, kind: ua.VariantType, array: bool
    ) -> None:
        value = [] if array else ua.get_default_value(kind)
        node = await parent.add_variable(
            ua.NodeId(path, self._own),
            ua.QualifiedName(name, self._own),
            value,
            kind,
            ua.NodeId(kind.value),
        )
        await self._keep(path, node)

    async def _current_state(self, machine: Node) -> None:
        """It comes with the type of every state machine."""
        name = (await machine.read_browse_name()).Name
        state = await machine.get_child("0:CurrentState")
        await self._keep(f"{name}.CurrentState", state)
        await self._keep(f"{name}.CurrentState.Id", await state.get_child("0:Id"))

    async def _result(self, folder: Node, result: int) -> None:
        node = await folder.add_variable(
            ua.NodeId("Results.Result", self._own),
            ua.QualifiedName("ResultVariable", self._vision),
            None,
            ua.VariantType.ExtensionObject,
            ua.NodeId(result, self._vision),
        )
        await self._keep("Results.Result", node)

    async def _keep(self, path: str, node: Node) -> None:
        self._nodes[path] = node
        await self._write(Value(path, None, UNDECIDED))
