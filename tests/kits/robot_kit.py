"""A robot controller and a camera in one, as a cell meets them on its sockets."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import zmq

from tests.kits.cell_kit import HEIGHT_PX, PATIENCE_S, WIDTH_PX, until
from tests.kits.repository import ROOT
from voxgate.runtime.geometry.calibration import Calibration
from voxgate.runtime.wire.commands import CommandMessage, GetState, StartJob
from voxgate.runtime.wire.curve import KeyPair
from voxgate.runtime.wire.fields import State
from voxgate.runtime.wire.poses import TOPIC_POSE, PoseMessage
from voxgate.runtime.wire.replies import Done, Reply, parse_reply

COLD_CLOCK_S = 0.06
EXPOSURE_NS = 1_000_000
READOUT_NS = Calibration.load(ROOT / "examples/bracket/calibration.json").readout_ns
ROBOT_OFFSET_NS = 5_000_000_000_000  # the clocks of robot and camera began elsewhere
CAMERA_OFFSET_NS = 77_000_000_000
SOCKETS = ("commands", "frames", "poses", "verdicts")
POSE_PERIOD_S = 0.008


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
        self.send_more_poses(25)

    def send_more_poses(self, count: int) -> None:
        """Until so many were sent, or more."""
        before = self._poses_sent
        until(lambda: self._poses_sent > before + count, f"{count} poses")

    @property
    def exposed(self) -> int:
        """How many frames so far: the last one's id."""
        return self._frame_id

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
