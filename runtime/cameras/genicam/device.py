"""One camera as harvesters holds it: found, opened, its buffers, and everything let go again.

Every rule here answers a measured fault of the stack below: `fetch` holds the GIL, so it is called
only when a buffer waits; its timeout is no deadline, so the parent keeps one; buffers are raw, so
an unknown format cannot leak one; the node map that every acquirer leaks is let go in `close`.
"""

from __future__ import annotations

import logging
import signal
import threading
from pathlib import Path
from typing import Any

from voxgate.runtime.cameras.genicam.binding import Callback, Harvester, ParameterKey, ParameterSet
from voxgate.runtime.cameras.genicam.find import ListedCamera, choose, listed_cameras
from voxgate.runtime.cameras.genicam.nodes import GENICAM_ERRORS
from voxgate.runtime.cameras.genicam.producer import gives
from voxgate.runtime.cameras.settings import GenicamSettings
from voxgate.runtime.common.text import one_line
from voxgate.runtime.errors import CameraError

HARVESTERS_LOG = logging.getLogger("voxgate.harvesters")

FETCH_S = 0.05  # a buffer waits already: this only bounds what the library does with it
MAX_FETCH_FAILURES = 5  # in a row; then only a new process helps


class _Counter(Callback):  # type: ignore[misc]
    """Counts the incomplete buffers that the library throws away by itself."""

    def __init__(self) -> None:
        self.count = 0

    def emit(self, context: object | None = None) -> None:
        self.count += 1


class Device:
    """The camera with one serial number, opened. Use from one thread, and `close` it.

    where: names it in every message.
    """

    def __init__(self, source: GenicamSettings, where: str) -> None:
        self._source = source
        self._where = where
        self._incomplete = _Counter()
        self._failures = 0
        self.harvester: Any = None
        self.acquirer: Any = None
        self._stream: Any = None
        self._events: Any = None
        self.counts_waiting = True
        self.tl_type = ""  # what the producer calls the transport, once it is open

    def open(self) -> None:
        """Find and open it. Raises CameraError, and the library's own errors."""
        self.harvester = Harvester(config=ParameterSet({ParameterKey.LOGGER: HARVESTERS_LOG}))
        self.harvester.add_file(self._source.cti, check_existence=True)
        self.harvester.update()
        found = self._find()
        self.tl_type = found.tl_type
        self.acquirer = create_acquirer(
            self.harvester,
            found.place,
            {
                ParameterKey.NUM_BUFFERS_FOR_FETCH_CALL: self._source.buffers,
                ParameterKey.ENABLE_AUTO_CHUNK_DATA_UPDATE: False,
            },
        )
        self.acquirer.add_callback(self.acquirer.Events.INCOMPLETE_BUFFER, self._incomplete)
        self._open_stream()

    @property
    def node_map(self) -> Any:
        return self.acquirer.remote_device.node_map

    @property
    def stream_node_map(self) -> Any:
        return self.acquirer.data_streams[0].node_map

    def start(self) -> None:
        """Let frames come."""
        self.acquirer.start()

    def waiting(self) -> int:
        """How many buffers wait; asking takes 0.2 us, while `fetch` would hold the GIL to wait.

        Raises CameraError when the stream is lost.
        """
        try:
            if self.counts_waiting:
                return int(self._stream.num_awaiting_delivery)
            return int(self._events.num_in_queue)
        except GENICAM_ERRORS as e:
            raise CameraError(f"{self._where}: stream is lost: {one_line(e)}") from e

    def next_buffer(self) -> Any:
        """A complete buffer that is ours until it is given back, or None.

        Raises CameraError when only a new process helps.
        """
        try:
            buffer = self.acquirer.try_fetch(timeout=FETCH_S, is_raw=True)
        except GENICAM_ERRORS as e:
            self._failures += 1
            if self._failures >= MAX_FETCH_FAILURES:
                raise CameraError(
                    f"{self._where}: {self._failures} fetches in a row failed: {one_line(e)}"
                ) from e
            return None
        self._failures = 0
        return buffer

    def give_back(self, buffer: Any) -> None:
        """Without clearing it: that would write 10 MB of zeros per frame, with the GIL held."""
        self._stream.queue_buffer(buffer, False)

    def take_incomplete(self) -> int:
        """How many buffers came incomplete since the last call."""
        count, self._incomplete.count = self._incomplete.count, 0
        return count

    def attach_chunks(self, buffer: Any) -> None:
        """Chunk features hold this buffer's values until it is given back."""
        # what harvesters' Buffer.update_chunk_data calls; raw buffers have no such method
        self.acquirer._update_chunk_data(buffer=buffer, is_manual=True)

    def close(self) -> None:
        """Stop and let everything go; what a dead link refuses is logged and left to the kernel."""
        try:
            if self.acquirer is not None:
                release_acquirer(self.harvester, self.acquirer)
            if self.harvester is not None:
                self.harvester.reset()
        except (*GENICAM_ERRORS, AttributeError) as e:
            HARVESTERS_LOG.warning("%s: close: %s", self._where, one_line(e))
        self.acquirer = self._stream = self._events = self.harvester = None

    def _find(self) -> ListedCamera:
        source = self._source
        try:
            return choose(listed_cameras(self.harvester), source.serial_number, source.interface)
        except CameraError as error:
            raise CameraError(f"{self._where}: {Path(source.cti).name} {error}") from None

    def _open_stream(self) -> None:
        streams = self.acquirer.data_streams
        if len(streams) != 1:
            raise CameraError(f"{self._where}: has {len(streams)} data streams, expected 1")
        self._stream = streams[0].module
        self._events = self.acquirer._new_buffer_event_monitor_dict[streams[0]]
        self.counts_waiting = gives(self._stream, "num_awaiting_delivery")


def create_acquirer(harvester: Any, place: int, parameters: dict[Any, Any]) -> Any:
    """Open the camera at this place of the list; Ctrl-C keeps its meaning, though harvesters
    takes it.
    """
    interrupt = signal.getsignal(signal.SIGINT)
    acquirer = harvester.create(place, config=ParameterSet(parameters))
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, interrupt)
    return acquirer


def release_acquirer(harvester: Any, acquirer: Any) -> None:
    """In this order, or the remote node map stays in memory for ever (harvesters #502)."""
    acquirer.stop()
    acquirer._chunk_adapter._finalizer()
    acquirer.destroy()
    harvester.image_acquirers.remove(acquirer)
    acquirer._finalizer.detach()
