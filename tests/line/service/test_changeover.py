"""Another recipe while parts are inspected: no part meets the wrong one, the line never waits."""

from __future__ import annotations

import contextlib
import itertools
import signal
import time
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from tests.kits.cell_kit import ServiceProcess, until, write_cell
from tests.kits.good_part import is_good, reasons, stop
from tests.kits.robot_kit import Robot
from tests.kits.scripted_cell import Script, ScriptedInspector
from voxgate.runtime.jobs.part_inspector import Prepared
from voxgate.runtime.nouns import How, Outcome, Reason
from voxgate.runtime.station.changeover import Changeover
from voxgate.runtime.wire.commands import (
    Abort,
    GetResult,
    GetState,
    PrepareRecipe,
    Reset,
    Rollback,
    StartJob,
    StopJob,
)
from voxgate.runtime.wire.fields import State
from voxgate.runtime.wire.replies import Done, RefusalCode, Refused, Reply, ResultReply, StateReply
from voxgate.runtime.wire.verdict import VerdictMessage

_numbers = itertools.count()
SLOW = Script(slow="bracket/2", slow_s=1.0, broken="bracket/3")


@contextlib.contextmanager
def serving(
    folder: Path, script: Script = SLOW, **changes: dict[str, Any]
) -> Iterator[tuple[ServiceProcess, Robot]]:
    """A service and a robot whose clock it knows."""
    service = ServiceProcess(write_cell(folder, **changes), script).start()
    try:
        with Robot(folder) as robot:
            robot.send_poses()
            until(lambda: robot.state() is not State.PREOPERATIONAL, "the cameras")
            until(lambda: asked(robot).preparing is None, "the end of the preparation")
            robot.send_poses_for_a_while()
            yield service, robot
    except AssertionError:
        print(service.log.read_text())  # noqa: T201 (pytest shows it with the failure)
        raise
    finally:
        service.kill_if_left()


def asked(robot: Robot) -> StateReply:
    reply = robot.ask(GetState)
    assert isinstance(reply, StateReply)
    return reply


def refused(reply: Reply) -> RefusalCode:
    assert isinstance(reply, Refused), reply
    return reply.code


def start(robot: Robot, job_id: str, recipe: str | None = None) -> Reply:
    reply = robot.ask(StartJob, job_id=job_id, part_id="p", recipe=recipe)
    time.sleep(0.06)  # the arm travels, as in Robot.start_job
    return reply


def finish(robot: Robot, job_id: str) -> VerdictMessage:
    for _ in range(3):
        robot.expose()
    return stop(robot, job_id)


def decide_a_part(robot: Robot, job_id: str, recipe: str) -> None:
    """A good part passes with this recipe; a machine that stalls costs a job its clocks."""

    def passes() -> bool:
        name = f"{job_id}-{next(_numbers)}"
        assert isinstance(start(robot, name, recipe), Done)
        verdict = finish(robot, name)
        assert verdict.recipe == recipe
        assert is_good(verdict)
        return verdict.outcome is Outcome.PASS

    until(passes, "a good part that passes")


# --- beside the one that serves ------------------------------------------------------------------


def test_job_ends_with_its_recipe_and_the_next_has_the_new_one(folder: Path) -> None:
    with serving(folder) as (service, robot), Robot(folder) as other:
        assert refused(robot.ask(Rollback)) is RefusalCode.WRONG_STATE  # to what?
        decide_a_part(robot, "job-1", "bracket/1")
        assert isinstance(start(robot, "job-2"), Done)
        request = other.send(PrepareRecipe, recipe="bracket/2")
        until(lambda: asked(robot).preparing == "bracket/2", "the preparation")
        assert refused(robot.ask(PrepareRecipe, recipe="bracket/1")) is RefusalCode.BUSY
        assert refused(robot.ask(Rollback)) is RefusalCode.BUSY
        time.sleep(SLOW.slow_s + 0.2)  # it is proven long before the part is done
        assert (asked(robot).recipe, asked(robot).state) == ("bracket/1", State.EXECUTING)
        assert finish(robot, "job-2").recipe == "bracket/1"
        done = other.reply()
        assert (done.request_id, done.state) == (request, State.READY)
        assert isinstance(done, Done)
        decide_a_part(robot, "job-3", "bracket/2")
        beat = until(lambda: robot.published("heartbeat")[-1], "a heartbeat")
        assert (beat["recipe"], beat["preparing"]) == ("bracket/2", None)
        assert service.end(signal.SIGTERM) == 0


