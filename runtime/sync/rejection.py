"""A frame that did not become a view, by its name and that of its device."""

from __future__ import annotations

from dataclasses import dataclass

from voxgate.runtime.nouns import Device, Note


@dataclass(frozen=True, slots=True)
class Rejection:
    """A frame that did not become a view, and why. camera: of several, which."""

    frame_id: int
    note: Note
    device: Device = Device.CAMERA
    camera: str = ""


def name_of(device: Device, frame_id: int) -> str:
    """A frame as notes name it."""
    return f"frame {frame_id}" if device is Device.CAMERA else f"{device.value} frame {frame_id}"
