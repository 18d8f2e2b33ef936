"""Frames over a real ZeroMQ socket; what a sender gets wrong is named and stops nothing."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import zmq
from hypothesis import given
from hypothesis import strategies as st

from tests.kits.handshake import ENDINGS
from voxgate.runtime.cameras import network
from voxgate.runtime.cameras.frame_gate import SourceFault
from voxgate.runtime.cameras.network import NetworkSource, frame_from_message, header_from_bytes
from voxgate.runtime.cameras.settings import CameraSettings, NetworkSettings
from voxgate.runtime.errors import CameraError, KeyFileError
from voxgate.runtime.nouns import Frame
from voxgate.runtime.wire.door.connections import Cause, CutOff
from voxgate.runtime.wire.keys import make_key_pair

SETTINGS = CameraSettings("red", NetworkSettings("tcp://127.0.0.1:*"), 6, 4, depth=True)
IMAGE = np.arange(24, dtype=np.uint8).reshape(4, 6) * 10
COUNTS = (np.arange(24, dtype=np.uint16).reshape(4, 6) + 100) * 100
COUNTS[1, 2] = 0
DEPTH_MM = np.where(COUNTS == 0, np.nan, COUNTS * 0.05).astype(np.float32)


def _header(**changes: Any) -> dict[str, Any]:
    header = {
        "camera": "red",
        "frame_id": 7,
        "t_device_ns": 10**12,
        "exposure_ns": 8_000_000,
        "width": 6,
        "height": 4,
        "pixel_format": "Mono8",
        "depth": "Coord3D_C16",
        "depth_scale_mm": 0.05,
        "depth_offset_mm": 0.0,
        "depth_invalid": 0,
        "encoding": "raw",
    }
    return {**header, **changes}


def _message(header: dict[str, Any] | None = None, *parts: bytes) -> list[bytes]:
    data = parts or (IMAGE.tobytes(), COUNTS.tobytes())
    return [json.dumps(header or _header()).encode(), *data]


def _file(suffix: str, array: Any) -> bytes:
    done, data = cv2.imencode(suffix, array)
    assert done
    return data.tobytes()


def _assert_frame(frame: object, frame_id: int = 7) -> None:
    assert isinstance(frame, Frame), frame
    assert (frame.frame_id, frame.t_device_ns, frame.exposure_ns) == (frame_id, 10**12, 8_000_000)
    np.testing.assert_array_equal(frame.image, IMAGE)
    np.testing.assert_array_equal(frame.depth_mm, DEPTH_MM)


@pytest.fixture
def source() -> Iterator[NetworkSource]:
    assert isinstance(SETTINGS.source, NetworkSettings)
    source = NetworkSource(SETTINGS, SETTINGS.source)
    yield source
    source.close()


@pytest.fixture
def sender(source: NetworkSource) -> Iterator[zmq.Socket[bytes]]:
    endpoint = source.open()
    context = zmq.Context()
    socket = context.socket(zmq.PUSH)
    socket.connect(endpoint)
    yield socket
    socket.close(linger=0)
    context.term()


def _take(source: NetworkSource, timeout_s: float = 20.0) -> Frame | SourceFault | CutOff:
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        item = source.take()
        if item is not None:
            return item
        time.sleep(0.001)
    raise AssertionError("nothing came")


def test_a_raw_frame_changes_on_its_way(source: NetworkSource, sender: zmq.Socket[bytes]) -> None:
    before_ns = time.monotonic_ns()
    sender.send_multipart(_message())
    frame = _take(source)
    _assert_frame(frame)
    assert isinstance(frame, Frame)
    assert before_ns < frame.t_arrival_ns < time.monotonic_ns()


def test_a_frame_seems_late_by_what_copying_its_pixels_takes(
    source: NetworkSource, sender: zmq.Socket[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """12 Mpx take a busy machine longer than a camera's clock may seem to change."""
    unread: list[bool] = []

    def stamp_ns() -> int:
        unread.append(bool(source._socket.rcvmore))
        return 5

    monkeypatch.setattr(network, "steady_ns", stamp_ns)
    sender.send_multipart(_message())
    frame = _take(source)
    assert isinstance(frame, Frame)
    assert (frame.t_arrival_ns, unread) == (5, [True])


