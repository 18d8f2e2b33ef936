"""Which part of its chip a device reads out: the lens of a calibration is of these pixels."""

from __future__ import annotations

from dataclasses import dataclass

from voxgate.runtime.common.strict_json import Fields
from voxgate.runtime.geometry.pinhole import MAX_SIDE_PX

KEY = "region"
MOST_BINNED = 16


@dataclass(frozen=True, slots=True)
class Region:
    """The first column and line that are read, as the camera's features count them; binning: pixels
    of the chip to one of the picture, in both directions."""

    offset_x_px: int = 0
    offset_y_px: int = 0
    binning: int = 1


def region_of(fields: Fields) -> Region:
    """Of a calibration, or of its `sensor`; left out: all of the chip. Raises ValueError."""
    if not fields.has(KEY):
        return Region()
    told = fields.object_at(KEY)
    unknown = sorted(set(told.values) - {"offset_x", "offset_y", "binning"})
    if unknown:
        raise ValueError(f"{told.inside}{unknown[0]}: {KEY} has offset_x, offset_y and binning")
    return Region(
        told.integer("offset_x", 0, MAX_SIDE_PX) if told.has("offset_x") else 0,
        told.integer("offset_y", 0, MAX_SIDE_PX) if told.has("offset_y") else 0,
        told.integer("binning", 1, MOST_BINNED) if told.has("binning") else 1,
    )
