"""The whole line with a GenICam camera: Line1, producer, harvesters, box. No fault is PASS."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.kits import virtual
from tests.kits.needs import needs_c_compiler
from tests.kits.repository import ROOT
from tests.kits.small_scan import small_bracket
from voxgate.runtime.nouns import Reason
from voxgate.runtime.scans.open_scan import open_scan
from voxgate.sim.box import Box
from voxgate.sim.cell_wires import wires_from_config
from voxgate.sim.demo.demo import camera_path, play_in_time, wait_until_ready
from voxgate.sim.field.events import Trigger
from voxgate.sim.field.faults import FaultError, fault_from_text
from voxgate.sim.field.schedule import schedule_from_timeline
from voxgate.sim.field.timeline import timeline_from_scan
from voxgate.sim.field.triggers import LEAD_NS
from voxgate.sim.gentl.link import FOLDER, PREFIX, Fault
from voxgate.sim.job_report import JobReport
from voxgate.sim.recipes import export_once
from voxgate.sim.virtual_cell import VirtualCell

BRACKET = small_bracket()
SPEED = 8.0
NS_PER_S = 1_000_000_000
MS = 1_000_000


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    recipe = export_once(BRACKET / "golden", ROOT / "out" / "recipes")
    name = f"{recipe.parent.name}/{recipe.name}"
    with Box.start(
        tmp_path_factory.mktemp("box"),
        BRACKET / "calibration.json",
        recipe.parents[1],
        name,
        producer=Path(virtual.cti()),
    ) as running:
        yield running


@pytest.fixture(scope="module")
def cell(box: Box) -> Iterator[VirtualCell]:
    with VirtualCell(wires_from_config(box.config)) as playing:
        wait_until_ready(box, playing)
        yield playing


def _play(box: Box, cell: VirtualCell, scan: str, *faults: str) -> JobReport:
    """One job; asked for again while the box still opens the camera of the job before."""
    reports: list[JobReport] = []

    def accepted() -> bool:
        box.check_alive()
        reports.append(play_in_time(cell, BRACKET / scan, faults, SPEED))
        return reports[-1].refused is None

    virtual.wait_until(accepted, 60.0)
    return reports[-1]


@needs_c_compiler
def test_the_verdict_is_not_that_of_the_part(box: Box, cell: VirtualCell) -> None:
    reports: list[JobReport] = []

    def decided(scan: str, expected: str) -> bool:
        reports.append(_play(box, cell, scan))
        assert reports[-1].outcome == expected or reports[-1].stalled, reports[-1].reasons
        return reports[-1].outcome == expected

    for scan, expected in (("good", "PASS"), ("bad", "FAIL"), ("good", "PASS")):
        virtual.wait_until(partial(decided, scan, expected), 60.0)
        report = reports[-1]
        assert report.verdict is not None
        assert report.verdict.is_simulated
        assert report.may_pass == (expected == "PASS")
    assert report.latency_ms is not None
    assert report.frame_latency_ms is not None
    assert report.frame_latency_ms < report.latency_ms


FAULTS = {
    "miss:view=3": Reason.MISSING_VIEW,
    "swap:view=5": Reason.CAMERA_LOST,
}
MORE_FAULTS = {
    "stale:view=3": Reason.CLOCK_UNSYNCED,
    "reboot:view=5": Reason.MISSING_VIEW,
    "drop:view=3": Reason.FRAME_LOST,
    "corrupt:image,view=3": Reason.FRAME_INVALID,
    "stall:view=7": Reason.MISSING_VIEW,
    "jump:view=3": Reason.FRAME_LOST,
    "repeat:view=3": Reason.FRAME_INVALID,
    "duplicate:view=3": Reason.FRAME_INVALID,
    "zero:view=3": Reason.CLOCK_UNSYNCED,
    "back:view=3": Reason.CLOCK_UNSYNCED,
    "format:view=3": Reason.FRAME_INVALID,
    "error:view=3": Reason.CAMERA_LOST,
    "stop:view=5": Reason.CAMERA_LOST,
    "step:camera=0.5s": Reason.CLOCK_UNSYNCED,
    "delay:frames=2s,view=5": Reason.MISSING_VIEW,
}


@needs_c_compiler
@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        *FAULTS.items(),
        *(pytest.param(*row, marks=pytest.mark.nightly) for row in MORE_FAULTS.items()),
    ],
)
def test_a_disturbed_job_passes(box: Box, cell: VirtualCell, fault: str, reason: Reason) -> None:
    def named() -> bool:  # on a machine that stalls, what came late hides what went wrong
        report = _play(box, cell, "good", fault)
        assert report.outcome == "INDETERMINATE"
        assert not report.may_pass
        return reason.value in report.reasons

    virtual.wait_until(named, 60.0)


@pytest.mark.nightly
@needs_c_compiler
def test_a_lost_camera_is_lost_for_good(box: Box, cell: VirtualCell) -> None:
    """After a power cycle its clock is another one: one job may pay for that."""
    assert "PASS" in [_play(box, cell, "good").outcome for _ in range(3)]


@needs_c_compiler
def test_a_killed_camera_leaves_its_memory_behind(box: Box) -> None:
    """The field's process holds the camera; killed, nobody of it could clean up."""
    wires = wires_from_config(box.config)
    file = FOLDER / f"{PREFIX}killed-{os.getpid()}"
    other = {**{name: getattr(wires, name) for name in type(wires).__slots__}}
    other["serial_number"] = file.name.removeprefix(PREFIX)
    with VirtualCell(type(wires)(**other)) as doomed:
        virtual.wait_until(file.exists)
        os.kill(doomed._field.pid, signal.SIGKILL)
        virtual.wait_until(lambda: not file.exists())


