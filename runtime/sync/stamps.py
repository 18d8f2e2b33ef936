"""How the frames of a cell are stamped, by its YAML."""

from __future__ import annotations

from voxgate.runtime.config.cameras import GenicamCamera
from voxgate.runtime.config.sections import CellConfig
from voxgate.runtime.sync.synchronizer import Stamps


def stamps(config: CellConfig) -> Stamps:
    """Of its first camera: on one clock with the robot, on arrival, or by a clock of its own."""
    camera = config.cameras[0]
    if config.sync.clocks == "ptp":
        return Stamps(shared_ns=round(config.sync.ptp_error_us * 1000))
    return Stamps(on_arrival=isinstance(camera, GenicamCamera) and camera.timestamp == "arrival")
