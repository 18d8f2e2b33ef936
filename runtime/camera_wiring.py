"""From the cell's YAML to what a camera worker is told."""

from __future__ import annotations

from runtime.calibration import Calibration
from runtime.camera_settings import CameraSettings, GenicamSettings, NetworkSettings, NodeSetting
from runtime.config_camera import Camera, GenicamCamera, NetworkCamera, Node
from runtime.config_sections import CellConfig
from runtime.errors import ConfigError


def camera_settings(config: CellConfig, calibration: Calibration) -> list[CameraSettings]:
    """One per camera; frames must have the calibration's size. Raises ConfigError."""
    try:
        return [_settings(config, calibration, camera) for camera in config.cameras]
    except ValueError as error:
        raise ConfigError(f"cameras: {error}") from error


def _settings(config: CellConfig, calibration: Calibration, camera: Camera) -> CameraSettings:
    return CameraSettings(
        name=camera.name,
        source=_source(config, camera),
        width_px=calibration.width_px,
        height_px=calibration.height_px,
        depth=camera.depth,
        slots=camera.slots,
        frame_id_bits=camera.frame_id_bits,
        start_ms=camera.start_ms,
        heartbeat_ms=camera.heartbeat_ms,
        silence_ms=camera.silence_ms,
        restarts=camera.restarts,
        restart_window_s=camera.restart_window_s,
    )


def _source(config: CellConfig, camera: Camera) -> GenicamSettings | NetworkSettings:
    if isinstance(camera, NetworkCamera):
        return NetworkSettings(camera.endpoint, config.sockets.allow_plain_network)
    return _genicam(camera)


def _genicam(camera: GenicamCamera) -> GenicamSettings:
    return GenicamSettings(
        cti=str(camera.producer),
        serial_number=camera.serial_number,
        nodes=_nodes(camera.nodes),
        stream_nodes=_nodes(camera.stream_nodes),
        buffer_handling=camera.buffer_handling,
        buffers=camera.buffers,
        timestamp=camera.timestamp,
        timestamp_node=camera.timestamp_node,
        timestamp_point=camera.timestamp_point,
        timestamp_hz=camera.timestamp_hz,
        exposure_us=camera.exposure_us,
        exposure_node=camera.exposure_node,
    )


def _nodes(nodes: tuple[Node, ...]) -> tuple[NodeSetting, ...]:
    return tuple(NodeSetting(node.name, node.value) for node in nodes)
