"""A buffer becomes a frame: its stamp, its exposure, its picture and its depth."""

from __future__ import annotations

from typing import Any

import numpy as np

from voxgate.runtime.cameras.frame_gate import FaultKind, SourceFault
from voxgate.runtime.cameras.genicam.buffer import (
    Announced,
    Components,
    components_from_buffer,
    device_ticks,
    frame_id,
)
from voxgate.runtime.cameras.genicam.device import Device
from voxgate.runtime.cameras.genicam.nodes import GENICAM_ERRORS, read_node, read_number
from voxgate.runtime.cameras.settings import CameraSettings, GenicamSettings
from voxgate.runtime.common.text import one_line
from voxgate.runtime.nouns import DepthMap, Frame, Picture
from voxgate.runtime.pixels.coord3d import Coord3dModel

_END_OF_TIME_NS = 2**62


class FrameMaker:
    """coord3d: how this camera's 3D components become mm. announced: what it says of its image."""

    def __init__(
        self,
        settings: CameraSettings,
        source: GenicamSettings,
        device: Device,
        coord3d: Coord3dModel,
        announced: Announced,
    ) -> None:
        self._settings = settings
        self._source = source
        self._device = device
        self._coord3d = coord3d
        self._announced = announced
        names = (source.timestamp_node, source.exposure_node)
        self._reads_chunks = any(name is not None and name.startswith("Chunk") for name in names)

    def frame(self, buffer: Any, t_arrival_ns: int) -> Frame | SourceFault:
        """The buffer as a frame of its own memory, or why it cannot be one."""
        try:
            return self._frame(buffer, t_arrival_ns)
        except ValueError as e:
            return SourceFault(FaultKind.INVALID, one_line(e))
        except GENICAM_ERRORS as e:
            return SourceFault(FaultKind.INVALID, f"buffer cannot be read: {one_line(e)}")

    def _frame(self, buffer: Any, t_arrival_ns: int) -> Frame | SourceFault:
        if self._reads_chunks:
            self._device.attach_chunks(buffer)
        exposure_ns = self._exposure_ns()
        t_device_ns = self._t_device_ns(buffer, t_arrival_ns, exposure_ns)
        if t_device_ns is None:
            return SourceFault(
                FaultKind.UNSYNCED,
                "camera gives no time stamp: choose timestamp_node, or timestamp: arrival",
            )
        number = frame_id(buffer)
        if number is None:
            raise ValueError("the producer numbers no frames, so a lost one would not be seen")
        # copied here: the next exposure overwrites the buffer
        parts: Components = components_from_buffer(buffer, self._announced)
        image, depth_mm = self._pixels(parts)
        return Frame(
            camera=self._settings.name,
            frame_id=number,
            t_device_ns=t_device_ns,
            t_arrival_ns=t_arrival_ns,
            exposure_ns=exposure_ns,
            image=image,
            depth_mm=depth_mm,
        )

    def _pixels(self, parts: Components) -> tuple[Picture, DepthMap | None]:
        """Picture and depth. Of a sensor beside the camera nobody looks at a picture of its own."""
        if self._settings.device == "sensor":
            depth_mm = parts.sensed_mm(self._coord3d)
            return np.zeros(depth_mm.shape, np.uint8), depth_mm
        aligned_mm = parts.depth_mm(self._coord3d) if self._settings.depth else None
        return parts.picture(self._settings.colour), aligned_mm

    def _exposure_ns(self) -> int:
        if self._source.exposure_us is not None:
            return round(self._source.exposure_us * 1_000)
        name = str(self._source.exposure_node)
        exposure_us = read_number(self._device.node_map, name)
        if exposure_us is None or exposure_us < 0:
            raise ValueError(
                f"exposure cannot be read from {name}: set exposure_us or another node"
            )
        return round(exposure_us * 1_000)

    def _t_device_ns(self, buffer: Any, t_arrival_ns: int, exposure_ns: int) -> int | None:
        """Start of exposure on the camera's clock; on this host's for `arrival`."""
        if self._source.timestamp == "arrival":
            return t_arrival_ns - exposure_ns
        node = self._source.timestamp_node
        if node is None:
            t_ns = device_ticks(buffer, self._source.timestamp_hz)
        else:
            ticks = read_node(self._device.node_map, node)
            t_ns = ticks * 1_000_000_000 // self._source.timestamp_hz if type(ticks) is int else 0
        if not 0 < t_ns < _END_OF_TIME_NS:  # some producers say "unknown" with all bits set
            return None
        return t_ns - exposure_ns if self._source.timestamp_point == "end" else t_ns
