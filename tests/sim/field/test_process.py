"""What the virtual cell's process brings along when it is started again."""

from __future__ import annotations

from pathlib import Path

import zmq

from voxgate.sim.field.faults import Target
from voxgate.sim.field.process import Field
from voxgate.sim.field.wires import Wires

LATER_NS = 10**15


def test_clocks_begin_anew_with_every_program(tmp_path: Path) -> None:
    """A box that has met them would see them stepped, and pass no part."""
    poses, commands, verdicts, frames = (
        f"ipc://{tmp_path}/{name}" for name in ("poses", "commands", "verdicts", "frames")
    )
    wires = Wires("cell", poses, commands, verdicts, frames, "cam0")
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    one, other = Field(context, wires), Field(context, wires)
    for target in (Target.ROBOT, Target.CAMERA):
        first, second = (field._clocks[target].device_ns(LATER_NS) for field in (one, other))
        assert first == second
    context.destroy(linger=0)
