"""The whole line with several cameras: a process, ring and clock for each, and one verdict."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.kits import cameras, scene, virtual
from tests.kits.needs import needs_c_compiler
from tests.kits.virtual_line import comes_to
from voxgate.export.packing.cameras import of_each_camera
from voxgate.export.reference.reference import export_reference_recipe
from voxgate.runtime.nouns import Reason
from voxgate.runtime.offline.replay import replay_file
from voxgate.runtime.wire.fields import State
from voxgate.sim.box import Box
from voxgate.sim.cell_wires import wires_from_config
from voxgate.sim.demo.demo import play_in_time, wait_until_ready
from voxgate.sim.virtual_cell import VirtualCell

pytestmark = pytest.mark.nightly  # by day without a line: inspection/several/test_cell_inspector.py

SPEED = 4.0
PATIENCE_S = 180.0
PUT = scene.offset((0.3, -0.2, 0.0), (0.0, 0.0, 0.2))
FURTHER = ("left", "right")


def _cell() -> cameras.Cell:
    """The robot's camera is called as the virtual box calls its first one."""
    made = cameras.on_robot_and_above()
    wrist, *rest = made.cameras.items()
    return replace(made, cameras={"cam0": wrist[1], **dict(rest)})


@pytest.fixture(scope="module")
def part(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recipe, a good part and a bad one, as three cameras took them."""
    folder, cell = tmp_path_factory.mktemp("cameras"), _cell()
    golden = cameras.write(folder / "golden", cell, cameras.look(cell))
    of_each_camera(golden, folder / "recipes/boxes/1", "1", None, export_reference_recipe)
    cameras.write(folder / "good", cell, cameras.look(cell, scene.PART, PUT, seed=5))
    boxes = (*scene.PART, cameras.LUMP)
    cameras.write(folder / "bad", cell, cameras.look(cell, boxes, PUT, seed=7))
    shutil.copytree(folder / "good", folder / "dead")
    (folder / "dead/cameras/right/frames.jsonl").unlink()
    return folder


def _box(part: Path, name: str, producer: Path | None = None) -> Box:
    own = part / "golden/cameras"
    evidence = {"evidence": {"folder": str(part / name / "evidence"), "min_free_gb": 0}}
    return Box.start(
        *(part / name, own / "cam0/calibration.json", part / "recipes", "boxes/1", evidence),
        producer=producer,
        further={camera: own / camera / "calibration.json" for camera in FURTHER},
    )


@pytest.fixture(scope="module")
def box(part: Path) -> Iterator[Box]:
    with _box(part, "box") as running:
        yield running


@pytest.mark.parametrize(("name", "expected"), [("good", "PASS"), ("bad", "FAIL")])
def test_a_part_before_three_cameras_is_misjudged_or_replayed_as_another(
    part: Path, box: Box, cell: VirtualCell, name: str, expected: str
) -> None:
    report = comes_to(cell, part / name, expected, SPEED)
    assert report.verdict is not None
    assert {view.camera for view in report.verdict.views} == {"cam0", *FURTHER}
    job_id = report.verdict.job_id.replace(":", "_")
    folder = part / "box/evidence"

    def kept() -> bool:
        return any(job_id in path.name for path in folder.rglob("*.mcap"))

    virtual.wait_until(kept, PATIENCE_S)
    (recording,) = (path for path in folder.rglob("*.mcap") if job_id in path.name)
    again = replay_file(recording, part / "recipes/boxes/1")
    assert again.same, again.sentence


def test_a_camera_that_died_passes_or_has_no_name(part: Path, cell: VirtualCell) -> None:
    report = play_in_time(cell, part / "dead", speed=SPEED)
    assert report.outcome == "INDETERMINATE"
    assert report.verdict is not None
    missed = [said.detail for said in report.verdict.reasons if said.reason is Reason.MISSING_VIEW]
    assert any("camera right" in detail for detail in missed), missed


def test_exchanged_cables_of_two_cameras_pass(part: Path) -> None:
    with _box(part, "exchanged") as box:  # the other one hears its robot's poses meanwhile
        own = wires_from_config(box.config)
        left, right = own.further
        crossed = (left._replace(frames=right.frames), right._replace(frames=left.frames))
        with VirtualCell(replace(own, further=crossed)) as exchanged:
            wait_until_ready(box, exchanged)
            report = play_in_time(exchanged, part / "good", speed=SPEED)
    assert report.outcome == "INDETERMINATE"
    assert not report.may_pass
    assert report.verdict is not None
    said = [(each.reason.value, each.detail) for each in report.verdict.reasons]
    assert any("camera left" in detail for reason, detail in said if reason == "frame_invalid"), (
        said
    )


def test_a_cell_whose_calibrations_were_exchanged_serves(part: Path) -> None:
    own = part / "golden/cameras"
    swapped = dict(zip(FURTHER, reversed(FURTHER), strict=True))
    started = Box.start(
        *(part / "swapped", own / "cam0/calibration.json", part / "recipes", "boxes/1"),
        further={name: own / other / "calibration.json" for name, other in swapped.items()},
    )
    with started as box:
        virtual.wait_until(lambda: "were they swapped" in box.last_words(), PATIENCE_S)
        with VirtualCell(wires_from_config(box.config)) as cell:
            assert cell.state().state is not State.READY


@needs_c_compiler
def test_two_genicam_cameras_and_a_third_come_to_other_verdicts(part: Path) -> None:
    started = _box(part, "genicam", Path(virtual.cti()))
    with started as box, VirtualCell(wires_from_config(box.config)) as cell:
        wait_until_ready(box, cell)
        comes_to(cell, part / "good", "PASS", SPEED)
        comes_to(cell, part / "bad", "FAIL", SPEED)
