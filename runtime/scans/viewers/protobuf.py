"""Protocol Buffers' wire format for messages of a table: written, described, one field read back.

Enough for what viewers draw, without a library on the box. Source: protobuf.dev, encoding, and
descriptor.proto for the description that stands beside the messages.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_VARINT, _FIXED64, _LENGTH, _FIXED32 = 0, 1, 2, 5
_MORE = 0x80
_MOST_VARINT_BYTES = 10


@dataclass(frozen=True, slots=True)
class Field:
    """One field. kind: a scalar of _SCALARS, or the full name of a message or enumeration."""

    number: int
    name: str
    kind: str
    repeated: bool = False


Messages = Mapping[str, Sequence[Field]]
"""Full name -> its fields."""
Enums = Mapping[str, Sequence[str]]
"""Full name -> its words, numbered from 0."""


@dataclass(frozen=True, slots=True)
class _Scalar:
    wire: int
    descriptor: int  # FieldDescriptorProto.Type
    encode: Callable[[Any], bytes]


def _varint(value: int) -> bytes:
    value &= (1 << 64) - 1  # a negative number takes ten bytes
    out = bytearray()
    while value >= _MORE:
        out.append(value & 0x7F | _MORE)
        value >>= 7
    out.append(value)
    return bytes(out)


def _sized(content: bytes) -> bytes:
    return _varint(len(content)) + content


_SCALARS = {
    "double": _Scalar(_FIXED64, 1, struct.Struct("<d").pack),
    "int64": _Scalar(_VARINT, 3, _varint),
    "int32": _Scalar(_VARINT, 5, _varint),
    "fixed32": _Scalar(_FIXED32, 7, struct.Struct("<I").pack),
    "string": _Scalar(_LENGTH, 9, lambda text: _sized(text.encode())),
    "bytes": _Scalar(_LENGTH, 12, _sized),
}
_MESSAGE, _ENUM = 11, 14


def encode(messages: Messages, name: str, values: Mapping[str, Any]) -> bytes:
    """The message's bytes; fields without a value are left out.

    Raises KeyError for a value that the message has no field for.
    """
    fields = {field.name: field for field in messages[name]}
    return b"".join(
        _encoded(messages, fields[key], value) for key, value in values.items() if value is not None
    )


def _encoded(messages: Messages, field: Field, value: Any) -> bytes:
    scalar = _SCALARS.get(field.kind)
    if field.repeated and scalar is not None and scalar.wire != _LENGTH:  # packed
        content = b"".join(scalar.encode(each) for each in value)
        return _tag(field, _LENGTH) + _sized(content)
    if field.repeated:
        return b"".join(_one(messages, field, each) for each in value)
    return _one(messages, field, value)


def _one(messages: Messages, field: Field, value: Any) -> bytes:
    scalar = _SCALARS.get(field.kind)
    if scalar is not None:
        return _tag(field, scalar.wire) + scalar.encode(value)
    if field.kind in messages:
        return _tag(field, _LENGTH) + _sized(encode(messages, field.kind, value))
    return _tag(field, _VARINT) + _varint(value)  # an enumeration


def _tag(field: Field, wire: int) -> bytes:
    return _varint(field.number << 3 | wire)


# --- one field back -----------------------------------------------------------------------------


def length_delimited(content: bytes, number: int) -> bytes | None:
    """The bytes of the last field of this number, as the format has it; None without one.

    Raises ValueError for what is no message.
    """
    found, at = None, 0
    while at < len(content):
        tag, at = _read_varint(content, at)
        wire = tag & 7
        if wire == _VARINT:
            _, at = _read_varint(content, at)
            continue
        size = {_FIXED64: 8, _FIXED32: 4}.get(wire)
        if wire == _LENGTH:
            size, at = _read_varint(content, at)
        if size is None or size > len(content) - at:
            raise ValueError("no Protocol Buffers message")
        if tag >> 3 == number and wire == _LENGTH:
            found = content[at : at + size]
        at += size
    return found


def _read_varint(content: bytes, at: int) -> tuple[int, int]:
    value = 0
    for place in range(_MOST_VARINT_BYTES):
        if at + place >= len(content):
            break
        byte = content[at + place]
        value |= (byte & 0x7F) << 7 * place
        if byte < _MORE:
            return value, at + place + 1
    raise ValueError("no Protocol Buffers message")


# --- the description ----------------------------------------------------------------------------

_DESCRIPTION: Messages = {
    "FileDescriptorSet": (Field(1, "file", "FileDescriptorProto", repeated=True),),
    "FileDescriptorProto": (
        Field(1, "name", "string"),
        Field(2, "package", "string"),
        Field(3, "dependency", "string", repeated=True),
        Field(4, "message_type", "DescriptorProto", repeated=True),
        Field(5, "enum_type", "EnumDescriptorProto", repeated=True),
        Field(12, "syntax", "string"),
    ),
    "DescriptorProto": (
        Field(1, "name", "string"),
        Field(2, "field", "FieldDescriptorProto", repeated=True),
        Field(4, "enum_type", "EnumDescriptorProto", repeated=True),
    ),
    "FieldDescriptorProto": (
        Field(1, "name", "string"),
        Field(3, "number", "int32"),
        Field(4, "label", "int32"),
        Field(5, "type", "int32"),
        Field(6, "type_name", "string"),
    ),
    "EnumDescriptorProto": (
        Field(1, "name", "string"),
        Field(2, "value", "EnumValueDescriptorProto", repeated=True),
    ),
    "EnumValueDescriptorProto": (Field(1, "name", "string"), Field(2, "number", "int32")),
}
_OPTIONAL, _REPEATED = 1, 3


def description(messages: Messages, enums: Enums, name: str) -> bytes:
    """A FileDescriptorSet of the message and everything in it, one file for each package.

    An enumeration stands inside the message that its full name begins with.
    """
    wanted = _within(messages, name)
    packages = sorted({_package(each) for each in wanted}, key=lambda it: it == _package(name))
    files = [_file(messages, enums, package, wanted) for package in packages]
    return encode(_DESCRIPTION, "FileDescriptorSet", {"file": files})


def _within(messages: Messages, name: str) -> list[str]:
    """The message and all that it is made of."""
    found = [name]
    for each in found:
        kinds = [field.kind for field in messages[each] if field.kind in messages]
        found += [kind for kind in dict.fromkeys(kinds) if kind not in found]
    return found


def _package(name: str) -> str:
    return name.rpartition(".")[0]


def _file(messages: Messages, enums: Enums, package: str, wanted: list[str]) -> dict[str, Any]:
    own = [name for name in wanted if _package(name) == package]
    kinds = {field.kind for name in own for field in messages[name] if field.kind in messages}
    others = sorted({_package(kind) for kind in kinds} - {package})
    return {
        "name": f"{package.replace('.', '/')}.proto",
        "package": package,
        "dependency": [f"{other.replace('.', '/')}.proto" for other in others],
        "message_type": [_described(messages, enums, name) for name in own],
        "syntax": "proto3",
    }


def _described(messages: Messages, enums: Enums, name: str) -> dict[str, Any]:
    return {
        "name": name.rpartition(".")[2],
        "field": [_field(messages, field) for field in messages[name]],
        "enum_type": [
            {
                "name": enum.rpartition(".")[2],
                "value": [{"name": word, "number": n} for n, word in enumerate(words)],
            }
            for enum, words in enums.items()
            if _package(enum) == name
        ],
    }


def _field(messages: Messages, field: Field) -> dict[str, Any]:
    scalar = _SCALARS.get(field.kind)
    composed = _MESSAGE if field.kind in messages else _ENUM
    return {
        "name": field.name,
        "number": field.number,
        "label": _REPEATED if field.repeated else _OPTIONAL,
        "type": composed if scalar is None else scalar.descriptor,
        "type_name": f".{field.kind}" if scalar is None else None,
    }
