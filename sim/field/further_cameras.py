"""The cameras of a cell after the first: each a clock, a count and a stream of its own.

Faults are the first camera's; a further one that took no frame of a scan is one that is dead.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import zmq

from voxgate.runtime.errors import ScanError
from voxgate.runtime.geometry.calibration import Calibration
from voxgate.runtime.nouns import Device
from voxgate.runtime.scans.scan import Scan
from voxgate.sim.field.clocks import DeviceClock
from voxgate.sim.field.events import FrameSend, OfFurther, Trigger
from voxgate.sim.field.genicam_camera import GenicamCamera
from voxgate.sim.field.network_camera import CameraSender, Encoding, Picture, pictures_from_scan
from voxgate.sim.field.schedule import frames_from_exposures
from voxgate.sim.field.timeline import Timeline
from voxgate.sim.field.triggers import triggers_from_exposures
from voxgate.sim.field.wires import Further

NS_PER_S = 1_000_000_000
CLOCK_S, APART_S = 20_000, 1_000  # zeros of their clocks, none another's
DRIFT_PPM = (7.0, -4.0, 12.0, -8.0, 3.0, -11.0, 5.0)


@dataclass(frozen=True, slots=True)
class Shown:
    """What one of them shows of a scan, and when."""

    timeline: Timeline
    pictures: tuple[Picture, ...]

    @classmethod
    def of(cls, scan: Scan, timeline: Timeline, encoding: Encoding) -> Shown:
        """Raises ScanError for what cannot be played."""
        if scan.calibration.sensor is not None:
            raise ScanError(f"{scan.folder}: the virtual cell has a sensor beside the first camera")
        return cls(timeline, pictures_from_scan(scan, encoding))


class FurtherCamera:
    """The number-th after the first."""

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]], wire: Further, number: int) -> None:
        zero_ns, drift = (CLOCK_S + APART_S * number) * NS_PER_S, DRIFT_PPM[number]
        self.name = wire.name
        self._clock = DeviceClock(0, zero_ns, drift)
        self._sender = CameraSender(context, wire.frames, wire.name) if wire.frames else None
        self._genicam: GenicamCamera | None = None
        if wire.serial_number:
            known = Calibration.load(Path(wire.calibration))
            self._genicam = GenicamCamera(wire.serial_number, known, (zero_ns, drift), wire.colour)
        self._count = 0

    def begin(self, shown: Shown, seed: int) -> Iterator[OfFurther]:
        """Its events of a job."""
        random = np.random.default_rng((seed, self._clock.zero_device_ns))
        timeline = shown.timeline
        if self._genicam is not None:
            self._genicam.lay_out(shown.pictures)
            triggers = triggers_from_exposures(timeline.exposures, [], random, Device.CAMERA)
            yield from (OfFurther(each.send_ns, self.name, each) for each in triggers)
            return
        frames = frames_from_exposures(
            timeline.exposures, timeline.readout_ns, random, Device.CAMERA
        )
        yield from (OfFurther(each.send_ns, self.name, each) for each in frames)

    def send(self, event: FrameSend | Trigger, zero_ns: int, shown: Shown) -> None:
        """One of them, at its moment."""
        if isinstance(event, Trigger):
            assert self._genicam is not None
            self._genicam.trigger(event, zero_ns)
            return
        assert self._sender is not None
        stamp_ns = self._clock.device_ns(zero_ns + event.exposure.t_ns)
        picture = shown.pictures[event.exposure.index]
        self._sender.send(picture, self._count + event.number, stamp_ns)

    def rest(self, shown: Shown) -> tuple[int, int]:
        """The job is over: when its last frame arrived, 0 for not known, and how many were lost."""
        self._count += len(shown.pictures)
        return (0, 0) if self._genicam is None else self._genicam.rest()

    @property
    def lost(self) -> int:
        """Frames that the box did not take."""
        return 0 if self._sender is None else self._sender.lost

    def close(self) -> None:
        """Gone for good."""
        for each in (self._sender, self._genicam):
            if each is not None:
                each.close()
