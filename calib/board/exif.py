"""The orientation that a picture's EXIF asks for: a viewer turns it, a sensor does not."""

from __future__ import annotations

import struct

ORIENTATION = 274
UPRIGHT = 1
SEARCHED = 1 << 17  # a JPEG's EXIF stands in its first segments
MAX_ENTRIES = 512
FORMATS = {"<": b"II*\0", ">": b"MM\0*"}
SHORT, LONG = 3, 4


def orientation(content: bytes) -> int:
    """1 for a picture that is stored as it is to be shown, else what EXIF says, 2 to 8."""
    start = _tiff_start(content)
    if start < 0:
        return UPRIGHT
    try:
        return _entry(content, start)
    except struct.error:
        return UPRIGHT


def _tiff_start(content: bytes) -> int:
    """Where the table begins: in a TIFF itself, in JPEG's Exif segment, in PNG's eXIf chunk."""
    if content[:4] in FORMATS.values():
        return 0
    for mark in (b"Exif\0\0", b"eXIf"):
        at = content.find(mark, 0, SEARCHED)
        if at >= 0 and content[at + len(mark) : at + len(mark) + 4] in FORMATS.values():
            return at + len(mark)
    return -1


def _entry(content: bytes, start: int) -> int:
    order = next(order for order, mark in FORMATS.items() if content[start : start + 4] == mark)
    (table,) = struct.unpack_from(f"{order}I", content, start + 4)
    (count,) = struct.unpack_from(f"{order}H", content, start + table)
    for number in range(min(count, MAX_ENTRIES)):
        at = start + table + 2 + 12 * number
        tag, kind = struct.unpack_from(f"{order}HH", content, at)
        if tag == ORIENTATION and kind in (SHORT, LONG):
            (value,) = struct.unpack_from(
                f"{order}{'H' if kind == SHORT else 'I'}", content, at + 8
            )
            return int(value) or UPRIGHT
    return UPRIGHT
