"""GenICam features: written as declared, read back, and named when the camera holds another."""

from __future__ import annotations

import math
import time
from contextlib import suppress
from typing import Any

from voxgate.runtime.cameras.genicam.binding import genapi, gentl
from voxgate.runtime.cameras.settings import NodeSetting, NodeValue
from voxgate.runtime.common.text import one_line
from voxgate.runtime.errors import CameraError
from voxgate.runtime.pixels.coord3d import Coord3dModel, Coordinate, Stereo

# two trees without a common root: a feature can fail in the model (genapi) or on the way (gentl)
GENICAM_ERRORS = (gentl.GenericException, genapi.GenericException)
DEPTH_COMPONENTS = ("Disparity", "Range")
IMAGE_COMPONENTS = ("Intensity", "IntensityCombined", "Infrared")
_READABLE = (3, 4)  # genapi.EAccessMode RO, RW
_GIGE = ("GigEVision", "GEV")  # as SFNC and GenTL write it
_COMMAND_S = 5.0  # UserSetLoad of a slow camera
_RELATIVE_STEP = 1e-6  # float32 registers behind float64 features


def read_node(node_map: Any, name: str) -> NodeValue | None:
    """The feature's value, or None where it does not exist or cannot be read now."""
    try:
        if not node_map.has_node(name):
            return None
        node = getattr(node_map, name)
        if node.get_access_mode() not in _READABLE:
            return None
        value: NodeValue = node.value
    except (*GENICAM_ERRORS, AttributeError):
        return None
    return value


def read_number(node_map: Any, name: str) -> float | None:
    """The feature as a number, or None where there is none."""
    value = read_node(node_map, name)
    return None if value is None or isinstance(value, str) else float(value)


def symbolics(node_map: Any, name: str) -> tuple[str, ...]:
    """The words an enumeration can be set to now; none where the camera does not have it."""
    try:
        if not node_map.has_node(name):
            return ()
        return tuple(str(word) for word in getattr(node_map, name).symbolics)
    except (*GENICAM_ERRORS, AttributeError):
        return ()


def execute_node(node_map: Any, name: str) -> bool:
    """Execute a command; False where the camera does not have it, or refuses it now."""
    try:
        if not node_map.has_node(name):
            return False
        getattr(node_map, name).execute()
    except (*GENICAM_ERRORS, AttributeError):
        return False
    return True


def has_node(node_map: Any, name: str) -> bool:
    """Whether there is a feature of this name; False where there are no features at all."""
    try:
        return bool(node_map.has_node(name))
    except (*GENICAM_ERRORS, AttributeError):
        return False


def apply_nodes(node_map: Any, settings: tuple[NodeSetting, ...], where: str) -> None:
    """Write each setting in order and read it back.

    Raises CameraError with the feature's name when it is missing, refused or holds another value.
    """
    for setting in settings:
        try:
            held = _apply(node_map, setting)
        except (*GENICAM_ERRORS, AttributeError, TypeError, ValueError) as e:
            raise CameraError(
                f"{where}: cannot set {setting.name} to {setting.value!r}: "
                f"{_why_not(node_map, setting, e)}"
            ) from e
        if held is not None and not _same(held, setting.value):
            raise CameraError(
                f"{where}: {setting.name} was set to {setting.value!r} but the camera holds "
                f"{held!r}; write that value, or a possible one"
            )


def markers_from_nodes(node_map: Any, settings: tuple[NodeSetting, ...]) -> tuple[NodeSetting, ...]:
    """Those settings that can be read back at any time, whatever selectors stand at."""
    last = {setting.name: setting for setting in settings}
    return tuple(setting for setting in last.values() if holds(node_map, setting))


def holds(node_map: Any, setting: NodeSetting) -> bool:
    """Whether the camera still holds what was written."""
    held = read_node(node_map, setting.name)
    return held is not None and _same(held, setting.value)


