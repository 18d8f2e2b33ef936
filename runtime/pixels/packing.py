"""Lines of a buffer -> values: whole bytes, PFNC "p", GigE Vision "Packed"; padding in between.

Without padding the lines follow each other without a gap, inside a byte too. With padding each line
begins on a byte of its own, so a line that ends within a byte fills it up (GenTL 1.6, XPADDING).
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Bytes = npt.NDArray[np.uint8]
Values = npt.NDArray[Any]

_SUFFIX = re.compile(r"(\d+)(f|p|Packed)?")
_PACKED_BITS = 12  # of memory per value, of 10 significant bits too (GigE Vision 1.x)


@dataclass(frozen=True, slots=True)
class Packing:
    """How one value lies in memory: `bits` of it count, it takes `step_bits`."""

    bits: int
    step_bits: int
    kind: str  # "f", "p", "Packed", or "" for whole bytes

    def line_bytes(self, count: int) -> int:
        """Bytes that so many values take, the last one filled up."""
        return -(-count * self.step_bits // 8)


def packing_of(suffix: str) -> Packing:
    """Of what ends a PFNC name, such as 8, 12, 12p, 12Packed or 32f.

    Raises ValueError for another.
    """
    match = _SUFFIX.fullmatch(suffix)
    if match is None:
        raise ValueError(f"{suffix} is no packing of PFNC")
    bits, kind = int(match.group(1)), match.group(2) or ""
    if kind == "p":
        return Packing(bits, bits, kind)
    if kind == "Packed":
        return Packing(bits, _PACKED_BITS, kind)
    return Packing(bits, -(-bits // 8) * 8, kind)


def lines_of_values(
    pixel_format: str, packing: Packing, data: Bytes, count: int, height: int, padding: int = 0
) -> Values:
    """(height, count) values: float32, uint8 up to 8 bits, else uint16; maybe a view of `data`.

    data: uint8 (n,), bytes behind the last line are ignored. count: values in a line.
    padding: bytes after each line. Raises ValueError for too few bytes.
    """
    if padding == 0:
        lines = _line_bytes(pixel_format, data, packing.line_bytes(count * height), 0, 1)
        return _values(packing, lines, count * height).reshape(height, count)
    lines = _line_bytes(pixel_format, data, packing.line_bytes(count), padding, height)
    return _values(packing, lines, count)


def check_size(what: str, data: Bytes, needed: int) -> None:
    """Raises ValueError when `data` has fewer than `needed` bytes."""
    if data.size < needed:
        raise ValueError(f"a {what} part needs {needed} bytes, got {data.size}")


def _line_bytes(
    pixel_format: str, data: Bytes, line_bytes: int, padding: int, height: int
) -> Bytes:
    pitch = line_bytes + padding
    check_size(f"padded {pixel_format}" if padding else pixel_format, data, pitch * height)
    return data[: pitch * height].reshape(height, pitch)[:, :line_bytes]


def _values(packing: Packing, lines: Bytes, count: int) -> Values:
    if packing.kind == "p":
        return _from_p(packing.bits, lines, count)
    if packing.kind == "Packed":
        return _from_packed(packing.bits, lines, count)
    kind: np.dtype[Any] = np.dtype("<f4" if packing.kind == "f" else f"<u{packing.step_bits // 8}")
    values: Values = np.ascontiguousarray(lines).view(kind)
    return values


def _from_p(bits: int, lines: Bytes, count: int) -> Values:
    """Values follow each other bit by bit, the least significant first (PFNC 2.x, "p")."""
    group = 8 // math.gcd(bits, 8)  # values until a byte begins with a value again
    groups = _groups(lines, -(-count // group), group * bits // 8)
    values = np.empty((*groups.shape[:2], group), np.uint16)
    for i in range(group):
        first, shift = divmod(i * bits, 8)
        value = groups[..., first].astype(np.uint16) >> shift
        for more in range(1, -(-(shift + bits) // 8)):
            value |= groups[..., first + more].astype(np.uint16) << (8 * more - shift)
        values[..., i] = value & ((1 << bits) - 1)
    unpacked = values.reshape(len(lines), -1)[:, :count]
    return unpacked if bits > 8 else unpacked.astype(np.uint8)


def _from_packed(bits: int, lines: Bytes, count: int) -> Values:
    """Two values in three bytes: the high 8 bits of each outside, the low ones between."""
    groups = _groups(lines, -(-count // 2), 3)
    low, mask = bits - 8, (1 << (bits - 8)) - 1
    between = groups[..., 1]
    values = np.empty((*groups.shape[:2], 2), np.uint16)
    values[..., 0] = groups[..., 0].astype(np.uint16) << low | between & mask
    values[..., 1] = groups[..., 2].astype(np.uint16) << low | between >> 4 & mask
    return values.reshape(len(lines), -1)[:, :count]


def _groups(lines: Bytes, groups: int, group_bytes: int) -> Bytes:
    """(lines, groups, group_bytes), the last group filled up with 0."""
    whole = groups * group_bytes
    if lines.shape[1] < whole:
        lines = np.pad(lines, ((0, 0), (0, whole - lines.shape[1])))
    return lines[:, :whole].reshape(len(lines), groups, group_bytes)
