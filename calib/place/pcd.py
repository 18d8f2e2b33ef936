"""PCD files of the Point Cloud Library: ascii, binary and binary_compressed."""

from __future__ import annotations

import struct

import numpy as np

from voxgate.calib.numerics.least_squares import Array
from voxgate.calib.place.points import Cloud, brightness, from_columns, number

KINDS = {"F": "f", "I": "i", "U": "u"}
PACKED = ("rgb", "rgba")
MAX_COMPRESSED = 1 << 30
Field = tuple[str, str, int]  # name, type, how many values


def pcd_cloud(content: bytes) -> Cloud:
    """Points and grey. Raises ValueError."""
    head, data, form = _split(content)
    fields = _fields(head)
    points = head.get("POINTS") or [str(int(head["WIDTH"][0]) * int(head["HEIGHT"][0]))]
    count = int(points[0])
    if count < 0:
        raise ValueError(f"has {count} points")
    if form == "ascii":
        columns = _ascii(fields, data.decode("latin-1"), count)
    elif form == "binary":
        columns = _rows(fields, data, count)
    elif form == "binary_compressed":
        columns = _compressed(fields, data, count)
    else:
        raise ValueError(f"data are {form}: ascii, binary or binary_compressed is read")
    return from_columns(columns)


def _split(content: bytes) -> tuple[dict[str, list[str]], bytes, str]:
    head: dict[str, list[str]] = {}
    at = 0
    while (end := content.find(b"\n", at)) >= 0 and end < 1 << 16:
        words = content[at:end].decode("latin-1").split()
        at = end + 1
        if not words or words[0].startswith("#"):
            continue
        head[words[0].upper()] = words[1:]
        if words[0].upper() == "DATA" and words[1:]:
            missing = {"FIELDS", "SIZE", "TYPE", "WIDTH", "HEIGHT"} - set(head)
            if missing:
                raise ValueError(f"its header has no {', '.join(sorted(missing))}")
            return head, content[at:], words[1].lower()
    raise ValueError("has no line DATA, as a PCD file does")


def _fields(head: dict[str, list[str]]) -> list[Field]:
    names = [name.lower() for name in head["FIELDS"]]
    counts = head.get("COUNT") or ["1"] * len(names)
    if not len(names) == len(head["SIZE"]) == len(head["TYPE"]) == len(counts):
        raise ValueError("FIELDS, SIZE, TYPE and COUNT differ in length")
    if not set(head["TYPE"]) <= set(KINDS):
        raise ValueError(f"types are F, I or U, got {' '.join(head['TYPE'])}")
    # a name may stand twice for padding (_): only the position tells those apart
    return [
        (name if name != "_" else f"_{number}", f"<{KINDS[kind]}{int(size)}", int(count))
        for number, (name, size, kind, count) in enumerate(
            zip(names, head["SIZE"], head["TYPE"], counts, strict=True)
        )
    ]


def _ascii(fields: list[Field], text: str, count: int) -> dict[str, Array]:
    width = sum(each[2] for each in fields)
    words = text.split()[: width * count]
    if len(words) < width * count:
        raise ValueError("ends before its last point")
    rows = np.array([number(word) for word in words]).reshape(count, width)
    columns: dict[str, Array] = {}
    at = 0
    for name, kind, many in fields:
        values = rows[:, at]
        packed = values.astype(np.float32) if kind.startswith("<f") else values.astype(np.uint32)
        columns |= _column(name, packed if name in PACKED else values)
        at += many
    return columns


def _rows(fields: list[Field], data: bytes, count: int) -> dict[str, Array]:
    kind = np.dtype([(name, of, (many,)) for name, of, many in fields])
    if kind.itemsize * count > len(data):
        raise ValueError("ends before its last point")
    rows = np.frombuffer(data, kind, count)
    return _joined(fields, {name: rows[name][:, 0] for name, _, _ in fields})


def _compressed(fields: list[Field], data: bytes, count: int) -> dict[str, Array]:
    """The fields one after the other, all points of each, packed by LZF."""
    packed, size = struct.unpack("<II", data[:8]) if len(data) >= 8 else (0, 0)
    if size > MAX_COMPRESSED or packed > len(data) - 8:
        raise ValueError("ends before its last point")
    plain = lzf(data[8 : 8 + packed], size)
    at = 0
    columns = {}
    for name, of, many in fields:
        whole = np.frombuffer(plain, np.dtype(of), count * many, at).reshape(count, many)
        columns[name] = whole[:, 0]
        at += whole.nbytes
    return _joined(fields, columns)


def lzf(packed: bytes, size: int) -> bytes:
    """What LibLZF packed: runs of literal bytes, and copies from what came before."""
    found = bytearray()
    at = 0
    while at < len(packed):
        control = packed[at]
        at += 1
        if control < 32:
            found += packed[at : at + control + 1]
            at += control + 1
            continue
        length = control >> 5
        if length == 7:
            length += packed[at]
            at += 1
        start = len(found) - ((control & 31) << 8) - packed[at] - 1
        at += 1
        if start < 0:
            raise ValueError("its packed data are damaged")
        _copy(found, start, length + 2)
    if len(found) != size:
        raise ValueError(f"its packed data have {len(found)} bytes, {size} are announced")
    return bytes(found)


def _copy(found: bytearray, start: int, length: int) -> None:
    """The copy may run into what it writes itself: then it repeats."""
    while length > 0:
        piece = found[start : start + length]
        found += piece
        start += len(piece)
        length -= len(piece)


def _joined(
    fields: list[Field], columns: dict[str, np.typing.NDArray[np.generic]]
) -> dict[str, Array]:
    found: dict[str, Array] = {}
    for name, _, _ in fields:
        found |= _column(name, columns[name])
    return found


def _column(name: str, values: np.typing.NDArray[np.generic]) -> dict[str, Array]:
    """Itself, or the brightness of colours that are packed into one number."""
    if name not in PACKED:
        return {name: values.astype(np.float64)}
    bits = np.ascontiguousarray(values).view(np.uint32) if values.itemsize == 4 else values
    whole = bits.astype(np.int64)
    colours = np.stack([(whole >> shift) & 255 for shift in (16, 8, 0)], axis=1)
    return {"intensity": brightness(colours.astype(np.float64))}
