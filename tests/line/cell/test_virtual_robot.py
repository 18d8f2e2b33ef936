"""The virtual cell over real sockets, against a box of a few lines that notes what it hears."""

from __future__ import annotations

import json
import math
import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zmq

from tests.kits import viky
from tests.kits.cell_kit import until
from tests.kits.journalled import passing_verdict
from tests.kits.small_scan import small_bracket
from voxgate.runtime.scans.open_scan import open_scan
from voxgate.runtime.wire.commands import Acknowledge, StartJob, StopJob, parse_command
from voxgate.runtime.wire.fields import State
from voxgate.runtime.wire.published import HeartbeatMessage, heartbeat_topic, verdict_topic
from voxgate.runtime.wire.replies import Done, RefusalCode, Refused, ResultReply
from voxgate.sim.box import LOG_NAME, Box
from voxgate.sim.cell_wires import wires_from_config
from voxgate.sim.field.faults import FaultError
from voxgate.sim.field.timeline import timeline_from_scan
from voxgate.sim.field.wires import Wires
from voxgate.sim.robot import RobotError
from voxgate.sim.virtual_cell import VirtualCell

GOOD = small_bracket() / "good"
SPEED = 8.0
ENDPOINT = "tcp://127.0.0.1:*"
CELL = "test-1"


@dataclass
class ListeningBox:
    """ROUTER, SUB, PULL and PUB in one thread; every job is a PASS as soon as it is stopped."""

    answers: bool = True
    beats: bool = True
    poses: list[dict[str, object]] = field(default_factory=list)
    frames: list[tuple[dict[str, object], bytes, bytes]] = field(default_factory=list)
    refuse: bool = False
    poses_before_job: int | None = None

    def __post_init__(self) -> None:
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._sockets = {
            name: self._context.socket(kind)
            for name, kind in (
                ("poses", zmq.SUB),
                ("commands", zmq.ROUTER),
                ("verdicts", zmq.PUB),
                ("frames", zmq.PULL),
            )
        }
        self._sockets["poses"].subscribe(b"pose")
        at: dict[str, Any] = {}
        for name, socket in self._sockets.items():
            socket.setsockopt(zmq.LINGER, 0)
            socket.bind(ENDPOINT)
            at[name] = socket.getsockopt_string(zmq.LAST_ENDPOINT)
        self.wires = Wires(cell=CELL, camera="cam0", **at)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        poller = zmq.Poller()
        for name in ("poses", "commands", "frames"):
            poller.register(self._sockets[name], zmq.POLLIN)
        beat = 0
        while not self._over.is_set():
            for socket, _ in poller.poll(50):
                parts = socket.recv_multipart()
                if socket is self._sockets["poses"]:
                    self.poses.append(json.loads(parts[1]))
                elif socket is self._sockets["frames"]:
                    self.frames.append((json.loads(parts[0]), parts[1], parts[2]))
                elif self.answers:
                    self._command(parts[0], parts[1])
            beat += 1
            if self.beats:
                self._publish_heartbeat(beat)

    def _publish_heartbeat(self, seq: int) -> None:
        heartbeat = HeartbeatMessage(
            seq=seq,
            t_host_ns=seq,
            heartbeat_ms=300,
            state=State.READY,
            recipe=None,
            job_id=None,
            is_simulated=True,
        )
        self._sockets["verdicts"].send_multipart([heartbeat_topic(CELL), heartbeat.to_json()])

    def _command(self, peer: bytes, payload: bytes) -> None:
        command = parse_command(payload)
        if isinstance(command, StartJob):
            self.poses_before_job = len(self.poses)
        asked, state = command.request_id, State.EXECUTING
        reply: Done | Refused | ResultReply
        if self.refuse:
            reply = Refused(
                code=RefusalCode.WRONG_STATE, detail="not READY", request_id=asked, state=state
            )
        elif isinstance(command, StopJob):
            verdict = passing_verdict(command.job_id)
            self._sockets["verdicts"].send_multipart([verdict_topic(CELL), verdict.to_json()])
            reply = ResultReply(result=verdict, request_id=asked, state=state)
        else:
            assert isinstance(command, StartJob | Acknowledge)
            reply = Done(command=command.command, request_id=asked, state=state)
        self._sockets["commands"].send_multipart([peer, reply.to_json()])

    def close(self) -> None:
        self._over.set()
        self._thread.join()
        for socket in self._sockets.values():
            socket.close()
        self._context.term()