# without processes


def _triggers(*faults: str) -> list[Trigger]:
    timeline = timeline_from_scan(open_scan(BRACKET / "good"))
    asked = tuple(fault_from_text(fault) for fault in faults)
    events = schedule_from_timeline(timeline, asked, triggered=True).events
    return [event for event in events if isinstance(event, Trigger)]


def test_a_trigger_is_told_after_it_was_due() -> None:
    timeline = timeline_from_scan(open_scan(BRACKET / "good"))
    triggers = _triggers()
    assert [trigger.t_ns for trigger in triggers] == [e.t_ns for e in timeline.exposures]
    assert all(trigger.send_ns == trigger.t_ns - LEAD_NS for trigger in triggers)
    assert all(trigger.fired and not trigger.faults for trigger in triggers)


def test_a_fault_hits_another_view() -> None:
    third = _triggers("miss:view=3", "delay:frames=5ms,view=3")[3]
    assert third.faults == ((Fault.MISSED, 1), (Fault.LATE_NS, 5 * MS))
    assert not any(trigger.faults for i, trigger in enumerate(_triggers("miss:view=3")) if i != 3)
    dropped = _triggers("drop:view=3")[3]
    assert not dropped.fired
    assert dropped.faults == ((Fault.ID_JUMP, 1),)


@pytest.mark.parametrize("fault", ["reorder:view=3"])
def test_a_fault_that_this_link_cannot_have_is_ignored(fault: str) -> None:
    with pytest.raises(FaultError, match="keeps its frames in order"):
        _triggers(fault)


def test_a_fault_of_a_genicam_camera_is_ignored_on_the_network() -> None:
    timeline = timeline_from_scan(open_scan(BRACKET / "good"))
    with pytest.raises(FaultError, match="only a GenICam camera can"):
        schedule_from_timeline(timeline, (fault_from_text("miss:view=3"),))


def test_the_demo_hides_which_way_its_frames_went(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("voxgate.sim.gentl.build.compiler", lambda: None)
    producer, path = camera_path(tmp_path)
    assert producer is None
    assert "ZeroMQ" in path
    assert "apt-get install gcc" in path


@needs_c_compiler
def test_a_compiler_that_fails_stops_the_demo(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("voxgate.sim.gentl.build.FLAGS", ("-no-such-flag",))
    producer, path = camera_path(tmp_path)
    assert producer is None
    assert "cannot compile" in path
    assert json.dumps(path)
