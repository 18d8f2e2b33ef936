"""Whether a camera reads out that part of its chip which the calibration is of."""

from __future__ import annotations

from typing import Any

from voxgate.runtime.cameras.genicam.nodes import read_node, read_number
from voxgate.runtime.cameras.settings import CameraSettings, NodeSetting
from voxgate.runtime.errors import CameraError

REDUCED_BY = ("Binning", "Decimation")


def check_region(node_map: Any, settings: CameraSettings, where: str) -> tuple[NodeSetting, ...]:
    """The features that say so, as they must stay. Raises CameraError with the first that differs.

    A picture of the right size from elsewhere on the chip would be one through another lens.
    """
    expected = {"OffsetX": settings.offset_x_px, "OffsetY": settings.offset_y_px}
    for name, value in expected.items():
        held = read_number(node_map, name)
        if held is not None and value is not None and held != value:
            raise CameraError(f"{where}: {name} is {held:g}, the calibration is of {value}: {_SAY}")
    for direction in ("Horizontal", "Vertical"):
        reduced = 1.0
        for word in REDUCED_BY:
            reduced *= read_number(node_map, f"{word}{direction}") or 1.0
        if settings.binning is not None and reduced != settings.binning:
            raise CameraError(
                f"{where}: binning {direction.lower()} is {reduced:g}, the calibration is of "
                f"{settings.binning}: {_SAY}"
            )
    mirrored = bool(read_node(node_map, "ReverseX")) != bool(read_node(node_map, "ReverseY"))
    if mirrored and settings.binning is not None:
        raise CameraError(f"{where}: mirrored: set ReverseX and ReverseY alike")
    return tuple(
        NodeSetting(name, value)
        for name, value in expected.items()
        if value is not None and read_number(node_map, name) is not None
    )


_SAY = "set it under `nodes`, or calibrate like this and say so under `region` of calibration.json"