def coord3d_from_nodes(node_map: Any, where: str) -> Coord3dModel:
    """Scale, offset, invalid value, unit and stereo model as the camera declares them (SFNC 2.7).

    A disparity is in pixels, so there the distance unit says nothing and the baseline's counts.

    Raises CameraError when the unit cannot be turned into mm without help.
    """
    select_component(node_map, DEPTH_COMPONENTS)
    axes = {axis: _axis(node_map, axis) for axis in "ABC"}
    mode = str(read_node(node_map, "Scan3dOutputMode") or "")
    unit = read_node(node_map, "Scan3dDistanceUnit")
    if mode.startswith("Disparity") or (not mode and unit == "Pixel"):
        stereo = _stereo(node_map, where)
        return Coord3dModel(axes["A"], axes["B"], axes["C"], _baseline_mm(node_map), stereo=stereo)
    units_mm = {"Millimeter": 1.0, "Inch": 25.4, "Meter": 1000.0, None: 1.0}
    if unit not in units_mm:
        raise CameraError(f"{where}: Scan3dDistanceUnit is {unit}: give coord3d with unit_mm")
    return Coord3dModel(axes["A"], axes["B"], axes["C"], units_mm[unit])


def select_component(node_map: Any, names: tuple[str, ...]) -> None:
    """Let what depends on a component be of the first of `names` that is delivered.

    Where a camera does not select components, or has none of them, everything stays as it is.
    """
    offered = symbolics(node_map, "ComponentSelector")
    for name in (name for name in names if name in offered):
        try:
            node_map.ComponentSelector.value = name
        except (*GENICAM_ERRORS, AttributeError):
            continue
        if read_node(node_map, "ComponentEnable") is not False:
            return


def frame_id_bits_from_nodes(node_map: Any, tl_type: str) -> int | None:
    """How many bits the transport gives a frame's id; None where it is not known.

    tl_type: what the producer calls the transport. A block id of GigE Vision has 16 bits, 64 in
    the extended id mode of its version 2.
    """
    transport = read_node(node_map, "DeviceTLType") or tl_type
    if not str(transport).startswith(_GIGE):
        return None
    return 64 if read_node(node_map, "GevGVSPExtendedIDMode") in ("On", True) else 16


def _apply(node_map: Any, setting: NodeSetting) -> NodeValue | None:
    node = getattr(node_map, setting.name)
    if isinstance(node, genapi.ICommand):
        node.execute()
        _wait_done(node)
        return None
    node.value = setting.value
    held: NodeValue = node.value
    return held


def _why_not(node_map: Any, setting: NodeSetting, error: Exception) -> str:
    """The libraries' own words are none, or name their source file first."""
    if not has_node(node_map, setting.name):
        return "the device has no such feature"
    words = symbolics(node_map, setting.name)
    if words and setting.value not in words:
        return f"it offers {', '.join(words)}"
    return one_line(error)


def _wait_done(command: Any) -> None:
    deadline = time.monotonic() + _COMMAND_S
    while not command.is_done():
        if time.monotonic() > deadline:
            raise ValueError(f"the command did not end in {_COMMAND_S} s")
        time.sleep(0.01)


def _same(held: NodeValue, wanted: NodeValue) -> bool:
    if isinstance(held, float) and isinstance(wanted, int | float):
        return math.isclose(held, wanted, rel_tol=_RELATIVE_STEP)
    return held == wanted


def _axis(node_map: Any, axis: str) -> Coordinate:
    """One axis; a camera without the selector declares all three at once."""
    try:
        node_map.Scan3dCoordinateSelector.value = f"Coordinate{axis}"
    except (*GENICAM_ERRORS, AttributeError):
        pass  # no selector, or not this axis: what can be read below is what there is
    scale = read_number(node_map, "Scan3dCoordinateScale")
    offset = read_number(node_map, "Scan3dCoordinateOffset")
    flagged = read_node(node_map, "Scan3dInvalidDataFlag")
    invalid = read_number(node_map, "Scan3dInvalidDataValue") if flagged else None
    return Coordinate(1.0 if scale is None else scale, offset or 0.0, invalid)


def _stereo(node_map: Any, where: str) -> Stereo:
    names = ("Scan3dFocalLength", "Scan3dBaseline")
    focal_px, baseline = (read_number(node_map, name) for name in names)
    if focal_px is None or baseline is None:
        raise CameraError(
            f"{where}: delivers disparity without {' and '.join(names)}: give coord3d with "
            f"stereo, and unit_mm: 1000 for a baseline in m"
        )
    return Stereo(focal_px, baseline)


def _baseline_mm(node_map: Any) -> float:
    """The baseline's unit in mm: what the camera writes beside it, else the m of the SFNC."""
    unit = ""
    with suppress(*GENICAM_ERRORS, AttributeError):
        unit = str(node_map.Scan3dBaseline.unit)
    return {"mm": 1.0, "Millimeter": 1.0, "cm": 10.0, "in": 25.4, "Inch": 25.4}.get(unit, 1000.0)
