"""The whole line with a 3D sensor beside the camera: two devices, one part, one verdict."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.kits import rig, scene, virtual
from tests.kits.needs import needs_c_compiler
from tests.kits.virtual_line import comes_to
from voxgate.export.reference.reference import export_reference_recipe
from voxgate.runtime.nouns import Reason
from voxgate.runtime.offline.inspect_scan import inspect_folder
from voxgate.runtime.offline.replay import replay_file
from voxgate.sim.box import Box
from voxgate.sim.cell_wires import wires_from_config
from voxgate.sim.demo.demo import play_in_time, wait_until_ready
from voxgate.sim.virtual_cell import VirtualCell

SPEED = 4.0
STANDING = scene.offset((0.4, -0.3, 0.0), (0.0, 0.0, 0.2))
GOOD = "good"
NIGHTLY = pytest.mark.nightly
HALF_A_MM = scene.offset((0.5, 0.0, 0.0), (0.0, 0.0, 0.0))


@pytest.fixture(scope="module")
def part(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recipe and a good part, as one rig took them."""
    folder = tmp_path_factory.mktemp("rig")
    golden = rig.write(folder / "golden", rig.ring(seed=100))
    export_reference_recipe(golden, folder / "recipes/boxes/1")
    rig.write(folder / GOOD, rig.ring(part_from_instance=STANDING))
    return folder


@pytest.fixture(scope="module")
def box(part: Path) -> Iterator[Box]:
    calibration = part / "golden/calibration.json"
    evidence = {"evidence": {"folder": str(part / "evidence"), "min_free_gb": 0}}
    with Box.start(part / "box", calibration, part / "recipes", "boxes/1", evidence) as running:
        yield running


@pytest.mark.parametrize(
    ("name", "boxes", "expected"),
    [
        (GOOD, scene.PART, "PASS"),
        pytest.param("boltless", scene.PART[:2], "FAIL", marks=NIGHTLY),
    ],
)
def test_the_verdict_is_not_that_of_the_recorded_scan(
    part: Path, cell: VirtualCell, name: str, boxes: tuple[scene.Box, ...], expected: str
) -> None:
    if not (part / name).exists():
        rig.write(part / name, rig.ring(boxes, STANDING))
    report = comes_to(cell, part / name, expected, SPEED)
    offline = inspect_folder(part / name, part / "recipes/boxes/1").verdict
    assert report.verdict is not None
    assert offline.score is not None
    assert report.verdict.score == pytest.approx(offline.score, rel=0.05)


FAULTS = {
    "sensor.drop:view=3": Reason.MISSING_VIEW,
    "step:sensor=0.5s": Reason.CLOCK_UNSYNCED,
}
MORE_FAULTS = {
    "sensor.duplicate:view=3": Reason.FRAME_INVALID,
    "drop:view=3": Reason.MISSING_VIEW,
    "sensor.stop:view=5": Reason.MISSING_VIEW,
    "sensor.corrupt:depth,view=2": Reason.MISSING_VIEW,
    "sensor.delay:frames=2s,view=4": Reason.MISSING_VIEW,
    "sensor.stale:view=3": Reason.FRAME_INVALID,
}


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        *FAULTS.items(),
        *(pytest.param(*row, marks=NIGHTLY) for row in MORE_FAULTS.items()),
    ],
)
def test_a_fault_of_one_half_passes(
    part: Path, cell: VirtualCell, fault: str, reason: Reason
) -> None:
    report = play_in_time(cell, part / GOOD, (fault,), SPEED)
    assert report.outcome == "INDETERMINATE", report.reasons
    assert report.verdict is not None
    assert reason in {said.reason for said in report.verdict.reasons}
    assert not report.may_pass


@NIGHTLY  # by day, of a recorded part: tests/export/reference/test_rig.py
def test_a_sensor_that_moved_half_a_millimetre_passes(
    part: Path, cell: VirtualCell, tmp_path: Path
) -> None:
    moved = [
        rig.look(pose, scene.PART, STANDING, number, sensor_bumped=HALF_A_MM)
        for number, pose in enumerate(rig.POSES)
    ]
    rig.write(tmp_path / "moved", moved)
    report = play_in_time(cell, tmp_path / "moved", speed=SPEED)
    assert report.outcome in ("INDETERMINATE", "FAIL")
    assert report.reasons
    assert not report.may_pass


@NIGHTLY
@pytest.mark.parametrize("names_too", [True, False])
def test_exchanged_cables_pass(part: Path, box: Box, cell: VirtualCell, names_too: bool) -> None:
    own = wires_from_config(box.config)
    wires = replace(own, frames=own.sensor_frames, sensor_frames=own.frames)
    if names_too:
        wires = replace(wires, camera=own.sensor, sensor=own.camera)
    with VirtualCell(wires) as crossed:
        report = play_in_time(crossed, part / GOOD, speed=SPEED)
    assert report.outcome == "INDETERMINATE"
    assert "frame_invalid" in report.reasons


@needs_c_compiler
@pytest.mark.nightly  # by day, both over the network, and one camera: test_virtual_cell.py
def test_two_genicam_devices_come_to_another_verdict(part: Path, tmp_path: Path) -> None:
    """Mono8 of the one, Coord3D_ABC32f of the other, each with a line of its own."""
    calibration, producer = part / "golden/calibration.json", Path(virtual.cti())
    started = Box.start(tmp_path, calibration, part / "recipes", "boxes/1", producer=producer)
    with started as box, VirtualCell(wires_from_config(box.config)) as cell:
        wait_until_ready(box, cell)
        comes_to(cell, part / GOOD, "PASS", SPEED)
        lost = play_in_time(cell, part / GOOD, ("sensor.miss:view=3",), SPEED)
        assert lost.outcome == "INDETERMINATE"
        assert "missing_view" in lost.reasons
        swapped = play_in_time(cell, part / GOOD, ("sensor.swap:view=3",), SPEED)
        assert swapped.outcome == "INDETERMINATE"
        assert "camera_lost" in swapped.reasons


def test_heartbeat_knows_only_the_camera(cell: VirtualCell) -> None:
    cell.robot.listen(500)
    assert cell.robot.heartbeat is not None
    stand = {each.name: each.standing.value for each in cell.robot.heartbeat.cameras}
    assert stand == {"cam0": "streaming", "sensor0": "streaming"}


def test_what_was_recorded_comes_to_another_verdict(
    part: Path, box: Box, cell: VirtualCell
) -> None:
    play_in_time(cell, part / GOOD, speed=SPEED)
    box.stop()  # evidence is written behind the verdict
    recorded = sorted((part / "evidence").glob("*.mcap"))
    outcomes = set()
    for file in recorded:
        again = replay_file(file, part / "recipes/boxes/1")
        assert again.same, again.sentence
        assert again.recorded is not None
        outcomes.add(again.recorded.outcome.value)
    assert {"PASS", "INDETERMINATE"} <= outcomes
