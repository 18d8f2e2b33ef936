"""A GenTL buffer's components, whatever the payload: an image, or image, range and confidence.

Built on the raw buffer. harvesters' own components lose the whole buffer over one unknown format,
keep line padding in the image, and do not know single-part and multi-part alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from voxgate.runtime.cameras.genicam.binding import dict_by_ints
from voxgate.runtime.cameras.genicam.nodes import GENICAM_ERRORS
from voxgate.runtime.nouns import DepthMap, GreyImage
from voxgate.runtime.pixels.coord3d import (
    Coord3dModel,
    Plane,
    confidence_from_bytes,
    depth_mm_from_planes,
    is_confidence_format,
    is_coordinate_format,
    planes_from_bytes,
)
from voxgate.runtime.pixels.pixel_format import (
    READABLE,
    bits_per_pixel,
    grey_from_bytes,
    without_padding,
)

_IMAGE_PAYLOADS = (1, 4)  # GenTL PAYLOADTYPE_INFO_IDS: IMAGE, CHUNK_DATA (an image with chunks)
_MULTI_PART = 10


@dataclass(frozen=True, slots=True)
class Component:
    """One part: its PFNC name, size, and bytes without line padding (a view into the buffer)."""

    pixel_format: str
    width: int
    height: int
    data: npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Components:
    """All parts of one buffer. `grey` and `depth_mm` return memory of their own."""

    parts: tuple[Component, ...]

    def grey(self) -> GreyImage:
        """The first part that is an image, (h, w) uint8; raises ValueError without one."""
        for part in self.parts:
            if part.pixel_format in READABLE:
                return grey_from_bytes(part.pixel_format, part.data, part.width, part.height)
        raise ValueError(f"no image among {self._names()}: enable Intensity, in one of {READABLE}")

    def depth_mm(self, model: Coord3dModel) -> DepthMap | None:
        """z in mm of the 3D parts, NaN where invalid; None without any. Raises ValueError."""
        planes: dict[str, Plane] = {}
        for part in self.parts:
            if is_coordinate_format(part.pixel_format):
                planes |= planes_from_bytes(part.pixel_format, part.data, part.width, part.height)
        if not planes:
            return None
        return depth_mm_from_planes(planes, model, self._confidence())

    def _confidence(self) -> Plane | None:
        for part in self.parts:
            if is_confidence_format(part.pixel_format):
                return confidence_from_bytes(part.pixel_format, part.data, part.width, part.height)
        return None

    def _names(self) -> list[str]:
        return [part.pixel_format for part in self.parts]


def components_from_buffer(buffer: Any) -> Components:
    """The parts of a genicam.gentl.Buffer, as views that are valid until it is queued again.

    Raises ValueError for a payload without images or a buffer not filled up to its last line.
    """
    data = np.frombuffer(buffer.raw_buffer, dtype=np.uint8)[: int(buffer.size_filled)]
    payload = int(buffer.payload_type)
    if payload == _MULTI_PART:
        return Components(tuple(_part(data, part) for part in buffer.parts))
    if payload not in _IMAGE_PAYLOADS:
        raise ValueError(f"GenTL payload type {payload} carries no image that can be read")
    offset, padding = _optional(buffer, "image_offset"), _optional(buffer, "padding_x")
    width, height = int(buffer.width), int(buffer.height)
    return Components(
        (_component(int(buffer.pixel_format), data[offset:], width, height, padding),)
    )


def device_ticks(buffer: Any, timestamp_hz: int) -> int:
    """The buffer's stamp in ns; 0 when the producer gives none. It is never a time, then."""
    stamp_ns = _optional(buffer, "timestamp_ns")
    if stamp_ns:
        return stamp_ns
    return _optional(buffer, "timestamp") * 1_000_000_000 // timestamp_hz


def _part(data: npt.NDArray[np.uint8], part: Any) -> Component:
    width, height = int(part.width), int(part.height)
    padding = _optional(part, "x_padding")
    return _component(int(part.data_format), data[int(part.data_offset) :], width, height, padding)


def _component(
    pfnc_value: int, data: npt.NDArray[np.uint8], width: int, height: int, padding: int
) -> Component:
    name = dict_by_ints.get(pfnc_value, f"0x{pfnc_value:08X}")
    line_bytes = -(-width * bits_per_pixel(pfnc_value) // 8)
    return Component(name, width, height, without_padding(data, line_bytes, padding, height))


def _optional(source: Any, name: str) -> int:
    """A number that a producer need not give; 0 where it does not."""
    try:
        return int(getattr(source, name))
    except GENICAM_ERRORS:
        return 0
