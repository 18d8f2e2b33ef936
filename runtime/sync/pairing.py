"""Camera and sensor fire apart: the halves of a view find each other by where they were taken.

Each half has its own proven place, so that the view they make together is true whichever two they
are; what the pairing decides is which halves are missing.
"""

from __future__ import annotations

from dataclasses import replace

from voxgate.runtime.nouns import Device, Note, Reason, View
from voxgate.runtime.sync.rejection import Rejection, name_of
from voxgate.runtime.transforms import Transform, angle_deg, distance_mm, invert

# A flying camera moves some 15 mm until a sensor fires that the same stop of the program triggers;
# viewpoints that are planned are further apart.
APART_MM = 25.0
APART_DEG = 5.0
OTHER = {Device.CAMERA: Device.SENSOR, Device.SENSOR: Device.CAMERA}
MOST_WAITING = 64  # halves of one device: then the other one is lost


class Pairing:
    """Of one camera and the sensor beside it."""

    def __init__(self, camera_from_sensor: Transform) -> None:
        self._sensor_from_camera = invert(camera_from_sensor)
        self._waiting: dict[Device, list[View]] = {device: [] for device in Device}

    def add(self, half: View, device: Device) -> View | Rejection | None:
        """The whole view that this half completes; None: it waits for the other one."""
        other = OTHER[device]
        found = self._nearest(half, device, self._waiting[other])
        if found is not None:
            self._waiting[other].remove(found)
            camera, sensor = (half, found) if device is Device.CAMERA else (found, half)
            return replace(camera, sensed=sensor)
        waiting = self._waiting[device]
        waiting.append(half)
        return _alone(waiting.pop(0), device) if len(waiting) > MOST_WAITING else None

    def take_alone(self) -> list[Rejection]:
        """The halves that the other device has nothing to; none waits any more."""
        alone = [_alone(half, device) for device in Device for half in self._waiting[device]]
        self.clear()
        return alone

    def clear(self) -> None:
        """A new job begins."""
        for waiting in self._waiting.values():
            waiting.clear()

    def _nearest(self, half: View, device: Device, others: list[View]) -> View | None:
        place = self._camera_of(half, device)
        places = [(self._camera_of(view, OTHER[device]), view) for view in others]
        near = [
            (distance_mm(place, there), view)
            for there, view in places
            if angle_deg(place, there) <= APART_DEG
        ]
        off_mm, view = min(near, key=lambda each: each[0], default=(APART_MM + 1.0, None))
        return view if off_mm <= APART_MM else None

    def _camera_of(self, half: View, device: Device) -> Transform:
        """Where the camera was when this device exposed."""
        pose = half.part_from_camera
        return pose if device is Device.CAMERA else pose @ self._sensor_from_camera


def _alone(half: View, device: Device) -> Rejection:
    what = f"no frame of the {OTHER[device].value} was taken where it was"
    note = Note(Reason.MISSING_VIEW, f"{name_of(device, half.frame_id)}: {what}")
    return Rejection(half.frame_id, note, device)
