"""The declared setup of a camera: written, read back, and PTP waited for before it is believed."""

from __future__ import annotations

import time
from typing import Any

from voxgate.runtime.cameras.genicam.nodes import (
    apply_nodes,
    execute_node,
    has_node,
    read_node,
    symbolics,
)
from voxgate.runtime.cameras.setup import (
    FRAME_START,
    GEV_PTP,
    SFNC_PTP,
    CameraSetup,
    NodeSetting,
    PtpLimits,
    PtpNames,
    component_nodes,
    setup_nodes,
)
from voxgate.runtime.errors import CameraError

SLAVE = "Slave"
AGREED = 3  # so many looks in a row must agree
LOOK_S = 0.02
GENTL_HANDLING = "OldestFirst"  # what a stream does that does not let it be chosen


def apply_setup(node_map: Any, setup: CameraSetup, where: str) -> tuple[NodeSetting, ...]:
    """Write everything that is declared and read it back; returns what was written.

    Raises CameraError with the feature's name when the camera holds another value, and when PTP
    does not settle.
    """
    offered = symbolics(node_map, "ComponentSelector")
    missing = [name for name, _ in setup.components if offered and name not in offered]
    if missing:
        raise CameraError(f"{where}: offers the components {list(offered)}, not {missing}")
    _check_trigger(node_map, setup, where)
    nodes = _for_this_camera(node_map, setup_nodes(setup, ptp_names(node_map)))
    # a user set would take the components back
    first = tuple(node for node in nodes if node.name.startswith("UserSet"))
    written = (*first, *component_nodes(setup, offered), *nodes[len(first) :])
    apply_nodes(node_map, written, where)
    if setup.ptp is not None:
        wait_for_ptp(node_map, setup.ptp, where)
    return written


def apply_stream(node_map: Any, handling: str, more: tuple[NodeSetting, ...], where: str) -> None:
    """What becomes of frames that nobody takes, and `more` features of the data stream.

    A stream without the choice keeps the oldest, as GenTL has it. Raises CameraError.
    """
    setting = NodeSetting("StreamBufferHandlingMode", handling)
    chosen = handling != GENTL_HANDLING or has_node(node_map, setting.name)
    apply_nodes(node_map, (setting, *more) if chosen else more, where)


def _check_trigger(node_map: Any, setup: CameraSetup, where: str) -> None:
    """Raises CameraError with what there is instead of the selector."""
    offered = symbolics(node_map, "TriggerSelector")
    wanted = setup.trigger.selector if setup.trigger is not None else FRAME_START
    declared = setup.trigger is not None or setup.frame_rate_hz is not None
    if declared and offered and wanted not in offered:
        raise CameraError(
            f"{where}: cannot set TriggerSelector to {wanted!r}: it offers {', '.join(offered)}; "
            f"set trigger: selector to one of them"
        )


def _for_this_camera(node_map: Any, nodes: tuple[NodeSetting, ...]) -> tuple[NodeSetting, ...]:
    """A camera with one trigger only need not have a selector for it."""
    only = NodeSetting("TriggerSelector", FRAME_START)
    if has_node(node_map, only.name):
        return nodes
    return tuple(node for node in nodes if node != only)


def ptp_names(node_map: Any) -> PtpNames:
    """How this camera calls its PTP features."""
    older = has_node(node_map, GEV_PTP.enable) and not has_node(node_map, SFNC_PTP.enable)
    return GEV_PTP if older else SFNC_PTP


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
    names = ptp_names(node_map)
    execute_node(node_map, names.latch)  # cameras without it tell the present at once
    told = {name: read_node(node_map, name) for name in names.status}
    status_name, status = next(
        ((name, word) for name, word in told.items() if word is not None), (names.status[0], None)
    )
    if status != SLAVE:
        return f"{status_name} is {status}, {SLAVE} is needed"
    offset_ns = read_node(node_map, names.offset)
    if not isinstance(offset_ns, int) or isinstance(offset_ns, bool):
        return f"{names.offset} cannot be read"
    if abs(offset_ns) > limits.max_offset_us * 1000:
        return f"{names.offset} is {offset_ns / 1000:.1f} us, at most {limits.max_offset_us:g}"
    return None
