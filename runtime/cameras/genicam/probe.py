"""What a GenTL producer offers: its cameras, their features, one picture. For people only."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from voxgate.runtime.cameras.frame_gate import SourceFault
from voxgate.runtime.cameras.genicam.binding import Harvester, ParameterKey, ParameterSet, genapi
from voxgate.runtime.cameras.genicam.buffer import announced_from_nodes
from voxgate.runtime.cameras.genicam.device import HARVESTERS_LOG, create_acquirer, release_acquirer
from voxgate.runtime.cameras.genicam.find import choose, listed_cameras
from voxgate.runtime.cameras.genicam.nodes import GENICAM_ERRORS, read_node, read_number
from voxgate.runtime.cameras.genicam.producer import check_producer, forget_cache_variables
from voxgate.runtime.cameras.genicam.source import GenicamSource
from voxgate.runtime.cameras.settings import CameraSettings, GenicamSettings
from voxgate.runtime.common.text import one_line
from voxgate.runtime.errors import CameraError
from voxgate.runtime.nouns import Frame

ACCESS = {0: "NI", 1: "NA", 2: "WO", 3: "RO", 4: "RW"}
STATUS = {1: "free", 2: "read only", 4: "in use", 5: "in use here", 6: "open for reading"}
POLL_S = 0.001
SHUTTER_MODE = "SensorShutterMode"  # SFNC: Global, Rolling or GlobalReset


@dataclass(frozen=True, slots=True)
class FoundCamera:
    """One row of a producer's device list."""

    serial_number: str
    vendor: str
    model: str
    user_defined_name: str
    tl_type: str
    status: str
    interface: str


@dataclass(frozen=True, slots=True)
class FeatureRow:
    """One feature as the camera has it now. allowed: range, step, unit or words."""

    category: str
    name: str
    access: str
    value: str
    allowed: str


def remarks(rows: Sequence[FeatureRow]) -> list[str]:
    """What a person should know before using the camera, in words."""
    modes = [row.value for row in rows if row.name == SHUTTER_MODE]
    return [
        f"{SHUTTER_MODE} is {mode}: its rows are exposed one after another, so a picture that is "
        "taken while anything moves is bent: stand still for each, also for calibration, or set "
        "Global where it can"
        for mode in modes
        if mode not in ("", "Global")
    ]


def list_cameras(cti: str) -> list[FoundCamera]:
    """Every camera the producer sees. Raises CameraError when it is none."""
    with _harvester(cti) as harvester:
        return [
            FoundCamera(
                serial_number=row.serial_number,
                vendor=row.vendor,
                model=row.model,
                user_defined_name=row.user_defined_name,
                tl_type=row.tl_type,
                status=STATUS.get(row.access, "unknown"),
                interface=row.interfaces[0],
            )
            for row in listed_cameras(harvester)
        ]


def probe_camera(cti: str, serial_number: str, interface: str | None = None) -> list[FeatureRow]:
    """Every feature of the camera, category by category. Raises CameraError."""
    with _opened(cti, serial_number, interface) as node_map:
        return list(_category(node_map, "Root", set()))


def snapshot_settings(cti: str, serial_number: str, interface: str | None = None) -> CameraSettings:
    """Settings that take what the camera delivers as it stands. Raises CameraError."""
    with _opened(cti, serial_number, interface) as node_map:
        announced = announced_from_nodes(node_map)
        exposure_us = read_number(node_map, "ExposureTime") or 0.0
    width_px, height_px = announced.width_px, announced.height_px
    if width_px is None or height_px is None:
        raise CameraError(f"{serial_number}: tells no Width and Height")
    source = GenicamSettings(
        cti,
        serial_number,
        timestamp="arrival",
        exposure_us=exposure_us,
        max_pause_ms=10_000,
        interface=interface,
    )
    return CameraSettings("snapshot", source, int(width_px), int(height_px), depth=True)


def snapshot(settings: CameraSettings, timeout_s: float) -> Frame:
    """The first frame of a camera set as its settings say; triggered when that is by software.

    Raises CameraError when none comes in time, with the last fault if there was one.
    """
    assert isinstance(settings.source, GenicamSettings)
    # what the line must be strict about is no reason against a picture
    source = GenicamSource(settings, replace(settings.source, max_pause_ms=10_000))
    try:
        source.open()
        return _first_frame(source, timeout_s)
    finally:
        source.close()


def _first_frame(source: GenicamSource, timeout_s: float) -> Frame:
    deadline = time.monotonic() + timeout_s
    last, triggered = "nothing came", source.trigger()
    while time.monotonic() < deadline:
        item = source.take()
        if isinstance(item, Frame):
            return item
        if isinstance(item, SourceFault):
            last = item.detail
            triggered = source.trigger()
        time.sleep(POLL_S)
    hint = "" if triggered else ": does it wait for a trigger that does not come?"
    raise CameraError(f"no picture within {timeout_s:g} s ({last}){hint}")


@contextmanager
def _harvester(cti: str) -> Iterator[Any]:
    path = str(Path(cti).resolve())
    check_producer(path)
    forget_cache_variables()
    harvester = Harvester(config=ParameterSet({ParameterKey.LOGGER: HARVESTERS_LOG}))
    try:
        harvester.add_file(path, check_existence=True)
        harvester.update()
        yield harvester
    except GENICAM_ERRORS as e:
        raise CameraError(f"{path}: {one_line(e)}") from e
    finally:
        harvester.reset()


@contextmanager
def _opened(cti: str, serial_number: str, interface: str | None) -> Iterator[Any]:
    with _harvester(cti) as harvester:
        try:
            found = choose(listed_cameras(harvester), serial_number, interface)
        except CameraError as error:
            raise CameraError(f"{Path(cti).name} {error}") from None
        acquirer = create_acquirer(harvester, found.place, {})
        try:
            yield acquirer.remote_device.node_map
        finally:
            release_acquirer(harvester, acquirer)


def _category(node_map: Any, name: str, seen: set[str]) -> Iterator[FeatureRow]:
    """The features of a category and of those below it, each once."""
    try:
        members = [feature.node.name for feature in getattr(node_map, name).features]
    except (*GENICAM_ERRORS, AttributeError):
        return
    for member in members:
        if member in seen:
            continue
        seen.add(member)
        node = getattr(node_map, member)
        if isinstance(node, genapi.ICategory):
            yield from _category(node_map, member, seen)
        else:
            yield _row(node_map, name, member, node)


def _row(node_map: Any, category: str, name: str, node: Any) -> FeatureRow:
    try:
        access = ACCESS.get(int(node.get_access_mode()), "?")
    except GENICAM_ERRORS:
        access = "?"
    value = read_node(node_map, name) if not isinstance(node, genapi.ICommand) else None
    allowed = _allowed(node) if access in ("RW", "WO") else ""
    return FeatureRow(category, name, access, "" if value is None else str(value), allowed)


def _allowed(node: Any) -> str:
    try:
        if isinstance(node, genapi.IEnumeration):
            return " | ".join(str(word) for word in node.symbolics)
        if isinstance(node, genapi.ICommand):
            return "command"
        if isinstance(node, genapi.IInteger):
            step = f" step {node.inc}" if node.inc != 1 else ""
            return f"{node.min} .. {node.max}{step} {node.unit}".strip()
        if isinstance(node, genapi.IFloat):
            return f"{node.min:g} .. {node.max:g} {node.unit}".strip()
    except (*GENICAM_ERRORS, AttributeError):
        pass  # not available now: nothing can be said about it
    return ""
