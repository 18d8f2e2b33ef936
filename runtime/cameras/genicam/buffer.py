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
from voxgate.runtime.cameras.genicam.nodes import (
    GENICAM_ERRORS,
    IMAGE_COMPONENTS,
    read_node,
    read_number,
    select_component,
)
from voxgate.runtime.nouns import DepthMap, Picture
from voxgate.runtime.pixels.coord3d import (
    Coord3dModel,
    Plane,
    confidence_from_bytes,
    depth_mm_from_planes,
    is_confidence_format,
    is_coordinate_format,
    planes_from_bytes,
)
from voxgate.runtime.pixels.depth_grid import Region, depth_on_image
from voxgate.runtime.pixels.pixel_format import (
    IN_WORDS,
    READABLE,
    colours_from_bytes,
    grey_from_bytes,
)

# GenTL PAYLOADTYPE_INFO_IDS: UNKNOWN, IMAGE, CHUNK_DATA (an image with chunks)
_IMAGE_PAYLOADS = (0, 1, 4)
_MULTI_PART = 10


@dataclass(frozen=True, slots=True)
class Announced:
    """What the camera's features say of its image; counts where the producer says nothing."""

    width_px: float | None = None
    height_px: float | None = None
    pixel_format: str | None = None


@dataclass(frozen=True, slots=True)
class Component:
    """One part: its PFNC name, place and bytes with so many of padding in each line (a view)."""

    pixel_format: str
    region: Region
    data: npt.NDArray[np.uint8]
    padding: int = 0

    def layout(self) -> tuple[str, npt.NDArray[np.uint8], int, int, int]:
        """As the readers of `runtime.pixels` take it."""
        region = self.region
        return self.pixel_format, self.data, region.width_px, region.height_px, self.padding


@dataclass(frozen=True, slots=True)
class Components:
    """All parts of one buffer. `picture` and `depth_mm` return memory of their own."""

    parts: tuple[Component, ...]

    def picture(self, colour: bool) -> Picture:
        """The first part that is an image, (h, w) uint8 or in colour (h, w, 3); raises ValueError
        without one."""
        read = colours_from_bytes if colour else grey_from_bytes
        return read(*self._image().layout())

    def depth_mm(self, model: Coord3dModel) -> DepthMap | None:
        """z in mm for each pixel of the image, NaN where invalid; None without a 3D part.

        Raises ValueError.
        """
        measured = self._measured(model)
        if measured is None:
            return None
        depth_mm, region = measured
        return depth_on_image(depth_mm, region, self._image().region)

    def sensed_mm(self, model: Coord3dModel) -> DepthMap:
        """z in mm on the 3D part's own pixels, NaN where invalid. Raises ValueError."""
        measured = self._measured(model)
        if measured is None:
            raise ValueError(f"no 3D part among {self._names()}: enable Range or Disparity")
        return np.array(measured[0], np.float32)  # of its own memory

    def _measured(self, model: Coord3dModel) -> tuple[DepthMap, Region] | None:
        planes: dict[str, Plane] = {}
        region = None
        for part in self.parts:
            if is_coordinate_format(part.pixel_format):
                planes |= planes_from_bytes(*part.layout())
                region = part.region
        if region is None:
            return None
        return depth_mm_from_planes(planes, model, self._confidence()), region

    def _image(self) -> Component:
        for part in self.parts:
            if part.pixel_format in READABLE:
                return part
        raise ValueError(f"no image among {self._names()}: enable Intensity, as {IN_WORDS}")

    def _confidence(self) -> Plane | None:
        for part in self.parts:
            if is_confidence_format(part.pixel_format):
                return confidence_from_bytes(*part.layout())
        return None

    def _names(self) -> list[str]:
        return [part.pixel_format for part in self.parts]


def announced_from_nodes(
    node_map: Any, components: tuple[str, ...] = IMAGE_COMPONENTS
) -> Announced:
    """Size and format of the first of the components, as far as the camera tells them."""
    select_component(node_map, components)
    pixel_format = read_node(node_map, "PixelFormat")
    return Announced(
        read_number(node_map, "Width"),
        read_number(node_map, "Height"),
        str(pixel_format) if pixel_format is not None else None,
    )


def components_from_buffer(buffer: Any, announced: Announced | None = None) -> Components:
    """The parts of a genicam.gentl.Buffer, as views that are valid until it is queued again.

    Raises ValueError for a payload without images or a buffer not filled up to its last line.
    """
    data = np.frombuffer(buffer.raw_buffer, dtype=np.uint8)
    filled = _told(buffer, "size_filled")
    data = data if filled is None else data[:filled]
    payload = _told(buffer, "payload_type")
    if payload == _MULTI_PART or (payload is None and _parts(buffer)):
        return Components(tuple(_part(data, part) for part in buffer.parts))
    if payload not in (None, *_IMAGE_PAYLOADS):
        raise ValueError(f"GenTL payload type {payload} carries no image that can be read")
    return Components((_image(data, buffer, announced or Announced()),))


def frame_id(buffer: Any) -> int | None:
    """The number of the frame; None where the producer does not tell it."""
    return _told(buffer, "frame_id")


def device_ticks(buffer: Any, timestamp_hz: int) -> int:
    """The buffer's stamp in ns; 0 when the producer gives none. It is never a time, then."""
    stamp_ns = _told(buffer, "timestamp_ns")
    if stamp_ns:
        return stamp_ns
    return (_told(buffer, "timestamp") or 0) * 1_000_000_000 // timestamp_hz


def _image(data: npt.NDArray[np.uint8], buffer: Any, announced: Announced) -> Component:
    """A buffer that is one image; what it does not tell, the camera's features do."""
    width_px = _told(buffer, "width") or announced.width_px
    height_px = (
        _told(buffer, "height") or _told(buffer, "delivered_image_height") or announced.height_px
    )
    pfnc_value = _told(buffer, "pixel_format")
    pixel_format = _name(pfnc_value) if pfnc_value else announced.pixel_format
    if width_px is None or height_px is None or pixel_format is None:
        raise ValueError(
            f"neither producer nor camera tells the picture's size and format: width {width_px}, "
            f"height {height_px}, pixel format {pixel_format}"
        )
    at = (_told(buffer, name) or 0 for name in ("offset_x", "offset_y"))
    offset = _told(buffer, "image_offset") or 0
    region = Region(int(width_px), int(height_px), *at)
    return Component(pixel_format, region, data[offset:], _told(buffer, "padding_x") or 0)


def _part(data: npt.NDArray[np.uint8], part: Any) -> Component:
    at = (_told(part, name) or 0 for name in ("x_offset", "y_offset"))
    region = Region(int(part.width), int(part.height), *at)
    return Component(
        _name(int(part.data_format)),
        region,
        data[int(part.data_offset) :],
        _told(part, "x_padding") or 0,
    )


def _parts(buffer: Any) -> bool:
    """Whether the producer tells of parts, though not of a payload of parts."""
    try:
        return len(buffer.parts) > 0
    except (*GENICAM_ERRORS, AttributeError):
        return False


def _name(pfnc_value: int) -> str:
    name: str = dict_by_ints.get(pfnc_value, f"0x{pfnc_value:08X}")
    return name


def _told(source: Any, name: str) -> int | None:
    """A number that a producer need not give; None where it does not."""
    try:
        return int(getattr(source, name))
    except (*GENICAM_ERRORS, AttributeError):
        return None
