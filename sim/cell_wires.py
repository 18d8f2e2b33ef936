"""A cell's configuration as its robot and its camera see it: where they connect to."""

from __future__ import annotations

from pathlib import Path

from voxgate.runtime.config.cameras import Camera, GenicamCamera, NetworkCamera
from voxgate.runtime.config.sections import CellConfig
from voxgate.runtime.errors import ConfigError
from voxgate.runtime.wire.curve import load_key_pair
from voxgate.sim.field.wires import Further, Wires
from voxgate.sim.gentl.build import NAME as PRODUCER_NAME


def wires_from_config(config: CellConfig, key: Path | None = None) -> Wires:
    """Where the robot and the camera of this cell connect to, as the peer whose file `key` is.

    Raises ConfigError, also for a camera that cannot be a virtual one, and KeyFileError when the
    box's own file cannot be read.
    """
    if (config.security is None) != (key is None):
        raise ConfigError(
            "the cell has plain sockets: leave --key out"
            if key is not None
            else "the cell asks its peers for keys: --key FILE of `voxgate keys peer`"
        )
    camera, sensor = config.cameras[0], config.sensor
    for device in config.devices:
        if isinstance(device, GenicamCamera) and device.producer.name != PRODUCER_NAME:
            raise ConfigError(
                f"camera {device.name} is a real one: a virtual cell needs source: network, "
                f"or {PRODUCER_NAME} as its producer"
            )
    if len({device.source for device in config.devices}) > 1:
        raise ConfigError(
            "a virtual cell plays all devices the same way: all network, or all genicam"
        )
    return Wires(
        cell=config.cell,
        poses=config.sockets.poses,
        commands=config.sockets.commands,
        verdicts=config.sockets.verdicts,
        frames=camera.endpoint if isinstance(camera, NetworkCamera) else "",
        camera=camera.name,
        key=None if key is None else str(key),
        box_key=None if config.security is None else _public_key(config.security.secret_key),
        serial_number=camera.serial_number if isinstance(camera, GenicamCamera) else "",
        calibration=str(config.calibrations[camera.name]),
        further=tuple(_further(config, each) for each in config.cameras[1:]),
        sensor="" if sensor is None else sensor.name,
        sensor_frames=sensor.endpoint if isinstance(sensor, NetworkCamera) else "",
        colour=camera.colour,
        sensor_serial_number=sensor.serial_number if isinstance(sensor, GenicamCamera) else "",
    )


def _further(config: CellConfig, camera: Camera) -> Further:
    genicam = isinstance(camera, GenicamCamera)
    return Further(
        camera.name,
        camera.endpoint if isinstance(camera, NetworkCamera) else "",
        camera.serial_number if isinstance(camera, GenicamCamera) else "",
        str(config.calibrations[camera.name]) if genicam else "",
        camera.colour,
    )


def _public_key(box: Path) -> str:
    return load_key_pair(box).public.decode()
