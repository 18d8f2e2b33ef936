"""A cell to test with: its YAML, its service process, and a robot and a camera that talk to it."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import zmq
from ruamel.yaml import YAML

from tests.kits.forked_service import ForkedService, fork_service
from tests.kits.repository import ROOT
from tests.kits.scripted_cell import Script
from voxgate.runtime.geometry.calibration import Calibration
from voxgate.runtime.nouns import Reason
from voxgate.runtime.wire.commands import CommandMessage, GetState, StartJob
from voxgate.runtime.wire.curve import KeyPair
from voxgate.runtime.wire.fields import State
from voxgate.runtime.wire.poses import TOPIC_POSE, PoseMessage
from voxgate.runtime.wire.replies import Done, Reply, parse_reply

WIDTH_PX, HEIGHT_PX = 80, 60
COLD_CLOCK_S = 0.06
EXPOSURE_NS = 1_000_000
READOUT_NS = Calibration.load(ROOT / "examples/bracket/calibration.json").readout_ns
POSE_PERIOD_S = 0.008
ROBOT_OFFSET_NS = 5_000_000_000_000  # the clocks of robot and camera began elsewhere
CAMERA_OFFSET_NS = 77_000_000_000
PATIENCE_S = 60.0  # for things that take milliseconds on a machine that is not overloaded

SOCKETS = ("commands", "frames", "poses", "verdicts")
CLOCK_REASONS = frozenset(
    {Reason.CLOCK_UNSYNCED, Reason.POSE_MISSING, Reason.POSE_GAP, Reason.MISSING_VIEW}
)

T = TypeVar("T")


def until(condition: Callable[[], T | None], what: str, patience_s: float = PATIENCE_S) -> T:
    """The first true value of `condition`; fails the test when it stays away."""
    deadline = time.monotonic() + patience_s
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(0.01)
    raise AssertionError(f"{what} did not happen within {patience_s:g} s")


def small_calibration(file: Path) -> None:
    """The example's calibration for a tenth of its pixels: pictures of 5 kB."""
    calibration = json.loads((ROOT / "examples/bracket/calibration.json").read_text())
    calibration["image_size"] = {"width": WIDTH_PX, "height": HEIGHT_PX}
    k = calibration["K"]
    calibration["K"] = [[c / 10 for c in k[0]], [c / 10 for c in k[1]], k[2]]
    file.write_text(json.dumps(calibration))


def write_cell(folder: Path, **changes: dict[str, Any]) -> Path:
    """A cell's YAML with ipc endpoints in `folder`; `changes` go into its sections."""
    (folder / "recipes/bracket/1").mkdir(parents=True, exist_ok=True)
    small_calibration(folder / "calibration.json")
    cell: dict[str, Any] = {
        "schema_version": 1,
        "cell": "test",
        "is_simulated": True,
        "calibration": "calibration.json",
        "recipes": {"folder": "recipes", "default": "bracket", "allow_unsigned": True},
        "cameras": [
            {
                "name": "cam0",
                "source": "network",
                "endpoint": f"ipc://{folder}/frames",
            }
        ],
        "sockets": {
            "poses": f"ipc://{folder}/poses",
            "commands": f"ipc://{folder}/commands",
            "verdicts": f"ipc://{folder}/verdicts",
            "heartbeat_ms": 50,
        },
        "sync": {"max_gap_ms": 500},  # the robot of these tests shares its cores with them
        "job": {"deadline_ms": 20_000},
        "journal": {"path": "journal.sqlite"},
        "metrics": {"enabled": False},
    }
    for section, values in changes.items():
        cell[section] = {**cell.get(section, {}), **values}
    file = folder / "cell.yaml"
    with file.open("w", encoding="utf-8") as stream:
        YAML().dump(cell, stream)
    return file


def with_cameras(cell: Path, **settings: Any) -> None:
    """Change every camera of a YAML."""
    yaml = YAML()
    document = yaml.load(cell.read_text())
    for camera in document["cameras"]:
        camera.update(settings)
    with cell.open("w", encoding="utf-8") as stream:
        yaml.dump(document, stream)


