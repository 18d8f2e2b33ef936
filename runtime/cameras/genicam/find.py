"""Which of the cameras that a producer lists is ours: by its serial number, and by its interface.

A list may hold strangers that tell nothing of themselves, and one camera as often as there are
network interfaces that reach it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from voxgate.runtime.cameras.genicam.nodes import GENICAM_ERRORS
from voxgate.runtime.errors import CameraError

_FREE = 1  # GenTL DEVICE_ACCESS_STATUS_READWRITE


@dataclass(frozen=True, slots=True)
class ListedCamera:
    """One row of a producer's device list; what the producer does not tell is empty, or 0.

    place: in the harvester's list. interfaces: id and display name of the interface it is behind.
    access: GenTL DEVICE_ACCESS_STATUS.
    """

    place: int
    serial_number: str
    vendor: str
    model: str
    user_defined_name: str
    tl_type: str
    interfaces: tuple[str, str]
    access: int

    @property
    def device(self) -> tuple[str, str, str]:
        """Equal for two rows of one camera."""
        return self.vendor, self.model, self.serial_number


def listed_cameras(harvester: Any) -> list[ListedCamera]:
    """The rows of an updated Harvester, in its order."""
    return [_row(place, info) for place, info in enumerate(harvester.device_info_list)]


def choose(rows: list[ListedCamera], serial_number: str, interface: str | None) -> ListedCamera:
    """The camera with this serial number, on this interface if one is named.

    One that is reached over several interfaces is taken where it is free. Raises CameraError with
    what was seen, when it is none, or cameras of different kinds.
    """
    ours = [row for row in rows if row.serial_number == serial_number]
    if not ours:
        raise CameraError(
            f"sees the serial numbers {[row.serial_number for row in rows] or 'of no camera'}, not "
            f"one {serial_number}: check cable, power, address and serial_number"
        )
    behind = [row for row in ours if interface is None or interface in row.interfaces]
    if not behind:
        raise CameraError(f"sees it on {_interfaces(ours)}, not on {interface}: correct interface")
    if len({row.device for row in behind}) > 1:
        kinds = [f"{row.vendor} {row.model}" for row in behind]
        raise CameraError(
            f"sees different cameras of this serial number, {kinds} on {_interfaces(behind)}: "
            f"choose with interface"
        )
    return next((row for row in behind if row.access == _FREE), behind[0])


def _interfaces(rows: list[ListedCamera]) -> list[str]:
    return [row.interfaces[0] for row in rows]


def _row(place: int, info: Any) -> ListedCamera:
    return ListedCamera(
        place,
        serial_number=_text(info, "serial_number"),
        vendor=_text(info, "vendor"),
        model=_text(info, "model"),
        user_defined_name=_text(info, "user_defined_name"),
        tl_type=_text(info, "tl_type"),
        interfaces=(_text(info.parent, "id_"), _text(info.parent, "display_name")),
        access=_number(info, "access_status"),
    )


def _text(info: Any, name: str) -> str:
    try:
        return str(getattr(info, name))
    except (*GENICAM_ERRORS, AttributeError):
        return ""  # the standard lets a producer leave it out


def _number(info: Any, name: str) -> int:
    try:
        return int(getattr(info, name))
    except (*GENICAM_ERRORS, AttributeError, ValueError):
        return 0
