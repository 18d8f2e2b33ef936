"""What a box hears of the arm's controller."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import zmq

from voxgate.sim.field.pose_stream import PoseStream
from voxgate.sim.field.process import HOME

MS = 1_000_000


@pytest.mark.parametrize(("one_of", "stamps"), [(1, [0, 8, 16, 24, 32]), (4, [0, 32])])
def test_a_slow_box_hears_poses_with_holes_between_them(
    one_of: int, stamps: list[int], tmp_path: Path
) -> None:
    endpoint = f"ipc://{tmp_path}/poses"
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    box = context.socket(zmq.SUB)
    box.subscribe("pose")
    box.bind(endpoint)
    stream = PoseStream(context, endpoint, one_of)
    while not stream.wait_for_listener(10):
        box.poll(10)  # who listens subscribes while it does
    for number in range(5):
        stream.publish(number, 8 * MS * number, HOME)
    heard: list[dict[str, int]] = []
    while len(heard) < len(stamps):
        assert box.poll(5_000)
        heard.append(json.loads(box.recv_multipart()[1]))
    stream.close()
    context.destroy(linger=0)
    assert [pose["seq"] for pose in heard] == list(range(len(stamps)))
    assert [pose["t_robot_ns"] // MS for pose in heard] == stamps