def test_line_goes_on_while_a_recipe_loads_but_only_with_a_named_one(folder: Path) -> None:
    with serving(folder) as (_, robot), Robot(folder) as other:
        other.send(PrepareRecipe, recipe="bracket/2")
        until(lambda: asked(robot).preparing, "the preparation")
        for recipe in (None, "bracket", "bracket/2"):  # each could mean the one that is coming
            reply = robot.ask(StartJob, job_id="job-1", part_id="p", recipe=recipe)
            assert refused(reply) is RefusalCode.RECIPE_MISMATCH
            assert "bracket/2 is still being prepared" in str(reply)
        decide_a_part(robot, "job-1", "bracket/1")
        assert isinstance(other.reply(), Done)
        old = robot.ask(StartJob, job_id="job-2", part_id="p", recipe="bracket/1")
        assert refused(old) is RefusalCode.RECIPE_MISMATCH
        decide_a_part(robot, "job-2", "bracket/2")


@pytest.mark.parametrize("recipe", ["bracket/3", pytest.param("gear", marks=pytest.mark.nightly)])
def test_recipe_that_cannot_be_proven_leaves_the_old_one_serving(folder: Path, recipe: str) -> None:
    with serving(folder) as (_, robot):
        reply = robot.ask(PrepareRecipe, recipe=recipe)
        assert refused(reply) is RefusalCode.RECIPE_FAILED
        assert "bracket/1 serves on" in str(reply)
        state = asked(robot)
        assert (state.state, state.recipe, state.preparing) == (State.READY, "bracket/1", None)
        assert "serves on" in (state.error or "")
        decide_a_part(robot, "job-1", "bracket/1")


@pytest.mark.nightly
def test_recipe_that_fails_in_mid_job_harms_neither_job_nor_recipe(folder: Path) -> None:
    with serving(folder) as (_, robot), Robot(folder) as other:
        robot.start_job("job-1")
        assert refused(other.ask(PrepareRecipe, recipe="bracket/3")) is (RefusalCode.RECIPE_FAILED)
        verdict = finish(robot, "job-1")
        assert is_good(verdict)


def test_aborted_job_is_a_boundary_too(folder: Path) -> None:
    with serving(folder) as (_, robot), Robot(folder) as other:
        robot.start_job("job-1")
        other.send(PrepareRecipe, recipe="bracket/4")
        until(lambda: "prepared in" in log_of(folder, "bracket/4"), "the proof")
        aborted = robot.ask(Abort)
        assert isinstance(aborted, ResultReply)
        assert aborted.result.recipe == "bracket/1"
        assert isinstance(other.reply(), Done)
        assert asked(robot).recipe == "bracket/4"


def log_of(folder: Path, word: str) -> str:
    lines = (folder / "service.log").read_text().splitlines()
    return "\n".join(line for line in lines if word in line)


def test_broken_engine_does_not_take_the_next_recipe_with_it(folder: Path) -> None:
    script = SLOW.model_copy(update={"raise_in": "add"})
    with serving(folder, script) as (_, robot), Robot(folder) as other:
        robot.start_job("job-1")
        other.send(PrepareRecipe, recipe="bracket/2")
        until(lambda: asked(robot).preparing, "the preparation")
        robot.expose()
        reply = robot.ask(StopJob, job_id="job-1")
        assert isinstance(reply, ResultReply)
        assert Reason.ENGINE_FAILED in reasons(reply.result)
        refusal = robot.ask(PrepareRecipe, recipe="bracket/4")
        assert refused(refusal) in {RefusalCode.WRONG_STATE, RefusalCode.BUSY}
        done = other.reply()
        assert (isinstance(done, Done), done.state) == (True, State.ERROR)
        assert refused(robot.ask(PrepareRecipe, recipe="bracket/4")) is RefusalCode.WRONG_STATE
        assert isinstance(robot.ask(Reset), Done)
        robot.wait_for(State.READY)
        assert asked(robot).recipe == "bracket/2"


