"""Whether an ONNX model keeps tensors in other files: those no signature covers.

Reads the protocol buffer's structure (onnx.proto) and skips its contents.
"""

from __future__ import annotations

from collections.abc import Iterator

VARINT, FIXED64, LENGTH, GROUP, END_GROUP, FIXED32 = range(6)
EXTERNAL_DATA, DATA_LOCATION = 13, 14  # of TensorProto
MOST_DEPTH = 64  # of graphs in graphs

_TENSOR, _SPARSE, _GRAPH, _NODE, _ATTRIBUTE, _FUNCTION, _MODEL, _TRAINING = range(8)
_INSIDE = {
    _MODEL: {7: _GRAPH, 20: _TRAINING, 25: _FUNCTION},
    _TRAINING: {1: _GRAPH, 2: _GRAPH},
    _FUNCTION: {7: _NODE, 11: _ATTRIBUTE},
    _GRAPH: {1: _NODE, 5: _TENSOR, 15: _SPARSE},
    _NODE: {5: _ATTRIBUTE},
    _ATTRIBUTE: {5: _TENSOR, 6: _GRAPH, 10: _TENSOR, 11: _GRAPH, 22: _SPARSE, 23: _SPARSE},
    _SPARSE: {1: _TENSOR, 2: _TENSOR},
    _TENSOR: {},
}
"""Which fields of a message hold which messages, as far as tensors may lie in them."""


def refers_elsewhere(model: bytes) -> bool:
    """True also for graphs nested deeper than anybody nests them; False for what is no protocol
    buffer, which no engine takes either."""
    try:
        return _refers(memoryview(model), _MODEL, 0)
    except (IndexError, KeyError, ValueError):
        return False


def _refers(message: memoryview, kind: int, depth: int) -> bool:
    if depth > MOST_DEPTH:
        return True
    for field, value in _fields(message):
        if kind == _TENSOR and field in (EXTERNAL_DATA, DATA_LOCATION) and value != 0:
            return True
        inside = _INSIDE[kind].get(field)
        if inside is None or not isinstance(value, memoryview):
            continue
        if _refers(value, inside, depth + 1):
            return True
    return False


def _fields(message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Number and value of each; of fixed ones the value does not matter."""
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        kind = tag & 7
        if kind == VARINT:
            value, at = _varint(message, at)
            yield tag >> 3, value
            continue
        if kind == GROUP:
            at = _after_group(message, at)
            continue
        size = {FIXED64: 8, FIXED32: 4}.get(kind)
        if kind == LENGTH:
            size, at = _varint(message, at)
        if size is None or at + size > len(message):
            raise ValueError("no protocol buffer")
        yield tag >> 3, message[at : at + size]
        at += size


def _after_group(message: memoryview, at: int) -> int:
    """Where the fields of a group end, an old form that readers skip."""
    depth = 1
    while depth:
        tag, at = _varint(message, at)
        kind = tag & 7
        if kind in (GROUP, END_GROUP):
            depth += 1 if kind == GROUP else -1
        elif kind == VARINT:
            _, at = _varint(message, at)
        elif kind == LENGTH:
            size, at = _varint(message, at)
            at += size
        else:
            at += {FIXED64: 8, FIXED32: 4}[kind]
    return at


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while shift < 70:
        byte = message[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at
    raise ValueError("no protocol buffer")
