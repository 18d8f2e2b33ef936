"""Two recipes at once: each inspector in its own thread, none forgotten, none believed too late."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from tests.kits.cell_kit import until
from tests.kits.scripted_cell import Script, ScriptedInspector, scripted
from voxgate.runtime.jobs.events import InspectionEvent, RecipeFailed, RecipeReady
from voxgate.runtime.jobs.part_inspector import Prepared
from voxgate.runtime.jobs.relay import REPLACED, Relay


class Owned(ScriptedInspector):
    """Remembers which threads opened and closed it."""

    __slots__ = ("closed_in", "opened_in")

    def __init__(self) -> None:
        super().__init__(Script(), [], [])
        self.opened_in = threading.get_ident()
        self.closed_in: int | None = None

    def close(self) -> None:
        self.closed_in = threading.get_ident()


@pytest.fixture
def opened() -> list[Owned]:
    return []


@pytest.fixture
def relay(opened: list[Owned]) -> Iterator[Relay]:
    def prepare(name: str) -> Prepared:
        opened.append(Owned())
        return Prepared(opened[-1], name, "scripted", 3)

    relay = Relay(prepare, lambda: None, 8)
    yield relay
    assert relay.close()
    assert all(inspector.closed_in == inspector.opened_in for inspector in opened)


def prepare(relay: Relay, label: str) -> Prepared:
    relay.prepare(label)
    events: list[InspectionEvent] = until(relay.take, "the recipe")
    (event,) = events
    assert isinstance(event, RecipeReady)
    return event.prepared


def test_every_inspector_is_closed_by_the_thread_that_opened_it(
    relay: Relay, opened: list[Owned]
) -> None:
    for label in ("a/1", "a/2", "a/3"):
        prepare(relay, label)
        relay.switch(keep=True)
    until(lambda: opened[0].closed_in, "room for the third")  # two at most are open for long
    assert len({inspector.opened_in for inspector in opened}) == 3


def test_the_one_before_comes_back_without_being_opened_again(
    relay: Relay, opened: list[Owned]
) -> None:
    first = prepare(relay, "a/1")
    relay.switch(keep=True)
    prepare(relay, "a/2")
    relay.switch(keep=True)
    until(lambda: relay.keeps(first), "the one before")
    relay.recall()
    relay.switch(keep=True)
    assert len(opened) == 2
    assert not any(inspector.closed_in for inspector in opened)


def test_memory_of_the_one_before_is_given_back_when_asked(
    relay: Relay, opened: list[Owned]
) -> None:
    first = prepare(relay, "a/1")
    relay.switch(keep=False)
    prepare(relay, "a/2")
    relay.switch(keep=False)
    assert not relay.keeps(first)
    until(lambda: opened[0].closed_in, "its end")


def test_thread_that_does_not_end_is_seen() -> None:
    leave = threading.Event()

    class Stuck(ScriptedInspector):
        def close(self) -> None:
            leave.wait()

    relay = Relay(
        lambda name: Prepared(Stuck(Script(), [], []), name, "scripted", 3), lambda: None, 8
    )
    prepare(relay, "a/1")
    relay.switch(keep=False)
    prepare(relay, "a/2")
    relay.switch(keep=False)
    assert (REPLACED, True) in {(pulse.stage, pulse.busy) for pulse in relay.pulses()}
    leave.set()
    assert relay.close()


def test_recipe_that_fails_leaves_the_serving_one_its_work() -> None:
    relay = Relay(scripted(Script(broken="bracket/2")), lambda: None, 8)
    prepare(relay, "bracket/1")
    relay.switch(keep=True)
    relay.prepare("bracket/2")
    (event,) = until(relay.take, "the failure")
    assert isinstance(event, RecipeFailed)
    relay.withdraw()
    relay.begin(1)
    until(lambda: relay.idle, "the serving one's work")
    assert relay.close()
