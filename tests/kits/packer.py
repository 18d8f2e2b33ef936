"""Pixels -> bytes as cameras pack them, bit by bit from the standards' drawings; no numpy in it.

Independent of what reads them: PFNC 2.x, "p" (lsb packed), and the "Packed" of GigE Vision 1.x.
"""

from __future__ import annotations

from dataclasses import dataclass

PAD = 0xA5  # a line's padding is never 0, so that it shows


@dataclass(frozen=True)
class Packing:
    """How many bits count, and the way they are laid down."""

    bits: int
    way: str


PACKINGS = {
    "8": Packing(8, "words"),
    "10": Packing(10, "words"),
    "12": Packing(12, "words"),
    "14": Packing(14, "words"),
    "16": Packing(16, "words"),
    "10p": Packing(10, "stream"),
    "12p": Packing(12, "stream"),
    "14p": Packing(14, "stream"),
    "10Packed": Packing(10, "pairs"),
    "12Packed": Packing(12, "pairs"),
}


def packed_image(lines: list[list[int]], packing: str, padding: int = 0) -> bytes:
    """Lines without a gap; with padding each on bytes of its own, so many bytes behind it."""
    how = PACKINGS[packing]
    if padding == 0:
        return packed([value for line in lines for value in line], how)
    return b"".join(packed(line, how) + bytes([PAD]) * padding for line in lines)


def packed(values: list[int], how: Packing) -> bytes:
    """One run of values, its last byte filled up with 0."""
    if how.way == "words":
        size = 1 if how.bits == 8 else 2
        return b"".join(value.to_bytes(size, "little") for value in values)
    return _stream(values, how.bits) if how.way == "stream" else _pairs(values, how.bits)


def _stream(values: list[int], bits: int) -> bytes:
    """Bit n of the run is bit n % 8 of byte n // 8; a value's lowest bit comes first."""
    out = bytearray(-(-bits * len(values) // 8))
    for index, value in enumerate(values):
        for bit in range(bits):
            place = index * bits + bit
            out[place // 8] |= (value >> bit & 1) << place % 8
    return bytes(out)


def _pairs(values: list[int], bits: int) -> bytes:
    """Each pair: high byte of the first, both low parts in one byte, high byte of the second."""
    low_bits = bits - 8
    low = (1 << low_bits) - 1
    out = bytearray()
    for first in range(0, len(values) - 1, 2):
        one, two = values[first], values[first + 1]
        out += bytes([one >> low_bits, (one & low) | (two & low) << 4, two >> low_bits])
    if len(values) % 2:
        out += bytes([values[-1] >> low_bits, values[-1] & low])
    return bytes(out)
