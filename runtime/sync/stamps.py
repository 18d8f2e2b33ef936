"""How the frames of a cell are stamped, by its YAML."""

from __future__ import annotations

from dataclasses import dataclass

from voxgate.runtime.config.cameras import Camera, GenicamCamera
from voxgate.runtime.config.sections import CellConfig


@dataclass(frozen=True, slots=True)
class Stamps:
    """How the stamps of frames are to be read.

    on_arrival: they are this host's, taken when the frame had come: each is as uncertain as the
        first promise about delays, whatever the fit of many says.
    shared_ns: camera and robot follow one PTP time, and differ by no more; their arrivals must not
        contradict that.
    """

    on_arrival: bool = False
    shared_ns: int | None = None

    def __post_init__(self) -> None:
        if self.shared_ns is not None and (self.on_arrival or self.shared_ns <= 0):
            raise ValueError("a shared time needs device stamps and an error above 0")


def stamps(config: CellConfig) -> dict[str, Stamps]:
    """Of each camera: on one clock with the robot, on arrival, or by a clock of its own."""
    return {camera.name: _stamps_of(camera, config) for camera in config.cameras}


def sensor_stamps(config: CellConfig) -> Stamps | None:
    """Of the sensor beside it; None where there is none."""
    return None if config.sensor is None else _stamps_of(config.sensor, config)


def _stamps_of(device: Camera, config: CellConfig) -> Stamps:
    if config.sync.clocks == "ptp":
        return Stamps(shared_ns=round(config.sync.ptp_error_us * 1000))
    return Stamps(on_arrival=isinstance(device, GenicamCamera) and device.timestamp == "arrival")
