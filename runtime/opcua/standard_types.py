"""The types of OPC 40100-1 that the cell is an instance of, with the states that they name."""

from __future__ import annotations

from dataclasses import dataclass

from asyncua import Node, Server, ua

VISION_SYSTEM, RECIPES, RESULTS, RESULT_FOLDER = 1003, 1004, 1007, 1016
STATE_MACHINE, AUTOMATIC_MODE = 1017, 1021
RESULT_READY, RESULT_VARIABLE = 1024, 2002
BASE_OBJECT = ua.ObjectIds.BaseObjectType
OBJECT_TYPES = (
    (VISION_SYSTEM, "VisionSystemType", BASE_OBJECT),
    (RECIPES, "RecipeManagementType", BASE_OBJECT),
    (RESULTS, "ResultManagementType", BASE_OBJECT),
    (RESULT_FOLDER, "ResultFolderType", ua.ObjectIds.FolderType),
    (STATE_MACHINE, "VisionStateMachineType", ua.ObjectIds.FiniteStateMachineType),
    (AUTOMATIC_MODE, "VisionAutomaticModeStateMachineType", ua.ObjectIds.FiniteStateMachineType),
    (RESULT_READY, "ResultReadyEventType", ua.ObjectIds.BaseEventType),
)


@dataclass(frozen=True, slots=True)
class StandardState:
    """A state object of one of the two machines."""

    name: str
    id: int
    number: int
    machine: int


PREOPERATIONAL = StandardState("Preoperational", 5028, 1, STATE_MACHINE)
HALTED = StandardState("Halted", 5029, 2, STATE_MACHINE)
ERROR = StandardState("Error", 5030, 3, STATE_MACHINE)
OPERATIONAL = StandardState("Operational", 5031, 4, STATE_MACHINE)
INITIALIZED = StandardState("Initialized", 5056, 5, AUTOMATIC_MODE)
READY = StandardState("Ready", 5057, 6, AUTOMATIC_MODE)
SINGLE_EXECUTION = StandardState("SingleExecution", 5058, 7, AUTOMATIC_MODE)
CONTINUOUS_EXECUTION = StandardState("ContinuousExecution", 5059, 8, AUTOMATIC_MODE)
STATES = (
    *(PREOPERATIONAL, HALTED, ERROR, OPERATIONAL),
    *(INITIALIZED, READY, SINGLE_EXECUTION, CONTINUOUS_EXECUTION),
)


async def define(server: Server, vision: int, result: int) -> None:
    """vision: index of the namespace; result: id of the data type ResultDataType there."""
    for number, name, base in OBJECT_TYPES:
        parent = server.get_node(ua.NodeId(base))
        await parent.add_object_type(ua.NodeId(number, vision), ua.QualifiedName(name, vision))
    variables = server.get_node(ua.NodeId(ua.ObjectIds.BaseDataVariableType))
    name_of_variable = ua.QualifiedName("ResultType", vision)
    data_type = ua.NodeId(result, vision)
    await variables.add_variable_type(
        ua.NodeId(RESULT_VARIABLE, vision), name_of_variable, data_type
    )
    for state in STATES:
        await _state(server.get_node(ua.NodeId(state.machine, vision)), state, vision)


async def _state(machine: Node, state: StandardState, vision: int) -> None:
    # made by hand: asyncua numbers what comes with a type upwards from the id, which is taken
    node = await machine.add_object(
        ua.NodeId(state.id, vision), ua.QualifiedName(state.name, vision)
    )
    await node.delete_reference(BASE_OBJECT, ua.ObjectIds.HasTypeDefinition, bidirectional=False)
    await node.add_reference(
        ua.ObjectIds.StateType, ua.ObjectIds.HasTypeDefinition, bidirectional=False
    )
    number = ua.QualifiedName("StateNumber", 0)
    identifier = ua.NodeId(f"{state.name}.StateNumber", vision)
    await node.add_property(identifier, number, state.number, ua.VariantType.UInt32)
