"""Image bytes from a file or a message -> picture or depth map, or one line that says why not.

A decoder fills the rest of a truncated JPEG with grey and says nothing. So the container is read
first: every chunk of a PNG with its checksum, every segment of a JPEG up to its end marker, size
and pixel format before a pixel is allocated.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from voxgate.runtime.nouns import DepthMap, Picture

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
PNG_GREY, PNG_TRUECOLOUR, PNG_PALETTE = 0, 2, 3
PICTURE_AS = (
    *(cv2.IMWRITE_PNG_COMPRESSION, 1),
    *(cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE),
)
"""By Huffman's code and runs: in what is noise no words come again, and looking for them took a
picture a sixth more room, and as long."""
DEPTH_AS = (
    *(cv2.IMWRITE_PNG_COMPRESSION, 4),
    *(cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_DEFAULT),
    *(cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_UP),
)
"""By what is above: a surface's steps from row to row are words that come again, a tenth less room
than runs, and as long."""
MAX_COUNTS = 65_535  # of a 16-bit depth picture
JPEG_START = b"\xff\xd8"
JPEG_END = b"\xff\xd9"
JPEG_SCAN = 0xDA
# SOF0 to SOF15 hold the size; C4, C8 and CC in that range are other segments
JPEG_SIZES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


@dataclass(frozen=True, slots=True)
class Header:
    """What the container says before a pixel is decoded."""

    kind: str
    width_px: int
    height_px: int
    bits: int
    channels: int
    palette: bool = False

    @property
    def words(self) -> str:
        """Its channels, for people."""
        return "a palette" if self.palette else f"{self.channels} channels"


def encode_png(pixels: Picture | npt.NDArray[np.uint16]) -> bytes:
    """Without loss. Raises ValueError for pixels that a PNG cannot hold."""
    stored = pixels if pixels.ndim == 2 else cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)
    done, content = cv2.imencode(
        ".png", stored, DEPTH_AS if stored.dtype == np.uint16 else PICTURE_AS
    )
    if not done:
        raise ValueError(f"{pixels.shape} {pixels.dtype} cannot be stored as PNG")
    return content.tobytes()


def decode_picture(content: bytes, width_px: int, height_px: int) -> Picture:
    """A JPEG or PNG of exactly this size, 8-bit grey or RGB, as it is stored.

    Raises ValueError (one line) for anything else: other depths, transparency, palettes.
    """
    header = _header(content)
    channels = 3 if header.channels == 3 else 1
    _expect(header, width_px, height_px, 8, channels)
    image = _decoded(content)
    shape = (height_px, width_px) if channels == 1 else (height_px, width_px, 3)
    if image.dtype != np.uint8 or image.shape != shape:
        raise ValueError(f"decoded to {image.shape} {image.dtype}, not to its header's format")
    if channels == 3:
        return np.asarray(cv2.cvtColor(np.asarray(image, np.uint8), cv2.COLOR_BGR2RGB), np.uint8)
    return image.astype(np.uint8, copy=False)


def is_colour(content: bytes) -> bool:
    """Whether a JPEG or PNG is in colour. Raises ValueError (one line) for what is neither."""
    return _header(content).channels == 3


def decode_depth(content: bytes, width_px: int, height_px: int, depth_unit_mm: float) -> DepthMap:
    """A 16-bit grey PNG of exactly this size in counts of `depth_unit_mm`; 0 becomes NaN.

    Returns (height, width) float32 mm. Raises ValueError (one line) for anything else.
    """
    counts = decode_counts(content, width_px, height_px)
    depth_mm: DepthMap = np.multiply(counts, np.float32(depth_unit_mm), dtype=np.float32)
    depth_mm[counts == 0] = np.nan
    return depth_mm


def decode_counts(content: bytes, width_px: int, height_px: int) -> npt.NDArray[np.uint16]:
    """A 16-bit grey PNG of exactly this size, as stored. Raises ValueError (one line) otherwise."""
    header = _header(content)
    if header.kind != "PNG":
        raise ValueError(f"depth must be a 16-bit PNG, got a {header.kind}")
    _expect(header, width_px, height_px, 16, 1)
    counts = _decoded(content)
    if counts.dtype != np.uint16 or counts.shape != (height_px, width_px):
        raise ValueError(f"decoded to {counts.shape} {counts.dtype}, not to its header's format")
    return counts.astype(np.uint16, copy=False)


def _header(content: bytes) -> Header:
    if not content:
        raise ValueError("empty file")
    if content.startswith(PNG_SIGNATURE):
        return _png_header(content)
    if content.startswith(JPEG_START):
        return _jpeg_header(content)
    raise ValueError(f"neither JPEG nor PNG, starts with {content[:4].hex(' ')}")


def _expect(header: Header, width_px: int, height_px: int, bits: int, channels: int) -> None:
    if (header.width_px, header.height_px) != (width_px, height_px):
        raise ValueError(
            f"size is {header.width_px} x {header.height_px} px, "
            f"the calibration is for {width_px} x {height_px}"
        )
    if (header.bits, header.channels) != (bits, channels):
        wanted = "8-bit grey or RGB" if bits == 8 else f"{bits}-bit grey"
        raise ValueError(f"must be {wanted}, got {header.bits} bits and {header.words}")


def _decoded(content: bytes) -> npt.NDArray[np.generic]:
    try:
        image = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error as error:
        raise ValueError(f"cannot be decoded ({error.err})") from error
    if image is None:
        raise ValueError("cannot be decoded: the file is damaged")
    return image


# --- PNG: ISO/IEC 15948, clause 5 ---------------------------------------------------------------


def _png_header(content: bytes) -> Header:
    chunks = _png_chunks(content)
    kind, data = next(chunks, (b"", b""))
    if kind != b"IHDR" or len(data) != 13:
        raise ValueError("damaged PNG: does not begin with its header")
    if not any(kind == b"IEND" for kind, _ in chunks):
        raise ValueError("truncated PNG: the end is missing")
    width_px, height_px, bits, colour = struct.unpack(">IIBB", data[:10])
    channels = {PNG_GREY: 1, PNG_TRUECOLOUR: 3, PNG_PALETTE: 0, 4: 2, 6: 4}.get(colour, 0)
    return Header("PNG", width_px, height_px, bits, channels, colour == PNG_PALETTE)


def _png_chunks(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Type and data of each chunk up to the end of the picture; checksums are verified."""
    at = len(PNG_SIGNATURE)
    while at < len(content):
        if at + 12 > len(content):
            raise ValueError("truncated PNG: ends within a chunk")
        (length,) = struct.unpack_from(">I", content, at)
        end = at + 12 + length
        if end > len(content):
            raise ValueError(f"truncated PNG: {end - len(content)} bytes are missing")
        if zlib.crc32(content[at + 4 : end - 4]) != struct.unpack_from(">I", content, end - 4)[0]:
            raise ValueError("damaged PNG: wrong checksum")
        yield content[at + 4 : at + 8], content[at + 8 : end - 4]
        at = end


# --- JPEG: ITU-T T.81, annex B ------------------------------------------------------------------


def _jpeg_header(content: bytes) -> Header:
    header: Header | None = None
    for marker, at, length in _jpeg_segments(content):
        if marker in JPEG_SIZES and length >= 6:
            bits, height_px, width_px, channels = struct.unpack_from(">BHHB", content, at)
            header = Header("JPEG", width_px, height_px, bits, channels)
        if marker == JPEG_SCAN:
            break
    else:
        raise ValueError("truncated JPEG: it ends before the picture begins")
    if header is None:
        raise ValueError("damaged JPEG: no size before the picture")
    if not content.endswith(JPEG_END):
        raise ValueError("truncated JPEG: the end marker is missing")
    return header


def _jpeg_segments(content: bytes) -> Iterator[tuple[int, int, int]]:
    """Marker, start of data and length of data of each segment, up to the picture's first scan."""
    at = len(JPEG_START)
    while at + 4 <= len(content):
        prefix, marker, length = struct.unpack_from(">BBH", content, at)
        if prefix != 0xFF or length < 2:
            raise ValueError("damaged JPEG: no marker where one must stand")
        if at + 2 + length > len(content):
            return
        yield marker, at + 4, length - 2
        at += 2 + length