@pytest.fixture
def box() -> Iterator[ListeningBox]:
    listening = ListeningBox()
    yield listening
    listening.close()


@pytest.fixture(scope="module")
def unheard() -> Iterator[tuple[ListeningBox, VirtualCell]]:
    """For tests of jobs that are not played."""
    listening = ListeningBox()
    with VirtualCell(listening.wires) as cell:
        yield listening, cell
    listening.close()


def test_every_view_of_a_scan_reaches_the_box_with_its_pixels_and_its_place(
    box: ListeningBox,
) -> None:
    with VirtualCell(box.wires) as cell:
        cell.wait_for_box()
        report = cell.play(GOOD, speed=SPEED)
    assert report.outcome == "PASS"
    assert report.may_pass
    assert report.latency_ms is not None
    assert report.latency_ms > 0
    assert report.frames_lost == 0

    scan = open_scan(GOOD)
    assert [header["frame_id"] for header, _, _ in box.frames] == list(range(12))
    for index, (header, image, depth) in enumerate(box.frames):
        recorded = scan.load_frame(index)
        shape = (header["height"], header["width"])
        assert np.frombuffer(image, np.uint8).reshape(shape).tolist() == recorded.image.tolist()
        counts = np.frombuffer(depth, np.uint16).reshape(shape)
        scale_mm = header["depth_scale_mm"]
        assert isinstance(scale_mm, float)
        depth_mm = np.where(counts == 0, np.nan, counts * scale_mm)
        assert recorded.depth_mm is not None
        np.testing.assert_allclose(depth_mm, recorded.depth_mm, rtol=1e-6)
    _check_stamps(box)


def _check_stamps(box: ListeningBox) -> None:
    """Stamps grow, on clocks of their own, at the rate of the moves that were played."""
    robot_ns = [int(str(pose["t_robot_ns"])) for pose in box.poses]
    camera_ns = [int(str(header["t_device_ns"])) for header, _, _ in box.frames]
    assert (np.diff(robot_ns) > 0).all()
    assert (np.diff(camera_ns) > 0).all()
    assert [pose["seq"] for pose in box.poses] == list(
        range(int(str(box.poses[0]["seq"])), int(str(box.poses[-1]["seq"])) + 1)
    )
    played = timeline_from_scan(open_scan(GOOD), SPEED).exposures
    planned_ns = [exposure.t_ns for exposure in played]
    np.testing.assert_allclose(np.diff(camera_ns), np.diff(planned_ns), atol=20_000)
    assert abs(robot_ns[-1] - camera_ns[-1]) > 10**12


def test_the_controller_talks_between_jobs_and_the_camera_counts_on(box: ListeningBox) -> None:
    with VirtualCell(box.wires) as cell:
        cell.wait_for_box()
        cell.play(GOOD, speed=SPEED)
        heard = len(box.poses)
        while len(box.poses) < heard + 20:
            cell.robot.listen(10)
        cell.play(GOOD, speed=SPEED, faults=("drop:view=3",))
    ids = [header["frame_id"] for header, _, _ in box.frames]
    assert ids == [n for n in range(24) if n != 15]
    sequence = [int(str(pose["seq"])) for pose in box.poses]
    assert sequence == list(range(sequence[0], sequence[-1] + 1))


def test_a_box_hears_the_controller_first_in_the_middle_of_a_job(box: ListeningBox) -> None:
    """Which it takes for a program that was started again, and rightly believes nothing."""
    with VirtualCell(box.wires) as cell:
        cell.play(GOOD, speed=SPEED)
    assert box.poses_before_job is not None
    assert box.poses_before_job >= 10