@dataclass(slots=True)
class ServiceProcess:
    """The service as its own process; `log` is its stderr. wrapped_in: a command that starts it."""

    config: Path
    script: Script = field(default_factory=Script)
    process: subprocess.Popen[bytes] | ForkedService | None = None
    wrapped_in: tuple[str, ...] = ()

    def start(self) -> ServiceProcess:
        """Start it; it is not ready yet."""
        script = self.script.model_dump_json()
        if not self.wrapped_in:
            self.process = fork_service(self.config, script, self.log)
            return self
        service = (sys.executable, "-m", "tests.kits.scripted_cell", str(self.config), script)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*self.wrapped_in, *service], cwd=ROOT, stdout=log, stderr=log
            )
        return self

    @property
    def log(self) -> Path:
        return self.config.with_name("service.log")

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def end(self, signal: int) -> int:
        """Send a signal and wait; the exit code."""
        assert self.process is not None
        self.process.send_signal(signal)
        return self.process.wait(PATIENCE_S)

    def kill_if_left(self) -> None:
        """For the end of a test that failed."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait(PATIENCE_S)


class Robot:
    """A robot controller and a camera in one: commands, poses, frames, and an ear for PUB."""

    def __init__(
        self,
        folder: Path,
        keys: KeyPair | None = None,
        box: bytes = b"",
        endpoints: Mapping[str, str] | None = None,
    ) -> None:
        """keys: the peer's own, box: the public key of the box; None: plain sockets.

        endpoints: of commands, frames, poses, verdicts; None: the ipc files in `folder`.
        """
        self.heard: list[tuple[str, dict[str, Any]]] = []
        self._context = zmq.Context()
        if keys is not None:
            self._context.setsockopt(zmq.CURVE_PUBLICKEY, keys.public)
            self._context.setsockopt(zmq.CURVE_SECRETKEY, keys.secret)
            self._context.setsockopt(zmq.CURVE_SERVERKEY, box)
        self._context.linger = 0
        self._endpoints = endpoints or {name: f"ipc://{folder}/{name}" for name in SOCKETS}
        self._commands = self._connect(zmq.DEALER, "commands")
        self._frames = self._connect(zmq.PUSH, "frames")
        self._ear = self._connect(zmq.SUB, "verdicts")
        self._ear.subscribe(b"")
        self._requests = 0
        self._frame_id = 0
        self._poses_sent = 0
        self.robot_offset_ns = ROBOT_OFFSET_NS
        self.camera_offset_ns = CAMERA_OFFSET_NS
        self._stop = threading.Event()
        self._poses: threading.Thread | None = None

    def __enter__(self) -> Robot:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop_poses()
        self._context.destroy(linger=0)

    # --- commands --------------------------------------------------------------------------------

    def send(self, command: type[CommandMessage], **fields: Any) -> str:
        """Send a command; its request id."""
        self._requests += 1
        request_id = f"r{self._requests}"
        self._commands.send(command(request_id=request_id, **fields).to_json())
        return request_id

    def send_raw(self, *parts: bytes) -> None:
        """Send any bytes as a command."""
        self._commands.send_multipart(parts)

    def reply(self, patience_s: float = PATIENCE_S) -> Reply:
        """The next reply."""
        if not self._commands.poll(int(patience_s * 1000)):
            raise AssertionError(f"no reply within {patience_s:g} s")
        return parse_reply(self._commands.recv_multipart()[-1])

    def ask(self, command: type[CommandMessage], **fields: Any) -> Reply:
        """Send a command and take its reply."""
        request_id = self.send(command, **fields)
        reply = self.reply()
        assert reply.request_id == request_id
        return reply

    def state(self) -> State:
        """What get_state says."""
        return self.ask(GetState).state

    def wait_for(self, state: State) -> None:
        """Until the service is in `state`."""
        until(lambda: self.state() is state, f"state {state.value}")

    def start_job(self, job_id: str = "job-1") -> None:
        """Start a job; it must be accepted."""
        reply = self.ask(StartJob, job_id=job_id, part_id="part-1")
        assert isinstance(reply, Done), reply
        assert reply.state is State.EXECUTING
        # the arm travels to the first viewpoint; a message of a clock just met may be 50 ms old,
        # and what may have been exposed before the job is not believed
        time.sleep(COLD_CLOCK_S)

    # --- poses and frames ------------------------------------------------------------------------

    def send_poses(self) -> None:
        """Stand still and say so at 125 Hz."""
        self._poses_sent = 0
        self._poses = threading.Thread(target=self._say_poses, daemon=True)
        self._poses.start()

    def send_poses_for_a_while(self) -> None:
        """Until the service knows where the robot was 0.2 s ago."""
        before = self._poses_sent
        until(lambda: self._poses_sent > before + 25, "25 poses")

    def stop_poses(self) -> None:
        """Fall silent."""
        self._stop.set()
        if self._poses is not None:
            self._poses.join()
            self._poses = None
        self._stop.clear()

    def expose(self, **header: Any) -> int:
        """Expose, read out and send one frame; its frame id."""
        self._frame_id += 1
        now_ns = time.monotonic_ns() - header.pop("age_ns", 0)
        time.sleep((EXPOSURE_NS + READOUT_NS) / 1e9)
        fields = {
            "camera": "cam0",
            "frame_id": self._frame_id,
            "t_device_ns": now_ns + self.camera_offset_ns,
            "exposure_ns": EXPOSURE_NS,
            "width": WIDTH_PX,
            "height": HEIGHT_PX,
            "pixel_format": "Mono8",
            "depth": "Coord3D_C16",
            "depth_scale_mm": 0.1,
            "depth_offset_mm": 0.0,
            "encoding": "raw",
            **header,
        }
        pixels = fields["width"] * fields["height"]
        self._frames.send_multipart([json.dumps(fields).encode(), bytes(pixels), bytes(2 * pixels)])
        return self._frame_id

    def _say_poses(self) -> None:
        poses = self._connect(zmq.PUB, "poses")
        seq = 0
        while not self._stop.wait(POSE_PERIOD_S):
            pose = PoseMessage(
                seq=seq,
                t_robot_ns=time.monotonic_ns() + self.robot_offset_ns,
                p_mm=(500.0, 0.0, 500.0),
                q_wxyz=(1.0, 0.0, 0.0, 0.0),
            )
            poses.send_multipart([TOPIC_POSE, pose.to_json()])
            seq += 1
            self._poses_sent = seq
        poses.close()

    # --- published -------------------------------------------------------------------------------

    def listen(self) -> None:
        """Take what was published since the last call into `heard`."""
        while self._ear.poll(0):
            topic, payload = self._ear.recv_multipart()
            self.heard.append((topic.decode(), json.loads(payload)))

    def published(self, topic: str) -> list[dict[str, Any]]:
        """Everything heard so far under `topic` of this cell."""
        self.listen()
        return [message for name, message in self.heard if name == f"{topic}.test"]

    def _connect(self, kind: int, name: str) -> zmq.Socket[bytes]:
        socket: zmq.Socket[bytes] = self._context.socket(kind)
        socket.linger = 0
        socket.connect(self._endpoints[name])
        return socket
