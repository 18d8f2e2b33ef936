"""Replay equals line: what the real service recorded comes to its verdict again, also if spoilt."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from mcap.reader import make_reader
from typer.testing import CliRunner

from tests.kits.cell_kit import until
from tests.kits.protobuf_reader import decoded
from tests.kits.repository import ROOT
from tests.kits.small_scan import small_bracket
from voxgate.export.golden.golden import load_golden
from voxgate.runtime.cli import app
from voxgate.runtime.errors import ScanError
from voxgate.runtime.nouns import Outcome, Reason
from voxgate.runtime.offline.inspect_scan import inspect_folder
from voxgate.runtime.offline.replay import EXIT_DIFFERS, replay_file
from voxgate.runtime.recipe.folder import MANIFEST_FILE, sha256
from voxgate.runtime.records.evidence_folder import Kept, kept_in
from voxgate.runtime.scans.convert import convert_scan
from voxgate.runtime.scans.job_reader import RecordedJob, read_job
from voxgate.runtime.scans.open_scan import open_scan
from voxgate.runtime.scans.recording import Handed, Held, Told
from voxgate.runtime.scans.scan import FrameRecord
from voxgate.runtime.wire.commands import Abort, StartJob
from voxgate.runtime.wire.replies import Done, ResultReply
from voxgate.runtime.wire.verdict import EvidenceStatus
from voxgate.sim.box import Box
from voxgate.sim.cell_wires import wires_from_config
from voxgate.sim.demo.demo import play_in_time, wait_until_ready
from voxgate.sim.recipes import export_once
from voxgate.sim.virtual_cell import VirtualCell

BRACKET = small_bracket()
SPEED = 8.0
CAREFUL = 2.0  # clocks that have just met know 25 ms: the arm has to stand so long


@pytest.fixture(scope="module")
def recipe() -> Path:
    return export_once(BRACKET / "golden", ROOT / "out" / "recipes")


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory, recipe: Path) -> Iterator[Box]:
    folder = tmp_path_factory.mktemp("box")
    with Box.start(
        folder,
        BRACKET / "calibration.json",
        recipe.parents[1],
        f"{recipe.parent.name}/{recipe.name}",
        {"evidence": {"folder": str(folder / "evidence"), "min_free_gb": 0.0}},
    ) as running:
        yield running


@pytest.fixture(scope="module")
def cell(box: Box) -> Iterator[VirtualCell]:
    with VirtualCell(wires_from_config(box.config)) as playing:
        wait_until_ready(box, playing)
        yield playing


def recorded(box: Box, job_id: str) -> Path:
    """The file of a job, once it is written."""
    assert box.config.evidence is not None
    folder = box.config.evidence.folder

    def found() -> Kept | None:
        return next((kept for kept in kept_in(folder) if kept.job_id == job_id), None)

    return folder / until(found, f"the recording of {job_id}").name


LONG = (
    *("drop:view=3", "reorder:view=3", "duplicate:view=3", "corrupt:image,view=3"),
    *("delay:frames=2s,view=5", "delay:poses=300ms,view=4", "drop:poses=20%"),
    *("step:robot=0.3s", "nan:poses", "freeze:poses=300ms", "stale:view=0"),
)


@pytest.mark.parametrize(
    ("scan", "fault"),
    [
        ("bad", None),
        ("good", "step:camera=0.5s"),
        pytest.param("good", None, marks=pytest.mark.nightly),
        *(pytest.param("good", fault, marks=pytest.mark.nightly) for fault in LONG),
    ],
)
def test_a_replay_comes_to_another_verdict(
    box: Box, cell: VirtualCell, recipe: Path, scan: str, fault: str | None
) -> None:
    report = play_in_time(cell, BRACKET / scan, () if fault is None else (fault,), SPEED)
    line = report.verdict
    assert line is not None
    assert line.evidence is EvidenceStatus.QUEUED
    path = recorded(box, line.job_id)
    again = replay_file(path, recipe)
    assert line.origin is not None
    assert line.origin.recipe_digest == sha256((recipe / MANIFEST_FILE).read_bytes())
    assert again.recorded == line
    assert again.moved == ()
    assert again.differs == ()
    assert again.message.is_simulated
    for name in ("outcome", "score", "defects", "coverage", "reasons", "views", "alignment"):
        assert getattr(again.message, name) == getattr(line, name), name
    if (scan, fault) == ("good", None):
        _others_read_it(path, recipe, line.outcome)
    if line.outcome is Outcome.FAIL:
        _shows_the_defect(path)
    _holds_everything(read_job(path))
    _is_told_under_another_name(path, recipe)


def _is_told_under_another_name(path: Path, recipe: Path) -> None:
    """A good part's recording, put in the place of a bad part's."""
    job_id = next(kept.job_id for kept in kept_in(path.parent) if kept.name == path.name)
    other = path.with_name(path.name.replace(job_id.replace(":", "+"), "another-job"))
    path.rename(other)
    with pytest.raises(ScanError, match=f"is a recording of job {job_id}, not of another-job"):
        replay_file(other, recipe)
    other.rename(path)


def _others_read_it(path: Path, recipe: Path, outcome: Outcome) -> None:
    """With fresh clocks, from the file and from the folder it becomes."""
    assert inspect_folder(path, recipe).message.outcome is outcome
    folder = path.with_suffix("")
    assert convert_scan(path, folder) == ""
    assert len(open_scan(folder).frames) == 12


def _shows_the_defect(path: Path) -> None:
    """The volume, as a viewer gets it."""
    with path.open("rb") as file:
        (found,) = make_reader(file).iter_messages(topics=["/volume"])
        cloud = decoded(found[0], found[2].data)
    points = np.frombuffer(cloud.data, "<f4,<f4,<f4,<f4,<u4")
    assert len(points) > 1000
    assert points["f3"].max() > 1.0


def _holds_everything(job: RecordedJob) -> None:
    events = job.recording.events
    told = [event.command for event in events if isinstance(event, Told)]
    assert told[0] == "start_job"
    frames = sum(isinstance(event, FrameRecord) for event in events)
    assert sum(isinstance(event, Handed) for event in events) <= frames <= 12
    assert job.verdict is not None
    held = {event.note.reason for event in events if isinstance(event, Held)}
    assert held <= {reason.reason for reason in job.verdict.reasons}
    assert job.recording.poses_before


def test_a_job_without_a_frame_cannot_be_replayed(
    box: Box, cell: VirtualCell, recipe: Path
) -> None:
    robot, job_id = cell.robot, f"empty-{time.monotonic_ns()}"
    started = robot.ask(StartJob(request_id=robot.next_id(), job_id=job_id, part_id="none"))
    assert isinstance(started, Done), started
    reply = robot.ask(Abort(request_id=robot.next_id()))
    assert isinstance(reply, ResultReply)
    again = replay_file(recorded(box, job_id), recipe)
    assert again.recorded == reply.result
    assert again.differs == ()
    assert [note.reason for note in again.verdict.notes] == [Reason.ABORTED]


def test_a_verdict_that_changed_is_not_told(
    box: Box, cell: VirtualCell, recipe: Path, tmp_path: Path
) -> None:
    """By stricter limits than the line's the same part is no longer inspected to the end."""
    assert box.config.evidence is not None
    kept = kept_in(box.config.evidence.folder)
    if not kept:
        play_in_time(cell, BRACKET / "bad", (), SPEED)
        kept = until(lambda: kept_in(box.config.evidence.folder), "a recording")  # type: ignore[union-attr]
    strict = json.loads((box.folder / "cell.yaml").read_text()) | {"limits": {"shift_max_mm": 0.05}}
    config = tmp_path / "strict.yaml"
    config.write_text(json.dumps(strict))
    path = box.config.evidence.folder / kept[0].name
    done = CliRunner().invoke(app, ["replay", str(path), "--config", str(config)])
    assert done.exit_code == EXIT_DIFFERS, done.output
    assert "NOT the verdict of the line" in done.output


