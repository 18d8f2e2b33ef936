"""From the cell's YAML to what a camera worker is told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from voxgate.runtime.cameras.settings import (
    CameraSettings,
    GenicamSettings,
    NetworkSettings,
    NodeSetting,
)
from voxgate.runtime.cameras.setup import CameraSetup, PtpLimits, Trigger
from voxgate.runtime.config.camera_setup import SetupSection
from voxgate.runtime.config.cameras import (
    Camera,
    Coord3dSection,
    GenicamCamera,
    NetworkCamera,
    Node,
)
from voxgate.runtime.config.document import dotted
from voxgate.runtime.config.sections import CellConfig
from voxgate.runtime.errors import ConfigError
from voxgate.runtime.geometry.calibration import Calibration
from voxgate.runtime.nouns import Device
from voxgate.runtime.pixels.coord3d import Coord3dModel, Coordinate, Stereo


def load_calibrations(config: CellConfig) -> dict[str, Calibration]:
    """Of each camera, by its name. Raises CalibrationError, or ConfigError where cell and
    calibrations do not agree."""
    found = {name: Calibration.load(path) for name, path in config.calibrations.items()}
    check_devices(config, found)
    return found


def check_devices(config: CellConfig, calibrations: Mapping[str, Calibration]) -> None:
    """Raises ConfigError where cell and calibrations do not agree on the devices, or the
    calibrations of several cameras on the part."""
    _check_sensor(config, calibrations)
    _check_part(config, calibrations)
    _check_copies(config, calibrations)
    for key, device in config.devices_at():
        if key == ("sensor",):
            camera = _beside(calibrations)
            known, file = calibrations[camera].of_depth, config.calibrations[camera]
        else:
            known, file = calibrations[device.name], config.calibrations[device.name]
        _check_serial(file, dotted(key), device, known.serial_number)


def _beside(calibrations: Mapping[str, Calibration]) -> str:
    """The camera that the sensor sits beside."""
    return next(name for name, known in calibrations.items() if known.sensor is not None)


def _check_sensor(config: CellConfig, calibrations: Mapping[str, Calibration]) -> None:
    with_sensor = [name for name, known in calibrations.items() if known.sensor is not None]
    if config.sensor is None and with_sensor:
        raise ConfigError(
            f"{config.calibrations[with_sensor[0]]} is of a sensor beside the camera, and the cell "
            "has none: name it under `sensor`"
        )
    if config.sensor is not None and not with_sensor:
        files = " and ".join(str(file) for file in config.calibrations.values())
        raise ConfigError(
            f"sensor {config.sensor.name} is named, and {files} knows of none: `voxgate calib "
            "sensor` finds where it sits; or take `sensor` out where the camera delivers depth on "
            "its picture's pixels"
        )
    if len(with_sensor) > 1:
        raise ConfigError(
            f"cameras {' and '.join(with_sensor)} are calibrated with a sensor beside each: a cell "
            "has one"
        )


def _check_part(config: CellConfig, calibrations: Mapping[str, Calibration]) -> None:
    """One part, in one hand, before all of them."""
    (first, known), *others = calibrations.items()
    for name, other in others:
        file = config.calibrations[name]
        if other.part != known.part:
            raise ConfigError(
                f"{file}: is of part {other.part!r}, that of camera {first} of {known.part!r}"
            )
        if other.mounting.carried is not known.mounting.carried:
            raise ConfigError(
                f"{file}: the part stands by one calibration and is carried by the other: camera "
                f"{first}, camera {name}"
            )


def _check_copies(config: CellConfig, calibrations: Mapping[str, Calibration]) -> None:
    """No two cameras have one lens and sit in one place."""
    of: dict[str, str] = {}
    for name, known in calibrations.items():
        first, file = of.setdefault(known.digest, name), config.calibrations[name]
        if first != name:
            raise ConfigError(
                f"{file}: has every number of camera {first}'s, as a copy has: calibrate camera "
                f"{name} by itself"
            )


def _check_serial(file: Path, key: str, device: Camera, known: str | None) -> None:
    """Raises ConfigError for another device than the calibration is of."""
    if known is None:
        return
    if not isinstance(device, GenicamCamera):
        raise ConfigError(
            f"{key}: {file} is of serial number {known}, and frames by network tell "
            "none: calibrate without serial numbers"
        )
    if device.serial_number != known:
        raise ConfigError(
            f"{key}.serial_number: {device.serial_number}: {file} is of {known}: "
            "mount that one, or calibrate this one"
        )


def camera_settings(
    config: CellConfig, calibrations: Mapping[str, Calibration]
) -> list[CameraSettings]:
    """One per device; frames must have its calibration's size. Raises ConfigError."""
    check_devices(config, calibrations)
    try:
        cameras = [_settings(config, calibrations[each.name], each) for each in config.cameras]
        if config.sensor is None:
            return cameras
        of_depth = calibrations[_beside(calibrations)].of_depth
        return [*cameras, _settings(config, of_depth, config.sensor, Device.SENSOR)]
    except ValueError as error:
        raise ConfigError(f"cameras: {error}") from error


