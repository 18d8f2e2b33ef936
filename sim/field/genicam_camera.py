"""The cell's GenICam camera: a virtual one that shows recorded views when the robot triggers it."""

from __future__ import annotations

import time
from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from voxgate.runtime.geometry.calibration import Calibration
from voxgate.sim.field.clocks import DeviceClock
from voxgate.sim.field.events import Power, Trigger
from voxgate.sim.field.network_camera import Picture
from voxgate.sim.gentl.link import Fault
from voxgate.sim.gentl.spec import CameraSpec, Clock, Lens, Timing
from voxgate.sim.gentl.virtual_camera import VirtualCamera

SLOTS = 16
AHEAD = SLOTS // 2  # views beyond the slots are filled in so long before they are exposed
OTHER = "-other"  # who answers after a swap
NS_PER_S = 1_000_000_000
SETTLED_S = 0.2  # longest readout and latency of the last frame


def camera_spec(
    serial: str, calibration: Calibration, clock: tuple[int, float], colour: bool = False
) -> CameraSpec:
    """The camera that the calibration describes, with a clock of its own.

    clock: what it reads when the host's monotonic clock reads 0, ns; how much faster it runs, ppm.

    The network is that of sim/field/schedule.py: 0.2 to 2 ms, 10 ms for 0.3 % of the frames.
    """
    now_ns = time.monotonic_ns()
    offset_ns = DeviceClock(0, *clock).device_ns(now_ns) - now_ns
    return CameraSpec(
        serial,
        calibration.width_px,
        calibration.height_px,
        slots=SLOTS,
        intensity="RGB8" if colour else "Mono8",
        range_format="Coord3D_C16" if calibration.sensor is None else None,
        range_scale_mm=calibration.depth_unit_mm,
        lens=Lens(
            float(calibration.camera_matrix[0, 0]),
            float(calibration.camera_matrix[0, 2]),
            float(calibration.camera_matrix[1, 2]),
        ),
        rays=rays(calibration),
        clock=Clock(offset_ns, clock[1]),
        timing=Timing(readout_ns=calibration.readout_ns, late_permille=3, late_ns=8_000_000),
    )


def rays(calibration: Calibration) -> npt.NDArray[np.float32]:
    """(h, w, 2): x/z and y/z of every pixel of the distorted image."""
    size = (calibration.height_px, calibration.width_px)
    rows, columns = np.indices(size, dtype=np.float64)
    pixels = np.stack([columns, rows], axis=2).reshape(-1, 1, 2)
    undistort = (
        cv2.fisheye.undistortPoints if calibration.lens_model == "fisheye" else cv2.undistortPoints
    )
    straight = undistort(pixels, calibration.camera_matrix, calibration.distortion)
    return np.asarray(straight, np.float32).reshape(*size, 2)


class GenicamCamera:
    """Pictures before the lens, Line1 in the robot's hand."""

    def __init__(
        self, serial: str, calibration: Calibration, clock: tuple[int, float], colour: bool = False
    ) -> None:
        self._size = (calibration.height_px, calibration.width_px)
        self._colour = colour
        self._camera = VirtualCamera(camera_spec(serial, calibration, clock, colour))
        self._shown: Sequence[Picture] = ()
        self._gone = False
        self._lost = 0

    def lay_out(self, pictures: Sequence[Picture]) -> None:
        """Have the first views ready; the others follow while the robot moves."""
        if self._shown is not pictures:
            self._shown = pictures
            for index in range(min(SLOTS, len(pictures))):
                self._show(index)
        self._lost = self._camera.counts.lost
        self._camera.truths()

    def trigger(self, event: Trigger, zero_ns: int) -> None:
        """Do what was ordered, and raise the line at the exposure's own moment."""
        for fault, amount in ((Fault.LATE_NS, 0), *event.faults):
            self._camera.commit(fault, amount)
        if event.power is not None:
            self._power(event.power)
        index = event.exposure.index
        if event.fired and not self._gone:
            self._camera.fire(zero_ns + event.t_ns, index % SLOTS)
        if SLOTS <= index + AHEAD < len(self._shown):
            self._show(index + AHEAD)

    def step(self, step_ns: int) -> None:
        """Somebody sets its clock."""
        self._camera.set_clock(step_ns=step_ns)

    def rest(self) -> tuple[int, int]:
        """The job is over: faults end, the cable is in again. When the last frame arrived in the
        host, 0 for never, and how many found no buffer.
        """
        delivered_ns = self._last_delivery_ns()
        self._camera.forgive()
        if self._gone:
            self._camera.plug_in(self._camera.spec.serial)
            self._gone = False
        return delivered_ns, self._camera.counts.lost - self._lost

    def close(self) -> None:
        """Gone for good."""
        self._camera.close()

    def _last_delivery_ns(self) -> int:
        deadline_ns = time.monotonic_ns() + int(SETTLED_S * NS_PER_S)
        last_ns = 0
        while time.monotonic_ns() < deadline_ns and self._camera.exposing:
            time.sleep(0.001)
        for truth in self._camera.truths():
            last_ns = max(last_ns, truth.t_delivered_ns)
        return last_ns

    def _show(self, index: int) -> None:
        picture = self._shown[index]
        image = picture.before_lens(self._size, self._colour)
        if self._camera.spec.range_format is None:
            self._camera.show(index % SLOTS, image)
            return
        counts = picture.depth or bytes(2 * self._size[0] * self._size[1])
        self._camera.show(
            index % SLOTS, image, np.frombuffer(counts, np.uint16).reshape(self._size)
        )

    def _power(self, power: Power) -> None:
        if power is Power.REBOOT:
            self._camera.reboot()
            return
        self._camera.unplug()
        self._gone = True
        if power is Power.SWAP:
            self._camera.plug_in(self._camera.spec.serial + OTHER)
