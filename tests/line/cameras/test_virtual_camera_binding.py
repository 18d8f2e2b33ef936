"""The virtual camera through the EMVA binding alone, without harvesters: another consumer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from tests.kits import virtual
from tests.kits.needs import needs_c_compiler
from voxgate.runtime.cameras.genicam.binding import genapi, gentl
from voxgate.sim.gentl.virtual_camera import VirtualCamera

pytestmark = needs_c_compiler
BUFFERS = 3
WAIT_MS = 4000


class _Port(genapi.AbstractPort):  # type: ignore[misc]
    """What GenApi reads registers through."""

    def __init__(self, port: Any) -> None:
        super().__init__()
        self._port = port

    def is_open(self) -> bool:
        return True

    def write(self, address: int, data: bytes) -> None:
        self._port.write(address, data)

    def read(self, address: int, length: int) -> Any:
        return self._port.read(address, length)[1]

    def get_access_mode(self) -> Any:
        return genapi.EAccessMode.RW


@contextmanager
def _device(serial: str) -> Iterator[Any]:
    producer = gentl.GenTLProducer.create_producer()
    producer.open(virtual.cti())
    system = producer.create_system()
    system.open()
    system.update_interface_info_list(100)
    interface = system.interface_info_list[0].create_interface()
    interface.open()
    interface.update_device_info_list(100)
    found = [info for info in interface.device_info_list if info.serial_number == serial]
    device = found[0].create_device()
    device.open(gentl.DEVICE_ACCESS_FLAGS_LIST.DEVICE_ACCESS_EXCLUSIVE)
    try:
        yield device
    finally:
        device.close()
        interface.close()
        system.close()
        producer.close()


def _node_map(device: Any) -> Any:
    url = device.remote_port.url_info_list[0].url
    address, size = (int(text, 16) for text in url.split(";")[1:3])
    xml = device.remote_port.read(address, size)[1]
    node_map = genapi.NodeMap()
    node_map.load_xml_from_string(bytes(xml).decode())
    node_map.connect(_Port(device.remote_port), device.remote_port.name)
    return node_map


def test_only_harvesters_can_use_the_camera() -> None:
    with VirtualCamera(virtual.spec("binding")) as camera, _device(camera.spec.serial) as device:
        camera.show(0, virtual.grey(0), virtual.depth(0))
        node_map = _node_map(device)
        node_map.ComponentSelector.value = "Range"
        node_map.ComponentEnable.value = True
        node_map.PixelFormat.value = "Coord3D_ABC32f"
        stream = device.create_data_stream()
        stream.open(device.data_stream_ids[0])
        events = gentl.EventManagerNewBuffer(
            stream.register_event(gentl.EVENT_TYPE_LIST.EVENT_NEW_BUFFER)
        )
        raw = [bytes(int(node_map.PayloadSize.value)) for _ in range(BUFFERS)]
        announced = [stream.announce_buffer(gentl.BufferToken(memory, None)) for memory in raw]
        for buffer in announced:
            stream.queue_buffer(buffer)
        stream.start_acquisition(gentl.ACQ_START_FLAGS_LIST.ACQ_START_FLAGS_DEFAULT, -1)
        node_map.AcquisitionStart.execute()
        for number in (1, 2, 3, 4):
            events.update_event_data(WAIT_MS)
            buffer = events.buffer
            assert buffer.frame_id == number
            assert [part.data_format for part in buffer.parts] == [0x01080001, 0x026000C0]
            assert buffer.is_complete()
            image = np.frombuffer(buffer.raw_buffer, np.uint8)[: virtual.grey(0).size]
            assert np.array_equal(image.reshape(virtual.grey(0).shape), virtual.grey(0))
            stream.queue_buffer(buffer)
        node_map.AcquisitionStop.execute()
        stream.stop_acquisition(gentl.ACQ_STOP_FLAGS_LIST.ACQ_STOP_FLAGS_KILL)
        stream.flush_buffer_queue(gentl.ACQ_QUEUE_TYPE_LIST.ACQ_QUEUE_ALL_DISCARD)
        events.unregister_event()
        for buffer in announced:
            stream.revoke_buffer(buffer)
        stream.close()
        node_map.disconnect()