def _settings(
    config: CellConfig, calibration: Calibration, camera: Camera, device: Device = Device.CAMERA
) -> CameraSettings:
    return CameraSettings(
        name=camera.name,
        source=_source(config, camera),
        width_px=calibration.width_px,
        height_px=calibration.height_px,
        depth=calibration.sensor is None,  # without depth no view can be inspected
        device=device.value,
        colour=camera.colour,
        **asdict(calibration.region),
        slots=camera.slots,
        frame_id_bits=camera.frame_id_bits,
        start_ms=camera.start_ms,
        heartbeat_ms=camera.heartbeat_ms,
        silence_ms=camera.silence_ms,
        backoff_ms=camera.backoff_ms,
        backoff_max_ms=camera.backoff_max_ms,
        restarts=camera.restarts,
        restart_window_s=camera.restart_window_s,
    )


def _source(config: CellConfig, camera: Camera) -> GenicamSettings | NetworkSettings:
    if isinstance(camera, NetworkCamera):
        return _network(config, camera)
    return _genicam(camera)


def _network(config: CellConfig, camera: NetworkCamera) -> NetworkSettings:
    if config.security is None:
        return NetworkSettings(camera.endpoint)
    access = config.security.access()
    allowed = {key: access.name_of(key) for key in sorted(access.allowed["frames"])}
    return NetworkSettings(camera.endpoint, str(access.secret_key), allowed)


def _genicam(camera: GenicamCamera) -> GenicamSettings:
    return GenicamSettings(
        cti=str(camera.producer),
        serial_number=camera.serial_number,
        interface=camera.interface,
        nodes=_nodes(camera.nodes),
        stream_nodes=_nodes(camera.stream_nodes),
        buffer_handling=camera.buffer_handling,
        buffers=camera.buffers,
        timestamp=camera.timestamp,
        timestamp_node=camera.timestamp_node,
        timestamp_point=camera.timestamp_point,
        timestamp_hz=camera.timestamp_hz,
        exposure_us=_exposure_us(camera),
        exposure_node=camera.exposure_node,
        max_pause_ms=camera.max_pause_ms,
        setup=_setup(camera.setup),
        coord3d=_coord3d(camera.coord3d) if camera.coord3d is not None else None,
    )


def _exposure_us(camera: GenicamCamera) -> float | None:
    """What the runtime takes for the exposure: what is set counts where nothing else tells."""
    if camera.exposure_us is None and camera.exposure_node is None:
        return camera.setup.exposure_us
    return camera.exposure_us


def _setup(given: SetupSection) -> CameraSetup:
    trigger, ptp = given.trigger, given.ptp
    return CameraSetup(
        user_set=given.user_set,
        components=tuple(given.components.items()),
        exposure_us=given.exposure_us,
        frame_rate_hz=given.frame_rate_hz,
        trigger=Trigger(trigger.source, trigger.activation, trigger.delay_us, trigger.selector)
        if trigger
        else None,
        chunks=given.chunks,
        ptp=PtpLimits(ptp.max_offset_us, ptp.settle_ms) if ptp else None,
    )


def _coord3d(given: Coord3dSection) -> Coord3dModel:
    stereo = given.stereo
    return Coord3dModel(
        a=Coordinate(invalid=given.a.invalid),
        b=Coordinate(invalid=given.b.invalid),
        c=Coordinate(given.c.scale, given.c.offset, given.c.invalid),
        unit_mm=given.unit_mm,
        zero_is_invalid=given.zero_is_invalid,
        min_confidence=given.min_confidence,
        stereo=Stereo(stereo.focal_px, stereo.baseline) if stereo is not None else None,
    )


def _nodes(nodes: tuple[Node, ...]) -> tuple[NodeSetting, ...]:
    return tuple(NodeSetting(node.name, node.value) for node in nodes)
