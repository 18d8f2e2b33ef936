"""One GenICam camera through harvesters, inside its worker process.

Every rule here answers a measured fault of the stack below: `fetch` holds the GIL, so it is called
only when a buffer waits; its timeout is no deadline, so the parent keeps one; buffers are raw, so
an unknown format cannot leak one; everything is copied before the buffer goes back; the node map
that every acquirer leaks is let go in `close`.
"""

from __future__ import annotations

import logging
import signal
import threading
import time
from pathlib import Path
from typing import Any

from voxgate.runtime.cameras.frame_gate import FaultKind, SourceFault
from voxgate.runtime.cameras.genicam.apply import apply_setup, ptp_complaint
from voxgate.runtime.cameras.genicam.binding import Callback, Harvester, ParameterKey, ParameterSet
from voxgate.runtime.cameras.genicam.buffer import Components, components_from_buffer, device_ticks
from voxgate.runtime.cameras.genicam.nodes import (
    GENICAM_ERRORS,
    apply_nodes,
    coord3d_from_nodes,
    execute_node,
    holds,
    markers_from_nodes,
    read_node,
    read_number,
)
from voxgate.runtime.cameras.genicam.producer import check_producer, forget_cache_variables, gives
from voxgate.runtime.cameras.link import wait_readable
from voxgate.runtime.cameras.settings import CameraSettings, GenicamSettings, NodeSetting
from voxgate.runtime.common.text import one_line
from voxgate.runtime.errors import CameraError
from voxgate.runtime.nouns import Frame
from voxgate.runtime.pixels.coord3d import Coord3dModel

_log = logging.getLogger("voxgate.harvesters")

POLL_S = 0.001  # how long a frame may wait for us; a poll costs 2 us
FETCH_S = 0.05  # a buffer waits already: this only bounds what the library does with it
LINK_CHECK_NS = 1_000_000_000  # a read of a feature shows a dead link; nothing else does
_END_OF_TIME_NS = 2**62
MAX_FETCH_FAILURES = 5  # in a row; then only a new process helps


class _Counter(Callback):  # type: ignore[misc]
    """Counts the incomplete buffers that the library throws away by itself."""

    def __init__(self) -> None:
        self.count = 0

    def emit(self, context: object | None = None) -> None:
        self.count += 1