@pytest.mark.nightly
def test_engine_that_broke_is_proven_again_by_its_version_not_by_the_newest(folder: Path) -> None:
    script = Script(raise_in="add", newest="bracket/9")
    changes: dict[str, Any] = {"recipes": {"default": "bracket/1"}}
    with serving(folder, script, **changes) as (_, robot):
        robot.start_job("job-1")
        robot.expose()
        robot.ask(StopJob, job_id="job-1")
        assert robot.state() is State.ERROR
        assert isinstance(robot.ask(Reset), Done)
        robot.wait_for(State.READY)
        assert asked(robot).recipe == "bracket/1"


# --- back ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("keep_mb", [0, None])
def test_rollback_goes_back_and_forward(folder: Path, keep_mb: int | None) -> None:
    script = SLOW.model_copy(update={"slow": "bracket/1", "slow_s": 0.3})
    with serving(folder, script, recipes={"keep_before_mb": keep_mb}) as (_, robot):
        assert isinstance(robot.ask(PrepareRecipe, recipe="bracket/2"), Done)
        assert asked(robot).rollback == "bracket/1"
        wrong = robot.ask(Rollback, recipe="gear")
        assert refused(wrong) is RefusalCode.RECIPE_MISMATCH
        assert isinstance(robot.ask(Rollback, recipe="bracket"), Done)
        decide_a_part(robot, "job-1", "bracket/1")
        assert isinstance(robot.ask(Rollback), Done)
        decide_a_part(robot, "job-2", "bracket/2")
        loaded = log_of(folder, "bracket/1 backend").count("prepared in")
        assert loaded == (1 if keep_mb == 0 else 2)  # at the start, and again where it was let go


@pytest.mark.nightly  # by day without a job, above
def test_rollback_during_a_job_waits_for_its_end(folder: Path) -> None:
    with serving(folder, recipes={"keep_before_mb": 0}) as (_, robot), Robot(folder) as other:
        assert isinstance(robot.ask(PrepareRecipe, recipe="bracket/4"), Done)
        assert isinstance(start(robot, "job-1", "bracket/4"), Done)
        other.send(Rollback)
        until(lambda: asked(robot).preparing == "bracket/1", "the rollback")
        assert finish(robot, "job-1").recipe == "bracket/4"
        assert isinstance(other.reply(), Done)
        assert asked(robot).recipe == "bracket/1"


@pytest.mark.nightly
def test_recipe_that_served_before_the_restart_is_remembered(folder: Path) -> None:
    with serving(folder) as (service, robot):
        decide_a_part(robot, "job-1", "bracket/1")
        service.end(signal.SIGKILL)
    (folder / "recipes/bracket/4").mkdir()
    with serving(folder, recipes={"default": "bracket/4"}) as (_, robot):
        assert (asked(robot).recipe, asked(robot).rollback) == ("bracket/4", "bracket/1")
        assert isinstance(robot.ask(Rollback), Done)
        decide_a_part(robot, "job-2", "bracket/1")


@pytest.mark.parametrize("allowed", [pytest.param(False, marks=pytest.mark.nightly), True])
def test_bad_newest_version_falls_back_only_where_that_is_allowed(
    folder: Path, allowed: bool
) -> None:
    with serving(folder) as (service, robot):
        decide_a_part(robot, "job-1", "bracket/1")
        service.end(signal.SIGKILL)
    upgraded = SLOW.model_copy(update={"newest": "bracket/3"})
    with serving(folder, upgraded, recipes={"fallback": allowed}) as (service, robot):
        state = asked(robot)
        beat = until(lambda: robot.published("heartbeat")[-1], "a heartbeat")
        assert beat["is_fallback"] is allowed
        if not allowed:
            assert (state.state, state.recipe) == (State.INITIALIZED, None)
            assert isinstance(robot.ask(Rollback), Done)  # a person decides
        else:
            assert (state.state, state.recipe) == (State.READY, "bracket/1")
            assert "off by 0.5" in (state.fallback or "")
            assert "FALLBACK" in log_of(folder, "code=recipe")
            new = robot.ask(StartJob, job_id="job-2", part_id="p", recipe="bracket/3")
            assert refused(new) is RefusalCode.RECIPE_MISMATCH
        decide_a_part(robot, "job-2", "bracket/1")
        assert isinstance(robot.ask(PrepareRecipe, recipe="bracket/4"), Done)
        assert asked(robot).fallback is None
        assert service.end(signal.SIGTERM) == 0


