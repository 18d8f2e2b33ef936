"""The controller's pose stream."""

from __future__ import annotations

import json

import zmq

from voxgate.runtime.wire.poses import TOPIC_POSE
from voxgate.sim.field.timeline import Sample


class PoseStream:
    """PUB, topic `pose`, one message per sample, or for one of so many; XPUB, which hears who
    subscribes."""

    def __init__(
        self, context: zmq.Context[zmq.Socket[bytes]], endpoint: str, one_of: int = 1
    ) -> None:
        self._one_of = one_of
        self._socket = context.socket(zmq.XPUB)
        self._socket.setsockopt(zmq.LINGER, 0)
        self._socket.connect(endpoint)

    def wait_for_listener(self, timeout_ms: int) -> bool:
        """Until the box has subscribed: what is published before that is lost."""
        return bool(self._socket.poll(timeout_ms))

    def publish(self, seq: int, t_robot_ns: int, sample: Sample) -> None:
        """Send one pose, stamped on the robot's clock. Not checked: a real robot errs, too."""
        number, left_out = divmod(seq, self._one_of)
        if left_out:
            return
        pose = {
            "seq": number,
            "t_robot_ns": t_robot_ns,
            "p_mm": sample.p_mm,
            "q_wxyz": sample.q_wxyz,
        }
        self._socket.send_multipart([TOPIC_POSE, json.dumps(pose).encode()])

    def close(self) -> None:
        """Disconnect."""
        self._socket.close()