@pytest.mark.parametrize(
    "as_folder",
    [False, pytest.param(True, marks=pytest.mark.nightly)],
    ids=["mcap", "folder"],
)
def test_a_recorded_golden_part_teaches_nothing(tmp_path: Path, as_folder: bool) -> None:
    """`voxgate record` needs no recipe, not even the one its YAML names."""
    out = tmp_path / "golden"
    options = ("--folder",) if as_folder else ()
    (tmp_path / "recipes").mkdir()
    with (
        Box.start(
            tmp_path / "box",
            BRACKET / "calibration.json",
            tmp_path / "recipes",
            None,
            {"recipes": {"default": "bracket/not-yet-there"}},
            command=("record", str(out), *options, "--config"),
        ) as box,
        VirtualCell(wires_from_config(box.config)) as cell,
    ):
        wait_until_ready(box, cell)

        def nothing_else_to_say() -> bool:  # a machine that stalls: as if a clock was stepped
            report = play_in_time(cell, BRACKET / "golden", (), CAREFUL)
            assert report.verdict is not None
            assert report.outcome == "INDETERMINATE"
            return "only recorded" in report.verdict.reasons[0].detail

        until(nothing_else_to_say, "a job that is recorded in time", 240.0)
    ending = "_INDETERMINATE" if as_folder else "_INDETERMINATE.mcap"
    # the job is played again until the machine keeps up: the last one counts
    scan = max(path for path in out.iterdir() if path.name.endswith(ending))
    assert scan.is_dir() == as_folder
    assert len(open_scan(scan).frames) == 12
    golden = load_golden(scan)  # what every exporter begins with: all views are proven
    assert len(golden.views) == 12