class GenicamSource:
    """Opens the camera, sets it as declared, and takes its frames one by one. One thread only."""

    continuous_ids = True  # the stream numbers on through all jobs

    def __init__(self, settings: CameraSettings, source: GenicamSettings) -> None:
        self._settings = settings
        self._source = source
        self._where = f"camera {settings.name} ({source.serial_number})"
        self._coord3d = source.coord3d or Coord3dModel()
        self._incomplete = _Counter()
        self._failures = 0
        self._last_pass_ns = 0
        self._last_proof_ns = 0
        self._last_ptp_ns = 0
        self._harvester: Any = None
        self._acquirer: Any = None
        self._stream: Any = None
        self._events: Any = None
        self._counts_waiting = True
        self._markers: tuple[NodeSetting, ...] = ()

    def open(self) -> str:
        """Find, open, set and start the camera; returns what was opened, in words.

        Raises CameraError with one line that says what to mend.
        """
        check_producer(self._source.cti)
        forget_cache_variables()
        try:
            self._open_device()
            self._set_up()
            self._acquirer.start()
        except GENICAM_ERRORS as e:
            raise CameraError(f"{self._where}: cannot be opened: {one_line(e)}") from e
        self._last_pass_ns = self._last_proof_ns = self._last_ptp_ns = time.monotonic_ns()
        return f"{self._where} through {Path(self._source.cti).name}"

    def take(self) -> Frame | SourceFault | None:
        """The next frame, what is wrong with it, or None when none waits. Never blocks for one.

        Raises CameraError when the link is dead.
        """
        now_ns = time.monotonic_ns()
        pause_ns, self._last_pass_ns = now_ns - self._last_pass_ns, now_ns
        self._prove_time(now_ns)
        if self._waiting() == 0:
            self._prove_link(now_ns)
            return self._take_incomplete()
        self._last_proof_ns = now_ns
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
        node_map = self._acquirer.remote_device.node_map
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
            buffer = self._next_buffer() if self._waiting() else None
            if buffer is None:
                break
            count, last_id = count + 1, int(buffer.frame_id)
            self._give_back(buffer)
        self._last_pass_ns = time.monotonic_ns()
        return count, last_id

    def wait(self, link_fd: int, timeout_s: float) -> None:
        """Sleep until the next poll is due or the link speaks; the GIL is free meanwhile."""
        wait_readable(link_fd, min(timeout_s, POLL_S))

    def close(self) -> None:
        """Stop and let everything go; what a dead link refuses is logged and left to the kernel."""
        try:
            if self._acquirer is not None:
                self._release_acquirer()
            if self._harvester is not None:
                self._harvester.reset()
        except (*GENICAM_ERRORS, AttributeError) as e:
            _log.warning("%s: close: %s", self._where, one_line(e))
        self._acquirer = self._stream = self._events = self._harvester = None

    # opening

    def _open_device(self) -> None:
        self._harvester = Harvester(config=ParameterSet({ParameterKey.LOGGER: _log}))
        self._harvester.add_file(self._source.cti, check_existence=True)
        self._harvester.update()
        serials = [str(info.serial_number) for info in self._harvester.device_info_list]
        if serials.count(self._source.serial_number) != 1:
            raise CameraError(
                f"{self._where}: {Path(self._source.cti).name} sees the serial numbers "
                f"{serials or 'of no camera'}: check cable, power, address and serial_number"
            )
        interrupt = signal.getsignal(signal.SIGINT)
        self._acquirer = self._harvester.create(
            {"serial_number": self._source.serial_number},
            config=ParameterSet(
                {
                    ParameterKey.NUM_BUFFERS_FOR_FETCH_CALL: self._source.buffers,
                    ParameterKey.ENABLE_AUTO_CHUNK_DATA_UPDATE: False,
                }
            ),
        )
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, interrupt)  # the acquirer put its own handler there
        self._acquirer.add_callback(self._acquirer.Events.INCOMPLETE_BUFFER, self._incomplete)

    def _set_up(self) -> None:
        streams = self._acquirer.data_streams
        if len(streams) != 1:
            raise CameraError(f"{self._where}: has {len(streams)} data streams, expected 1")
        self._stream = streams[0].module
        self._events = self._acquirer._new_buffer_event_monitor_dict[streams[0]]
        self._counts_waiting = gives(self._stream, "num_awaiting_delivery")
        node_map = self._acquirer.remote_device.node_map
        written = apply_setup(node_map, self._source.setup, self._where)
        apply_nodes(node_map, self._source.nodes, self._where)
        handling = NodeSetting("StreamBufferHandlingMode", self._source.buffer_handling)
        apply_nodes(streams[0].node_map, (handling, *self._source.stream_nodes), self._where)
        self._check_size(node_map)
        if self._settings.depth and self._source.coord3d is None:
            self._coord3d = coord3d_from_nodes(node_map, self._where)
        # last: reading the 3D nodes moves a selector
        self._markers = markers_from_nodes(node_map, (*written, *self._source.nodes))

    def _check_size(self, node_map: Any) -> None:
        delivered = (read_number(node_map, "Width"), read_number(node_map, "Height"))
        expected = (self._settings.width_px, self._settings.height_px)
        if None not in delivered and delivered != expected:
            raise CameraError(
                f"{self._where}: Width and Height are {delivered}, the cell expects {expected}: "
                f"set both nodes"
            )

    # taking

    def _waiting(self) -> int:
        """How many buffers wait; asking takes 0.2 us, while `fetch` would hold the GIL to wait."""
        try:
            if self._counts_waiting:
                return int(self._stream.num_awaiting_delivery)
            return int(self._events.num_in_queue)
        except GENICAM_ERRORS as e:
            raise CameraError(f"{self._where}: stream is lost: {one_line(e)}") from e

    def _aged(self, pause_ns: int) -> bool:
        by_arrival = self._source.timestamp == "arrival"
        return by_arrival and pause_ns > self._source.max_pause_ms * 1_000_000

    def _take_incomplete(self) -> SourceFault | None:
        count, self._incomplete.count = self._incomplete.count, 0
        if count == 0:
            return None
        detail = f"{count} frames came incomplete: packets were lost between camera and box"
        return SourceFault(FaultKind.INCOMPLETE, detail, count)

    def _fetch(self) -> Frame | SourceFault | None:
        buffer = self._next_buffer()
        t_arrival_ns = time.monotonic_ns()
        if buffer is None:
            return self._take_incomplete()
        try:
            return self._frame(buffer, t_arrival_ns)
        except ValueError as e:
            return SourceFault(FaultKind.INVALID, one_line(e))
        except GENICAM_ERRORS as e:
            return SourceFault(FaultKind.INVALID, f"buffer cannot be read: {one_line(e)}")
        finally:
            self._give_back(buffer)

    def _next_buffer(self) -> Any:
        """A complete buffer that is ours until it is queued again, or None."""
        try:
            buffer = self._acquirer.try_fetch(timeout=FETCH_S, is_raw=True)
        except GENICAM_ERRORS as e:
            self._failures += 1
            if self._failures >= MAX_FETCH_FAILURES:
                raise CameraError(
                    f"{self._where}: {self._failures} fetches in a row failed: {one_line(e)}"
                ) from e
            return None
        self._failures = 0
        return buffer

    def _give_back(self, buffer: Any) -> None:
        """Without clearing it: that would write 10 MB of zeros per frame, with the GIL held."""
        self._stream.queue_buffer(buffer, False)

    def _frame(self, buffer: Any, t_arrival_ns: int) -> Frame | SourceFault:
        """The buffer as a frame of its own memory: the next exposure overwrites the buffer."""
        self._attach_chunks(buffer)
        exposure_ns = self._exposure_ns()
        t_device_ns = self._t_device_ns(buffer, t_arrival_ns, exposure_ns)
        if t_device_ns is None:
            return SourceFault(
                FaultKind.UNSYNCED,
                "camera gives no time stamp: choose timestamp_node, or timestamp: arrival",
            )
        parts: Components = components_from_buffer(buffer)
        return Frame(
            camera=self._settings.name,
            frame_id=int(buffer.frame_id),
            t_device_ns=t_device_ns,
            t_arrival_ns=t_arrival_ns,
            exposure_ns=exposure_ns,
            image=parts.grey(),
            depth_mm=parts.depth_mm(self._coord3d) if self._settings.depth else None,
        )

    def _attach_chunks(self, buffer: Any) -> None:
        """Chunk features hold this buffer's values until it is queued again."""
        names = (self._source.timestamp_node, self._source.exposure_node)
        if any(name is not None and name.startswith("Chunk") for name in names):
            # what harvesters' Buffer.update_chunk_data calls; raw buffers have no such method
            self._acquirer._update_chunk_data(buffer=buffer, is_manual=True)

    def _exposure_ns(self) -> int:
        if self._source.exposure_us is not None:
            return round(self._source.exposure_us * 1_000)
        name = str(self._source.exposure_node)
        exposure_us = read_number(self._acquirer.remote_device.node_map, name)
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
            ticks = read_node(self._acquirer.remote_device.node_map, node)
            t_ns = ticks * 1_000_000_000 // self._source.timestamp_hz if type(ticks) is int else 0
        if not 0 < t_ns < _END_OF_TIME_NS:  # some producers say "unknown" with all bits set
            return None
        return t_ns - exposure_ns if self._source.timestamp_point == "end" else t_ns

    def _prove_link(self, now_ns: int) -> None:
        """A dead link delivers nothing and says nothing, but a feature access fails. A camera that
        was restarted delivers nothing either, answers, and has forgotten its settings.
        """
        if now_ns - self._last_proof_ns < LINK_CHECK_NS:
            return
        self._last_proof_ns = now_ns
        try:
            self._acquirer.remote_device.node_map.Width.value  # noqa: B018  the access is the test
        except GENICAM_ERRORS as e:
            raise CameraError(f"{self._where}: link is lost: {one_line(e)}") from e
        except AttributeError:
            pass  # no such feature on this camera: nothing to prove with
        for marker in self._markers:
            if not holds(self._acquirer.remote_device.node_map, marker):
                raise CameraError(
                    f"{self._where}: {marker.name} is no longer {marker.value!r}: the camera was "
                    f"restarted, or another program sets it"
                )

    def _prove_time(self, now_ns: int) -> None:
        """A camera may lose its master, or become one, at any time and without a word."""
        limits = self._source.setup.ptp
        if limits is None or now_ns - self._last_ptp_ns < LINK_CHECK_NS:
            return
        self._last_ptp_ns = now_ns
        complaint = ptp_complaint(self._acquirer.remote_device.node_map, limits)
        if complaint is not None:
            raise CameraError(f"{self._where}: its time is not the master's: {complaint}")

    # closing

    def _release_acquirer(self) -> None:
        """In this order, or the remote node map stays in memory for ever (harvesters #502)."""
        acquirer = self._acquirer
        acquirer.stop()
        acquirer._chunk_adapter._finalizer()
        acquirer.destroy()
        self._harvester.image_acquirers.remove(acquirer)
        acquirer._finalizer.detach()