def test_an_encoded_frame_changes_on_its_way(
    source: NetworkSource, sender: zmq.Socket[bytes]
) -> None:
    header = _header(encoding="jpeg+png")
    sender.send_multipart(_message(header, _file(".png", IMAGE), _file(".png", COUNTS)))
    _assert_frame(_take(source))


COLOUR = np.stack([IMAGE, 255 - IMAGE, IMAGE // 2], axis=-1)


@pytest.mark.parametrize("encoding", ["raw", "jpeg+png"])
def test_red_and_blue_change_places_on_the_way(encoding: str) -> None:
    picture = COLOUR.tobytes() if encoding == "raw" else _file(".png", COLOUR[..., ::-1])
    depth = COUNTS.tobytes() if encoding == "raw" else _file(".png", COUNTS)
    message = _message(_header(pixel_format="RGB8", encoding=encoding), picture, depth)
    frame = frame_from_message(message, replace(SETTINGS, colour=True), 5)
    np.testing.assert_array_equal(frame.image, COLOUR)
    # who sees no colour gets what it weighs
    grey = frame_from_message(message, SETTINGS, 5).image
    assert np.abs(grey - COLOUR @ np.array([0.299, 0.587, 0.114])).max() < 1.5  # cut off


@pytest.mark.parametrize(
    ("pixel_format", "picture", "said"),
    [
        ("RGB8", IMAGE.tobytes(), "raw image has 72 bytes, got 24"),
        ("Mono8", COLOUR.tobytes(), "raw image has 24 bytes, got 72"),
        ("BGR8", COLOUR.tobytes(), "must be Mono8 or RGB8"),
    ],
)
def test_a_picture_is_read_as_of_another_format(
    pixel_format: str, picture: bytes, said: str
) -> None:
    message = _message(_header(pixel_format=pixel_format), picture, COUNTS.tobytes())
    with pytest.raises(ValueError, match=said):
        frame_from_message(message, replace(SETTINGS, colour=True), 5)


def test_a_compressed_picture_is_another_than_its_header_says() -> None:
    files = _file(".png", IMAGE), _file(".png", COUNTS)
    message = _message(_header(pixel_format="RGB8", encoding="jpeg+png"), *files)
    with pytest.raises(ValueError, match="the header says RGB8, the picture is another"):
        frame_from_message(message, replace(SETTINGS, colour=True), 5)


def test_float_depth_changes_on_its_way() -> None:
    header = _header(depth="Coord3D_C32f", depth_scale_mm=1.0, depth_invalid=-1.0)
    depth_mm = DEPTH_MM.copy()
    depth_mm[0, 0] = -1
    frame = frame_from_message(
        _message(header, IMAGE.tobytes(), depth_mm.tobytes()), SETTINGS, t_arrival_ns=5
    )
    expected = DEPTH_MM.copy()
    expected[0, 0] = np.nan
    np.testing.assert_array_equal(frame.depth_mm, expected)
    assert frame.t_arrival_ns == 5


def test_a_frame_without_depth_is_refused_here() -> None:
    """Whether depth is needed is decided by the gate, with its own reason."""
    header = _header(depth=None)
    for key in ("depth_scale_mm", "depth_offset_mm", "depth_invalid"):
        del header[key]
    assert frame_from_message(_message(header, IMAGE.tobytes()), SETTINGS, 1).depth_mm is None


JPEG = _file(".jpg", IMAGE)
PNG = _file(".png", COUNTS)
LARGE = _file(".png", np.zeros((5_000, 5_000), np.uint8))  # 25 MB behind 25 kB
BAD = {
    "no header": [b""],
    "one part": [json.dumps(_header()).encode()],
    "four parts": _message(_header(), b"", b"", b""),
    "not JSON": _message()[1:],
    "not an object": [b"[1, 2]", b"", b""],
    "deep JSON": [b"[" * 4_000, b"", b""],
    "long header": [json.dumps(_header(camera="r" * 5_000)).encode(), b"", b""],
    "not UTF-8": [b'{"camera": "\xff"}', b"", b""],
    "unknown key": _message(_header(exec="rm")),
    "missing key": _message({k: v for k, v in _header().items() if k != "t_device_ns"}),
    "another camera": _message(_header(camera="green")),
    "text for a number": _message(_header(frame_id="7")),
    "a fraction for a number": _message(_header(t_device_ns=1.5)),
    "bool for a number": _message(_header(exposure_ns=True)),
    "huge stamp": _message(_header(t_device_ns=2**63)),
    "absurd stamp": _message(_header(t_device_ns=10**400)),
    "negative exposure": _message(_header(exposure_ns=-1)),
    "negative id": _message(_header(frame_id=-1)),
    "wrong size": _message(_header(width=8)),
    "wrong pixel format": _message(_header(pixel_format="RGB8")),
    "wrong encoding": _message(_header(encoding="zip")),
    "wrong depth format": _message(_header(depth="Coord3D_ABC32f")),
    "list for a depth format": _message(_header(depth=["Coord3D_C16"])),
    "NaN scale": _message(_header(depth_scale_mm=float("nan"))),
    "zero scale": _message(_header(depth_scale_mm=0)),
    "tiny scale": _message(_header(depth_scale_mm=1e-300)),
    "huge scale": _message(_header(depth_scale_mm=10**400)),
    "infinite offset": _message(_header(depth_offset_mm=float("inf"))),
    "no scale": _message({k: v for k, v in _header().items() if k != "depth_scale_mm"}),
    "text for invalid": _message(_header(depth_invalid="none")),
    "depth announced, none sent": _message(_header(), IMAGE.tobytes()),
    "depth sent, none announced": _message(_header(depth=None)),
    "short image": _message(_header(), IMAGE.tobytes()[:-1], COUNTS.tobytes()),
    "long depth": _message(_header(), IMAGE.tobytes(), COUNTS.tobytes() + b"0"),
    "float depth in a PNG": _message(_header(depth="Coord3D_C32f", encoding="jpeg+png"), JPEG, PNG),
    "empty JPEG": _message(_header(encoding="jpeg+png"), b"", PNG),
    "cut PNG": _message(_header(encoding="jpeg+png"), JPEG, PNG[:40]),
    "8-bit depth": _message(_header(encoding="jpeg+png"), JPEG, JPEG),
    "16-bit image": _message(_header(encoding="jpeg+png"), PNG, PNG),
    "noise for an image": _message(_header(encoding="jpeg+png"), bytes(range(200)), PNG),
    "small file, huge image": _message(_header(encoding="jpeg+png"), LARGE, PNG),
}


@pytest.mark.parametrize("message", BAD.values(), ids=BAD.keys())
def test_a_bad_message_is_taken_for_a_frame(message: list[bytes]) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        frame_from_message(message, SETTINGS, 1)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400


def test_a_bad_message_stops_the_frames_behind_it(
    source: NetworkSource, sender: zmq.Socket[bytes]
) -> None:
    # a part beyond the socket's limit ends the connection instead: the next test
    for message in (m for m in BAD.values() if max(len(part) for part in m) <= 4096):
        sender.send_multipart(message)
        assert isinstance(_take(source), SourceFault)
    sender.send_multipart(_message())
    _assert_frame(_take(source))


def test_a_part_beyond_the_limit_is_buffered(
    source: NetworkSource, sender: zmq.Socket[bytes]
) -> None:
    """The connection is cut at the announced size; the sender connects again."""
    sender.send_multipart(_message(_header(), bytes(10_000_000)))
    item, deadline = None, time.monotonic() + 20
    while item is None and time.monotonic() < deadline:
        sender.send_multipart(_message(_header(frame_id=8)))  # one may go down with the connection
        time.sleep(0.01)
        item = source.take()
    _assert_frame(item, frame_id=8)


def test_a_message_queued_before_the_job_is_taken_into_it(
    source: NetworkSource, sender: zmq.Socket[bytes]
) -> None:
    for frame_id in range(3):
        sender.send_multipart(_message(_header(frame_id=frame_id)))
    drained, deadline = 0, time.monotonic() + 20
    while drained < 3 and time.monotonic() < deadline:
        drained += source.drain()[0]
    assert drained == 3
    sender.send_multipart(_message(_header(frame_id=9)))
    _assert_frame(_take(source), frame_id=9)


def test_a_taken_port_is_an_exception_from_zmq(source: NetworkSource) -> None:
    endpoint = source.open()
    settings = replace(SETTINGS, source=NetworkSettings(endpoint))
    assert isinstance(settings.source, NetworkSettings)
    second = NetworkSource(settings, settings.source)
    try:
        with pytest.raises(CameraError, match=r"camera red: cannot bind tcp://127.0.0.1"):
            second.open()
    finally:
        second.close()


@pytest.mark.parametrize(
    "endpoint",
    ["tcp://0.0.0.0:5555", "tcp://*:5555", "tcp://192.168.1.10:5555", "udp://127.0.0.1:1"],
)
def test_a_plain_socket_is_opened_to_the_network_unasked(endpoint: str) -> None:
    with pytest.raises(ValueError, match=r"open to the network|tcp://host:port"):
        NetworkSettings(endpoint)


def test_an_encrypted_socket_is_kept_from_the_network() -> None:
    assert NetworkSettings("tcp://0.0.0.0:5555", "box.key_secret").allowed == {}


def test_a_frame_of_a_stranger_is_taken(tmp_path: Path) -> None:
    keys = {name: make_key_pair(tmp_path, name)[1] for name in ("box", "camera", "stranger")}
    secret, allowed = str(tmp_path / "box.key_secret"), {keys["camera"].public.decode(): "camera"}
    settings = NetworkSettings("tcp://127.0.0.1:*", secret, allowed)
    source = NetworkSource(SETTINGS, settings)
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    senders = []
    try:
        endpoint = source.open()
        for frame_id, name in enumerate(("stranger", "camera"), start=1):
            senders.append(socket := context.socket(zmq.PUSH))
            socket.curve_publickey, socket.curve_secretkey = keys[name].public, keys[name].secret
            socket.curve_serverkey = keys["box"].public
            with socket.get_monitor_socket(ENDINGS) as monitor:
                socket.connect(endpoint)
                assert monitor.poll(20_000), "the handshake never ended"
                socket.disable_monitor()
            with contextlib.suppress(zmq.Again):  # nobody takes it of a stranger
                socket.send_multipart(_message(_header(frame_id=frame_id)), zmq.NOBLOCK)
        _assert_frame(_take(source), frame_id=2)
    finally:
        context.destroy(linger=0)
        source.close()


def test_a_camera_computer_that_sends_no_frames_is_not_named(tmp_path: Path) -> None:
    keys = {name: make_key_pair(tmp_path, name)[1] for name in ("box", "camera")}
    secret, allowed = str(tmp_path / "box.key_secret"), {keys["camera"].public.decode(): "cam-pc"}
    source = NetworkSource(SETTINGS, NetworkSettings("tcp://127.0.0.1:*", secret, allowed))
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    try:
        socket = context.socket(zmq.PUSH)
        socket.curve_publickey, socket.curve_secretkey = (
            keys["camera"].public,
            keys["camera"].secret,
        )
        socket.curve_serverkey = keys["box"].public
        socket.connect(source.open())
        socket.send_multipart([b"{}"] * 3000)
        assert isinstance(_take(source), SourceFault)
        cut = _take(source)
        assert isinstance(cut, CutOff)
        assert (cut.role, cut.name, cut.cause) == ("frames", "cam-pc", Cause.TOO_LARGE)
    finally:
        context.destroy(linger=0)
        source.close()


def test_a_key_of_the_box_that_is_not_there_is_no_traceback(tmp_path: Path) -> None:
    settings = NetworkSettings("tcp://127.0.0.1:*", str(tmp_path / "none.key_secret"))
    source = NetworkSource(SETTINGS, settings)
    with pytest.raises(KeyFileError, match="voxgate keys"):
        source.open()
    source.close()


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists))
def test_any_json_value_breaks_the_header(value: object) -> None:
    for key in _header():
        data = json.dumps(_header(**{key: value})).encode()
        with contextlib.suppress(ValueError):
            header_from_bytes(data)


@given(st.lists(st.binary(max_size=300), max_size=4))
def test_any_bytes_break_the_reader(parts: list[bytes]) -> None:
    with pytest.raises(ValueError, match=r"."):
        frame_from_message(parts, SETTINGS, 1)
