"""Messages for viewers, as Google's own library reads them from the description beside them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.kits.protobuf_reader import decoded
from voxgate.runtime.scans.viewers.foxglove import IMAGE_DATA, MESSAGES, message, schema
from voxgate.runtime.scans.viewers.protobuf import length_delimited

SHOWN = [name for name in MESSAGES if name.startswith("foxglove.")]


def _read(name: str, values: dict[str, Any]) -> Any:
    described = SimpleNamespace(name=name, data=schema(name))
    return decoded(described, message(name, values))


@pytest.mark.parametrize("name", SHOWN)
def test_a_description_is_refused_or_lacks_a_field(name: str) -> None:
    fields = _read(name, {}).DESCRIPTOR.fields
    assert [(f.number, f.name) for f in fields] == [(f.number, f.name) for f in MESSAGES[name]]


@given(
    st.binary(max_size=300),
    st.integers(0, 2**62),
    st.text(max_size=40),
)
def test_a_picture_comes_back_otherwise(data: bytes, t_ns: int, word: str) -> None:
    values = {
        "timestamp": {"seconds": t_ns // 10**9, "nanos": t_ns % 10**9},
        **{"data": data, "format": word, "frame_id": "camera"},
    }
    name = "foxglove.CompressedImage"
    said = _read(name, values)
    assert (said.data, said.format, said.frame_id) == (data, word, "camera")
    assert said.timestamp.ToNanoseconds() == t_ns
    assert length_delimited(message(name, values), IMAGE_DATA) == data


@given(st.lists(st.floats(allow_nan=False), max_size=12), st.integers(0, 2**32 - 1))
def test_numbers_come_back_otherwise(numbers: list[float], width: int) -> None:
    said = _read("foxglove.CameraCalibration", {"K": numbers, "width": width})
    assert list(said.K) == numbers
    assert said.width == width


@given(st.binary(max_size=64))
def test_bytes_that_are_no_message_hang_or_crash(content: bytes) -> None:
    try:
        found = length_delimited(content, IMAGE_DATA)
    except ValueError:
        return
    assert found is None or found in content


def test_a_field_that_there_is_not_is_left_out() -> None:
    with pytest.raises(KeyError):
        message("foxglove.Vector3", {"w": 1.0})