# --- the end in the middle of it -----------------------------------------------------------------


@pytest.mark.parametrize(
    "end", [signal.SIGKILL, pytest.param(signal.SIGTERM, marks=pytest.mark.nightly)]
)
def test_service_that_ends_during_a_preparation_leaves_nobody_waiting(
    folder: Path, end: signal.Signals
) -> None:
    with serving(folder) as (service, robot), Robot(folder) as other:
        robot.start_job("job-1")
        other.send(PrepareRecipe, recipe="bracket/2")
        until(lambda: asked(robot).preparing, "the preparation")
        code = service.end(end)
        if end is signal.SIGTERM:
            assert code == 0
            assert refused(other.reply()) is RefusalCode.SHUTDOWN
    with serving(folder) as (_, robot):
        reply = robot.ask(GetResult, job_id="job-1")
        assert isinstance(reply, ResultReply)
        assert reply.result.outcome is Outcome.INDETERMINATE
        assert reply.result.recipe == "bracket/1"
        decide_a_part(robot, "job-2", "bracket/1")


# --- without processes ---------------------------------------------------------------------------


def prepared(label: str, gone: bool = False) -> Prepared:
    until_utc = datetime(2020, 1, 1, tzinfo=timezone.utc) if gone else None
    return Prepared(ScriptedInspector(Script(), [], []), label, "scripted", 3, until_utc)


def changed(*recipes: Prepared, good: tuple[str, ...] = ()) -> Changeover:
    changeover = Changeover(good)
    for recipe in recipes:
        changeover.begin(recipe.label, How.ASKED)
        changeover.proven(recipe)
        changeover.switch()
    return changeover


NOW = datetime(2026, 1, 1, tzinfo=timezone.utc)


def test_recipe_whose_signature_expired_is_not_taken_from_memory() -> None:
    assert changed(prepared("a/1"), prepared("a/2")).warm(NOW) is not None
    assert changed(prepared("a/1", gone=True), prepared("a/2")).warm(NOW) is None


def test_recipe_that_is_proven_again_is_not_its_own_predecessor() -> None:
    assert changed(prepared("a/1"), prepared("a/2"), prepared("a/2")).before == "a/1"
    assert changed(prepared("a/1"), prepared("a/1")).before is None
    assert changed(prepared("a/1"), good=("a/1", "b/1")).before == "b/1"


def test_another_part_types_recipe_is_no_fallback() -> None:
    assert Changeover(("gear/7", "bracket/2", "bracket/1")).last_good("bracket") == "bracket/2"
    assert Changeover(("gear/7",)).last_good("bracket") is None


@pytest.mark.parametrize(
    ("wanted", "preparing", "may"),
    [
        (None, None, True),
        ("a", None, True),
        ("a/1", None, True),
        ("a/2", None, False),
        ("b", None, False),
        (None, "a/2", False),
        ("a", "a/2", False),
        ("a", "a", False),
        ("a", "b/1", True),
        ("a/1", "a/2", True),
        ("a/2", "a/2", False),
        ("b", "b/1", False),
        (None, "a/1", True),
    ],
)
def test_no_job_starts_with_a_recipe_it_did_not_mean(
    wanted: str | None, preparing: str | None, may: bool
) -> None:
    changeover = changed(prepared("a/1"))
    if preparing is not None:
        changeover.begin(preparing, How.ASKED)
    assert (changeover.problem_with(wanted) is None) is may
