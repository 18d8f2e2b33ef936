"""The door for a PLC beside a real service, opened by asyncua's client: no PASS of another part."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from asyncua import ua

from tests.kits.cell_kit import ServiceProcess, until, write_cell
from tests.kits.good_part import is_good
from tests.kits.plc import NO_CAUSE, STANDARD, Plc, door
from tests.kits.ports import free_ports
from tests.kits.robot_kit import COLD_CLOCK_S, Robot
from voxgate.runtime.opcua.methods import ERRORS
from voxgate.runtime.wire.commands import GetResult
from voxgate.runtime.wire.fields import State
from voxgate.runtime.wire.replies import RefusalCode, ResultReply

SILENT, UNDECIDED = "BadNoCommunication", "BadWaitingForInitialData"


@dataclass
class Line:
    """A box that is served, its robot, and a PLC at its door."""

    robot: Robot
    plc: Plc
    service: ServiceProcess
    port: int


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Line]:
    folder = tmp_path_factory.mktemp("plc")
    (port,) = free_ports(1)
    cell = write_cell(folder, opcua={"port": port})
    service = ServiceProcess(cell).start()
    try:
        with Robot(folder) as robot, door(cell, port), Plc(port) as plc:
            robot.send_poses()
            robot.wait_for(State.READY)
            robot.send_poses_for_a_while()
            plc.becomes("Cell.State", "READY")
            yield Line(robot, plc, service, port)
    finally:
        service.kill_if_left()


def passes(line: Line, job_id: str) -> str:
    """Parts started and stopped by the PLC until one passes: its job."""

    def decided() -> str | None:
        name, error = line.plc.start(f"{job_id}-{line.robot.exposed}", "part-7", "bracket/1")
        assert error == 0
        assert line.plc.read("Verdict.Outcome") == UNDECIDED, "an old verdict for a new part"
        until(lambda: line.robot.state() is State.EXECUTING, "a job")
        time.sleep(COLD_CLOCK_S)  # as Robot.start_job does, for a job that another one started
        for _ in range(3):
            line.robot.expose()
        assert line.plc.stop() == 0
        line.plc.becomes("Verdict.JobId", name)
        reply = line.robot.ask(GetResult, job_id=name)
        assert isinstance(reply, ResultReply)
        assert is_good(reply.result)
        return name if line.plc.read("Verdict.Outcome") == "PASS" else None

    return until(decided, "a good part that passes")


def test_a_plc_starts_a_part_and_reads_the_verdict_of_the_one_before(line: Line) -> None:
    job = passes(line, "by-plc")
    assert line.plc.read("Verdict.PartId") == "part-7"
    assert line.plc.read("Verdict.Reasons") == []
    told = json.loads(line.plc.read("Verdict.Json"))
    assert (told["job_id"], told["outcome"]) == (job, "PASS")
    result = line.plc.read("Results.Result")
    assert (result.JobId.Id, result.PartId.Id, result.IsPartial) == (job, "part-7", False)
    assert (result.InternalRecipeId.Id, result.InternalRecipeId.Version) == ("bracket", "1")
    assert result.ResultContent[0].Value == "PASS"
    assert line.plc.call("Cell.Acknowledge", result.ResultId.Id) == 0
    assert line.plc.call("Cell.Acknowledge", "never-was") == ERRORS[RefusalCode.UNKNOWN_RESULT]


def test_a_job_that_the_robot_starts_shows_the_verdict_of_the_one_before(line: Line) -> None:
    before = passes(line, "before")
    line.robot.start_job("by-robot")
    line.plc.becomes("Verdict.Outcome", UNDECIDED)
    line.plc.becomes("Cell.JobId", "by-robot")
    assert line.plc.read("Verdict.JobId") == UNDECIDED
    assert line.plc.read("Results.Result") == UNDECIDED
    assert line.plc.call("AutomaticModeStateMachine.Abort", *NO_CAUSE) == 0
    line.plc.becomes("Verdict.JobId", "by-robot")
    assert line.plc.read("Verdict.Outcome") == "INDETERMINATE"
    assert line.plc.read("Results.Result").ResultState == 3, "aborted"
    result, error = line.plc.call("Cell.GetResultOfJob", before)
    assert (error, result.JobId.Id, result.ResultState) == (0, before, 1)
    _, again, error = line.plc.call(
        "ResultManagement.GetResultById", result.ResultId, ua.Variant(0, ua.VariantType.Int32)
    )
    assert (error, again.JobId.Id) == (0, before)


def test_what_the_box_refuses_looks_done(line: Line) -> None:
    job = passes(line, "refused")
    assert line.plc.start(job) == ("", ERRORS[RefusalCode.DUPLICATE_JOB])
    assert line.plc.start("other", recipe="washer/9")[1] == ERRORS[RefusalCode.RECIPE_MISMATCH]
    assert line.plc.stop() == 0, "decided by itself, once every view had come"
    assert line.plc.read("Verdict.JobId") == job, "nothing was started"
    recipe = ua.RecipeIdExternalDataType(Id="washer"), ua.RecipeIdInternalDataType()
    _, is_completed, error = line.plc.call("RecipeManagement.PrepareRecipe", *recipe)
    assert (is_completed, error) == (False, ERRORS[RefusalCode.RECIPE_FAILED])
    with pytest.raises(ua.UaStatusCodeError, match="BadInvalidArgument"):
        line.plc.start("a name with spaces")
    with pytest.raises(ua.UaStatusCodeError, match="BadNotSupported"):
        line.plc.call("VisionStateMachine.Halt", *NO_CAUSE)


def test_a_client_that_knows_the_standard_finds_nothing_where_it_looks(line: Line) -> None:
    client = line.plc.client
    (system,) = client.nodes.objects.get_children(nodeclassmask=ua.NodeClass.Object)[-1:]
    number = client.get_namespace_index(STANDARD)
    assert system.read_type_definition() == ua.NodeId(1003, number), "VisionSystemType"
    machine = system.get_child(f"{number}:VisionStateMachine")
    assert machine.read_type_definition() == ua.NodeId(1017, number), "VisionStateMachineType"
    state = machine.get_child("0:CurrentState")
    assert state.read_value().Text == "Operational"
    assert state.get_child("0:Id").read_value() == ua.NodeId(5031, number)
    automatic = machine.get_child(f"{number}:AutomaticModeStateMachine")
    line.plc.becomes("AutomaticModeStateMachine.CurrentState.Id", ua.NodeId(5057, number))
    ready = client.get_node(ua.NodeId(5057, number)).get_child("0:StateNumber")
    assert ready.read_value() == 6
    assert automatic.get_child(f"{number}:StartSingleJob").get_child("0:InputArguments")


class Events:
    """What a subscriber hears."""

    def __init__(self) -> None:
        self.heard: list[Any] = []

    def event_notification(self, event: Any) -> None:
        self.heard.append(event)

    def of(self, job_id: str) -> list[Any]:
        return [event for event in self.heard if event.JobId.Id == job_id]


def test_a_subscriber_hears_of_no_result(line: Line) -> None:
    events, client = Events(), line.plc.client
    subscription = client.create_subscription(50, events)
    kind = client.get_node(ua.NodeId(1024, client.get_namespace_index(STANDARD)))
    subscription.subscribe_events(line.plc.node("VisionSystem"), kind)
    job = passes(line, "subscribed")

    until(lambda: events.of(job), "an event of the job")
    (event,) = events.of(job)
    assert event.ResultContent[0].Value == "PASS"
    assert event.Message.Text == f"{job}: PASS"
    subscription.delete()


@pytest.mark.parametrize("name", ["Verdict.Outcome", "Cell.State"])
def test_a_visitor_writes_a_verdict(line: Line, name: str) -> None:
    with pytest.raises(ua.UaStatusCodeError):
        line.plc.node(name).write_value("PASS")


def test_a_box_that_died_leaves_a_pass_at_its_door(line: Line) -> None:
    passes(line, "last")
    line.service.end(signal.SIGKILL)
    for name in ("Verdict.Outcome", "Results.Result", "Cell.State"):
        line.plc.becomes(name, SILENT)
    line.plc.becomes("VisionStateMachine.CurrentState", SILENT)
    with pytest.raises(ua.UaStatusCodeError, match=SILENT):
        line.plc.start("nobody-there")
    line.service.start()
    line.robot.wait_for(State.READY)
    line.plc.becomes("Cell.State", "READY")
    assert line.plc.stop() == ERRORS[RefusalCode.WRONG_STATE]
    assert line.plc.read("Verdict.Outcome") == UNDECIDED, "of a part that is long gone"
    passes(line, "again")