def test_faults_reach_the_wire(box: ListeningBox) -> None:
    faults = ("corrupt:image,view=1", "step:camera=5s,view=6", "nan:poses,view=9", "drop:view=4")
    with VirtualCell(box.wires) as cell:
        cell.wait_for_box()
        cell.play(GOOD, speed=SPEED, faults=faults)
    sizes = {int(str(header["frame_id"])): len(image) for header, image, _ in box.frames}
    calibration = open_scan(GOOD).calibration
    assert sizes[1] == calibration.width_px * calibration.height_px // 2
    assert sizes[2] == calibration.width_px * calibration.height_px
    assert 4 not in sizes
    stamps_s = [int(str(header["t_device_ns"])) / 1e9 for header, _, _ in box.frames]
    assert np.flatnonzero(np.diff(stamps_s) > 5).tolist() == [4]
    positions = [pose["p_mm"] for pose in box.poses]
    assert any(isinstance(p, list) and math.isnan(p[0]) for p in positions)


def test_a_refused_job_is_not_played(unheard: tuple[ListeningBox, VirtualCell]) -> None:
    box, cell = unheard
    box.refuse = True
    report = cell.play(GOOD, speed=SPEED)
    box.refuse = False
    assert report.refused == "wrong_state: not READY"
    assert not report.may_pass
    assert not box.frames


def test_a_pass_without_a_heartbeat_is_not_passed(box: ListeningBox) -> None:
    box.beats = False
    with VirtualCell(box.wires) as cell:
        report = cell.play(GOOD, speed=SPEED)
    assert report.outcome == "PASS"
    assert not report.may_pass


def test_a_silent_box_is_an_error_and_not_a_hang(
    unheard: tuple[ListeningBox, VirtualCell],
) -> None:
    box, cell = unheard
    box.answers = False
    with pytest.raises(RobotError, match="no answer to prepare"):
        cell.prepare("bracket", timeout_ms=100)
    box.answers = True


def test_a_wrong_fault_or_scan_is_an_error_before_the_job_starts(
    unheard: tuple[ListeningBox, VirtualCell], tmp_path: Path
) -> None:
    box, cell = unheard
    with pytest.raises(FaultError, match="melt"):
        cell.play(GOOD, faults=("melt:view=3",))
    with pytest.raises(RobotError, match="no such folder"):
        cell.play(tmp_path / "none")
    assert not box.frames


def test_the_field_ends_with_its_cell(box: ListeningBox) -> None:
    cell = VirtualCell(box.wires)
    cell.close()
    assert cell.exit_code == 0


@pytest.mark.nightly  # by day: the camera's reason, below
def test_a_box_that_cannot_load_its_recipe_is_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "recipes" / "bracket" / "9").mkdir(parents=True)  # nothing in it
    calibration = GOOD.parent / "calibration.json"
    with (
        Box.start(tmp_path / "box", calibration, tmp_path / "recipes", "bracket/9") as real,
        VirtualCell(wires_from_config(real.config)) as cell,
    ):

        def heard() -> bool:
            real.check_alive()
            cell.robot.listen(50)
            return cell.robot.heartbeat is not None

        until(heard, "a heartbeat")
        with pytest.raises(RobotError, match=r"takes no job: .*bracket/9"):
            cell.wait_until_ready()


def test_a_box_whose_camera_does_not_start_is_said_to_lack_a_recipe(tmp_path: Path) -> None:
    """The camera's own reason is in the heartbeat, in the log, and in what the robot says."""
    calibration = GOOD.parent / "calibration.json"
    producer = tmp_path / "voxgate.cti"
    shutil.copy(viky.CTI, producer)  # whose cameras have other serial numbers
    (tmp_path / "recipes").mkdir()
    with (
        Box.start(
            tmp_path / "box", calibration, tmp_path / "recipes", None, producer=producer
        ) as real,
        VirtualCell(wires_from_config(real.config)) as cell,
    ):

        def heard() -> str | None:
            real.check_alive()
            cell.robot.listen(50)
            return None if cell.robot.heartbeat is None else cell.robot.heartbeat.error

        assert "check cable" in until(heard, "the heartbeat's error")
        with pytest.raises(RobotError, match=r"stays PREOPERATIONAL: camera cam0 lost: .*cable"):
            cell.wait_until_ready(timeout_ms=0)
        assert "check cable" in (real.folder / LOG_NAME).read_text(encoding="utf-8")
