"""Where the box listens, and with which keys."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import zmq

from voxgate.runtime.wire.curve import peer_context


class Further(NamedTuple):
    """One of the cameras after the first: by network (frames), or GenICam (serial_number)."""

    name: str
    frames: str
    serial_number: str
    calibration: str
    colour: bool


@dataclass(frozen=True, slots=True)
class Wires:
    """Where the box listens, and what the cell is called.

    key: this peer's CURVE file, box_key: the box's public key (Z85); None: plain sockets.
    sensor, sensor_frames: of a 3D sensor beside the camera, and where it sends to; empty: none.
    further: the cameras after the first.
    frames: where the camera sends to; empty for a GenICam camera, which has a serial_number and the
    calibration of this file. colour: whether it sees colour. one_pose_of: so many poses one is
    sent of, to a box that takes long for each.
    """

    cell: str
    poses: str
    commands: str
    verdicts: str
    frames: str
    camera: str
    key: str | None = None
    box_key: str | None = None
    serial_number: str = ""
    calibration: str = ""
    sensor: str = ""
    sensor_frames: str = ""
    sensor_serial_number: str = ""
    further: tuple[Further, ...] = ()
    one_pose_of: int = 1

    def __post_init__(self) -> None:
        # through JSON, a row is a list
        object.__setattr__(self, "further", tuple(Further(*row) for row in self.further))

    colour: bool = False


def context_for(wires: Wires) -> zmq.Context[zmq.Socket[bytes]]:
    """Every socket made of it shows the peer's key. Raises KeyFileError."""
    key = None if wires.key is None else Path(wires.key)
    box = None if wires.box_key is None else wires.box_key.encode()
    return peer_context(key, box, is_ipv6="[" in wires.commands)
