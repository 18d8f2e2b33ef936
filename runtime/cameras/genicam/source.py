"""One GenICam camera inside its worker process: opened, set as declared, its frames one by one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from voxgate.runtime.cameras.frame_gate import FaultKind, SourceFault
from voxgate.runtime.cameras.genicam.apply import apply_setup, apply_stream
from voxgate.runtime.cameras.genicam.buffer import Announced, announced_from_nodes, frame_id
from voxgate.runtime.cameras.genicam.device import Device
from voxgate.runtime.cameras.genicam.frame_maker import FrameMaker
from voxgate.runtime.cameras.genicam.nodes import (
    DEPTH_COMPONENTS,
    GENICAM_ERRORS,
    IMAGE_COMPONENTS,
    apply_nodes,
    coord3d_from_nodes,
    execute_node,
    frame_id_bits_from_nodes,
    markers_from_nodes,
    read_node,
)
from voxgate.runtime.cameras.genicam.producer import check_producer, forget_cache_variables
from voxgate.runtime.cameras.genicam.proof import Proof
from voxgate.runtime.cameras.genicam.region import check_region
from voxgate.runtime.cameras.link import wait_readable
from voxgate.runtime.cameras.settings import CameraSettings, GenicamSettings, NodeSetting
from voxgate.runtime.common.clock import steady_ns
from voxgate.runtime.common.text import one_line
from voxgate.runtime.errors import CameraError
from voxgate.runtime.nouns import Frame
from voxgate.runtime.pixels.coord3d import Coord3dModel

POLL_S = 0.001  # how long a frame may wait for us; a poll costs 2 us


class GenicamSource:
    """Opens the camera, sets it as declared, and takes its frames one by one. One thread only."""

    continuous_ids = True  # the stream numbers on through all jobs
    frame_id_bits: int | None = None

    def __init__(self, settings: CameraSettings, source: GenicamSettings) -> None:
        self._settings = settings
        self._source = source
        self._where = f"camera {settings.name} ({source.serial_number})"
        self._device = Device(source, self._where)
        self._last_pass_ns = 0
        self._frames: FrameMaker
        self._proof: Proof

    def open(self) -> str:
        """Find, open, set and start the camera; returns what was opened, in words.

        Raises CameraError with one line that says what to mend.
        """
        check_producer(self._source.cti)
        forget_cache_variables()
        try:
            self._device.open()
            markers = self._set_up(self._device.node_map)
            self.frame_id_bits = frame_id_bits_from_nodes(
                self._device.node_map, self._device.tl_type
            )
            self._device.start()
        except GENICAM_ERRORS as e:
            raise CameraError(f"{self._where}: cannot be opened: {one_line(e)}") from e
        self._last_pass_ns = steady_ns()
        self._proof = Proof(self._where, markers, self._source.setup.ptp, self._last_pass_ns)
        return f"{self._where} through {Path(self._source.cti).name}"

    def take(self) -> Frame | SourceFault | None:
        """The next frame, what is wrong with it, or None when none waits. Never blocks for one.

        Raises CameraError when the link is dead.
        """
        now_ns = steady_ns()
        pause_ns, self._last_pass_ns = now_ns - self._last_pass_ns, now_ns
        self._proof.time(self._device.node_map, now_ns)
        if self._device.waiting() == 0:
            self._proof.link(self._device.node_map, now_ns)
            return self._take_incomplete()
        self._proof.delivered(now_ns)
        if self._aged(pause_ns):
            count, _ = self.drain()
            return SourceFault(
                FaultKind.AGED,
                f"{count} frames waited while the worker stood still for {pause_ns // 1_000_000} "
                f"ms: stamped by arrival, their time is not known",
                count,
            )
        return self._fetch()

    def trigger(self) -> bool:
        """Expose now, where the camera waits for a trigger by software; whether it did."""
        node_map = self._device.node_map
        if read_node(node_map, "TriggerMode") != "On":
            return False
        if read_node(node_map, "TriggerSource") != "Software":
            return False
        return execute_node(node_map, "TriggerSoftware")

    def drain(self) -> tuple[int, int | None]:
        """Give back every waiting frame unread; how many, and the id of the last."""
        count, last_id = 0, None
        # a camera faster than this loop must not hold it for ever
        for _ in range(2 * self._source.buffers):
            buffer = self._device.next_buffer() if self._device.waiting() else None
            if buffer is None:
                break
            count, last_id = count + 1, frame_id(buffer)
            self._device.give_back(buffer)
        self._last_pass_ns = steady_ns()
        return count, last_id

    def wait(self, link_fd: int, timeout_s: float) -> None:
        """Sleep until the next poll is due or the link speaks; the GIL is free meanwhile."""
        wait_readable(link_fd, min(timeout_s, POLL_S))

    def close(self) -> None:
        """Stop and let everything go."""
        self._device.close()

    def _set_up(self, node_map: Any) -> tuple[NodeSetting, ...]:
        """Write what is declared; returns what can be read back at any time."""
        written = apply_setup(node_map, self._source.setup, self._where)
        apply_nodes(node_map, self._source.nodes, self._where)
        apply_stream(
            self._device.stream_node_map,
            self._source.buffer_handling,
            self._source.stream_nodes,
            self._where,
        )
        announced = self._announced(node_map)
        region = check_region(node_map, self._settings, self._where)
        coord3d = self._source.coord3d
        if coord3d is None:
            reads = self._settings.depth
            coord3d = coord3d_from_nodes(node_map, self._where) if reads else Coord3dModel()
        self._frames = FrameMaker(self._settings, self._source, self._device, coord3d, announced)
        # last: reading the 3D nodes moves a selector
        return markers_from_nodes(node_map, (*written, *self._source.nodes, *region))

    def _announced(self, node_map: Any) -> Announced:
        """What the camera says of its image. Raises CameraError for one of another size."""
        of_sensor = self._settings.device == "sensor"
        announced = announced_from_nodes(
            node_map, DEPTH_COMPONENTS if of_sensor else IMAGE_COMPONENTS
        )
        delivered = (announced.width_px, announced.height_px)
        expected = (self._settings.width_px, self._settings.height_px)
        if None not in delivered and delivered != expected:
            raise CameraError(
                f"{self._where}: Width and Height are {delivered}, the cell expects {expected}: "
                f"set both nodes"
            )
        return announced

    def _aged(self, pause_ns: int) -> bool:
        by_arrival = self._source.timestamp == "arrival"
        return by_arrival and pause_ns > self._source.max_pause_ms * 1_000_000

    def _take_incomplete(self) -> SourceFault | None:
        count = self._device.take_incomplete()
        if count == 0:
            return None
        detail = f"{count} frames came incomplete: packets were lost between camera and box"
        return SourceFault(FaultKind.INCOMPLETE, detail, count)

    def _fetch(self) -> Frame | SourceFault | None:
        buffer = self._device.next_buffer()
        t_arrival_ns = steady_ns()
        if buffer is None:
            return self._take_incomplete()
        try:
            return self._frames.frame(buffer, t_arrival_ns)
        finally:
            self._device.give_back(buffer)
