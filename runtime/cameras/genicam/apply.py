"""The declared setup of a camera: written, read back, and PTP waited for before it is believed."""

from __future__ import annotations

import time
from typing import Any

from voxgate.runtime.cameras.genicam.nodes import apply_nodes, execute_node, read_node, symbolics
from voxgate.runtime.cameras.setup import (
    CameraSetup,
    NodeSetting,
    PtpLimits,
    component_nodes,
    setup_nodes,
)
from voxgate.runtime.errors import CameraError

SLAVE = "Slave"
AGREED = 3  # so many looks in a row must agree
LOOK_S = 0.02


def apply_setup(node_map: Any, setup: CameraSetup, where: str) -> tuple[NodeSetting, ...]:
    """Write everything that is declared and read it back; returns what was written.

    Raises CameraError with the feature's name when the camera holds another value, and when PTP
    does not settle.
    """
    offered = symbolics(node_map, "ComponentSelector")
    missing = [name for name, _ in setup.components if offered and name not in offered]
    if missing:
        raise CameraError(f"{where}: offers the components {list(offered)}, not {missing}")
    nodes = setup_nodes(setup)
    # a user set would take the components back
    first = tuple(node for node in nodes if node.name.startswith("UserSet"))
    written = (*first, *component_nodes(setup, offered), *nodes[len(first) :])
    apply_nodes(node_map, written, where)
    if setup.ptp is not None:
        wait_for_ptp(node_map, setup.ptp, where)
    return written


def wait_for_ptp(node_map: Any, limits: PtpLimits, where: str) -> None:
    """Until PTP has settled. Raises CameraError when that takes too long."""
    deadline = time.monotonic() + limits.settle_ms / 1000
    agreed = 0
    while agreed < AGREED:
        complaint = ptp_complaint(node_map, limits)
        agreed = 0 if complaint else agreed + 1
        if complaint and time.monotonic() > deadline:
            raise CameraError(
                f"{where}: {complaint} after {limits.settle_ms} ms: is there one grandmaster in "
                "the camera's network, and is the switch made for PTP?"
            )
        time.sleep(LOOK_S)


def ptp_complaint(node_map: Any, limits: PtpLimits) -> str | None:
    """Why the camera's time is not the master's now; None when it is."""
    execute_node(node_map, "PtpDataSetLatch")  # cameras without it tell the present at once
    status = read_node(node_map, "PtpStatus")
    if status != SLAVE:
        return f"PtpStatus is {status}, {SLAVE} is needed"
    offset_ns = read_node(node_map, "PtpOffsetFromMaster")
    if not isinstance(offset_ns, int) or isinstance(offset_ns, bool):
        return "PtpOffsetFromMaster cannot be read"
    if abs(offset_ns) > limits.max_offset_us * 1000:
        return f"PtpOffsetFromMaster is {offset_ns / 1000:.1f} us, at most {limits.max_offset_us:g}"
    return None
