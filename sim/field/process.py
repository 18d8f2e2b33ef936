"""What stands in the field, in a process of its own: the arm's controller and the camera.

`python -m voxgate.sim.field JSON` connects to the box, then takes one JSON line per order on stdin:

    {"do": "load", "scan": FOLDER, "speed": 1.0, "encoding": "raw"}
    {"do": "play", "scan": FOLDER, "speed": 1.0, "faults": ["drop:view=3"], "seed": 1}

and answers on stdout: `loaded`; `exposed` when the last exposure is over; `done`. Between jobs the
controller goes on publishing where the arm stands. When stdin closes, the process ends.
"""

from __future__ import annotations

import json
import os
import select
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TextIO

import zmq

from voxgate.runtime.errors import ScanError, VoxGateError
from voxgate.runtime.geometry.calibration import Calibration
from voxgate.runtime.nouns import Device
from voxgate.runtime.scans.open_scan import open_part_scan
from voxgate.runtime.scans.scan import Scan
from voxgate.sim.field.clocks import DeviceClock
from voxgate.sim.field.events import (
    Event,
    Exposed,
    FrameSend,
    OfFurther,
    PoseSend,
    Schedule,
    StepSend,
    Trigger,
)
from voxgate.sim.field.faults import Target, fault_from_text
from voxgate.sim.field.further_cameras import FurtherCamera, Shown
from voxgate.sim.field.genicam_camera import GenicamCamera
from voxgate.sim.field.network_camera import (
    CameraSender,
    Encoding,
    Picture,
    pictures_from_scan,
    sensor_pictures_from_scan,
)
from voxgate.sim.field.pose_stream import PoseStream
from voxgate.sim.field.schedule import schedule_from_timeline
from voxgate.sim.field.timeline import Sample, Timeline, timelines_from_cameras
from voxgate.sim.field.wires import Wires, context_for

IDLE_PERIOD_NS = 8_000_000  # 125 Hz, as recorded
LEAD_NS = 20_000_000  # from the order to the first event
LISTENER_MS = 5_000  # a box that is there subscribes within milliseconds
HEARD_POSES = 25  # 0.2 s: a box without a job may look at poses every 0.1 s only
AHEAD = -10  # niceness: neither an arm nor a camera is late because the box has much to do
NS_PER_S = 1_000_000_000
NS_PER_MS = 1_000_000

# Four clocks, four zeros: nothing can work by mistaking one for another. What each reads when the
# host's reads 0: a box that met this robot before meets it again, and no clock was set meanwhile.
ROBOT_CLOCK = (70_000 * NS_PER_S, 11.0)
CAMERA_CLOCK = (3_000 * NS_PER_S, -9.0)
SENSOR_CLOCK = (9_000 * NS_PER_S, 6.0)
HOME = Sample(0, (600.0, 0.0, 800.0), (0.0, 1.0, 0.0, 0.0))


@dataclass(frozen=True, slots=True)
class Loaded:
    """A scan, ready to be played."""

    timeline: Timeline
    pictures: tuple[Picture, ...]
    sensed: tuple[Picture, ...]
    further: dict[str, Shown]

    def of(self, device: Device) -> tuple[Picture, ...]:
        """What this one shows."""
        return self.pictures if device is Device.CAMERA else self.sensed


class Field:
    """Arm, camera, and a sensor where there is one: each a clock and a stream, and one thread that
    keeps every deadline."""

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]], wires: Wires) -> None:
        now_ns = time.monotonic_ns()
        self._poses = PoseStream(context, wires.poses, wires.one_pose_of)
        self._senders = {
            device: CameraSender(context, endpoint, name)
            for device, endpoint, name in (
                (Device.CAMERA, wires.frames, wires.camera),
                (Device.SENSOR, wires.sensor_frames, wires.sensor),
            )
            if endpoint
        }
        self._genicams = _genicam_cameras(wires)
        self._further = {
            wire.name: FurtherCamera(context, wire, number)
            for number, wire in enumerate(wires.further)
        }
        self._camera = wires.camera
        self._has_sensor = bool(wires.sensor)
        self._clocks = {
            Target.ROBOT: DeviceClock(0, *ROBOT_CLOCK),
            Target.CAMERA: DeviceClock(0, *CAMERA_CLOCK),
            Target.SENSOR: DeviceClock(0, *SENSOR_CLOCK),
        }
        self._loaded: dict[str, Loaded] = {}
        self._stands_at = HOME
        self._pose_number = 0
        self._frame_numbers = dict.fromkeys(Device, 0)
        self._idle_ns = now_ns
        self._is_heard = False

    def serve(self, orders: TextIO, answers: TextIO) -> None:
        """Publish the idle pose and follow orders until they end."""
        while True:
            wait_s = max(0, self._idle_ns - time.monotonic_ns()) / NS_PER_S
            if select.select([orders], [], [], wait_s)[0]:
                line = orders.readline()
                if not line:
                    return
                self._follow(json.loads(line), lambda **answer: _say(answers, **answer))
            else:
                self._idle()

    def _follow(self, order: dict[str, Any], say: Callable[..., None]) -> None:
        try:
            if order["do"] == "load":
                loaded = self._load(order)
                self._be_heard()
                say(said="loaded", views=len(loaded.pictures))
            else:
                self._play(order, say)
        except VoxGateError as error:
            say(said="error", error=str(error))

    def _load(self, order: dict[str, Any]) -> Loaded:
        """The scan as it will be sent; kept (17 MB for 12 views), as jobs often repeat it."""
        key = json.dumps([order["scan"], order["speed"], order["encoding"]])
        if key not in self._loaded:
            self._loaded[key] = self._decoded(order)
        return self._loaded[key]

    def _decoded(self, order: dict[str, Any]) -> Loaded:
        opened, encoding = open_part_scan(Path(order["scan"])), Encoding(order["encoding"])
        scans = dict(opened.cameras)
        if isinstance(opened, Scan):
            scans = {self._camera: opened}
        if set(scans) != {self._camera, *self._further}:
            cell = ", ".join((self._camera, *self._further))
            raise ScanError(f"{order['scan']}: is of {', '.join(scans)}, the cell of {cell}")
        timelines = timelines_from_cameras(scans, order["speed"])
        scan = scans.pop(self._camera)
        self._check_sensor(scan)
        return Loaded(
            timelines[self._camera],
            pictures_from_scan(scan, encoding),
            sensor_pictures_from_scan(scan, encoding),
            {name: Shown.of(each, timelines[name], encoding) for name, each in scans.items()},
        )

    def _check_sensor(self, scan: Scan) -> None:
        if self._has_sensor is not (scan.calibration.sensor is not None):
            has = "has a sensor" if self._has_sensor else "has no sensor"
            raise ScanError(f"{scan.folder}: the cell {has} beside its camera, the scan differs")

    def _be_heard(self) -> None:
        """Talk before the first job: a box that hears this controller for the first time in the
        middle of one takes it for a program that was started again.
        """
        if self._is_heard:
            return
        self._is_heard = True
        self._poses.wait_for_listener(LISTENER_MS)
        for _ in range(HEARD_POSES):
            _sleep_until(self._idle_ns)
            self._idle()

    def _idle(self) -> None:
        """The arm stands, its controller talks."""
        now_ns = time.monotonic_ns()
        self._poses.publish(
            self._pose_number, self._clocks[Target.ROBOT].device_ns(now_ns), self._stands_at
        )
        self._pose_number += 1
        self._idle_ns = max(self._idle_ns + IDLE_PERIOD_NS, now_ns)

    def _play(self, order: dict[str, Any], say: Callable[..., None]) -> None:
        """One job in real time: every event at its own moment, late by what the answer tells."""
        loaded = self._load(order)
        faults = tuple(fault_from_text(text) for text in order["faults"])
        triggered = bool(self._genicams)
        schedule = schedule_from_timeline(
            loaded.timeline, faults, order["seed"], triggered=triggered
        )
        events, exposed_ns = self._with_further(schedule, loaded, order["seed"])
        lost = self._frames_lost()
        for device, genicam in self._genicams.items():
            genicam.lay_out(loaded.of(device))
        zero_ns = time.monotonic_ns() + LEAD_NS
        late_ns, last_frame_ns = 0, 0
        for event in events:
            _sleep_until(zero_ns + event.send_ns)
            if isinstance(event, Exposed):
                say(said="exposed", last_exposure_ns=zero_ns + event.send_ns)
            else:
                self._send(event, zero_ns, loaded)
            now_ns = time.monotonic_ns()
            late_ns = max(late_ns, now_ns - zero_ns - event.send_ns)
            last_frame_ns = now_ns if isinstance(event, FrameSend | OfFurther) else last_frame_ns
        self._rest(schedule, loaded.timeline)
        lost = self._frames_lost() - lost
        rested = [genicam.rest() for genicam in self._genicams.values()]
        rested += [each.rest(loaded.further[name]) for name, each in self._further.items()]
        for delivered_ns, unread in rested:
            last_frame_ns, lost = max(last_frame_ns, delivered_ns), lost + unread
        say(
            said="done",
            last_exposure_ns=zero_ns + exposed_ns,
            last_frame_sent_ns=last_frame_ns,
            late_ms=late_ns / NS_PER_MS,
            frames_lost=lost,
        )

    def _frames_lost(self) -> int:
        own = sum(each.lost for each in self._senders.values())
        return own + sum(each.lost for each in self._further.values())

    def _with_further(
        self, schedule: Schedule, loaded: Loaded, seed: int
    ) -> tuple[list[Event], int]:
        """The events of all cameras in order, and when the last of them has exposed."""
        last_ns = schedule.last_exposure_ns
        events: list[Event] = []
        for name, camera in self._further.items():
            shown = loaded.further[name]
            events += camera.begin(shown, seed)
            ends = [exposure.end_ns for exposure in shown.timeline.exposures]
            last_ns = max([last_ns, *ends])
        events += [
            Exposed(last_ns) if isinstance(each, Exposed) else each for each in schedule.events
        ]
        return sorted(events, key=lambda event: event.send_ns), last_ns

    def _send(self, event: Event, zero_ns: int, loaded: Loaded) -> None:
        if isinstance(event, PoseSend):
            t_robot_ns = self._clocks[Target.ROBOT].device_ns(zero_ns + event.sample.t_ns)
            self._poses.publish(self._pose_number + event.number, t_robot_ns, event.sample)
        elif isinstance(event, OfFurther):
            shown = loaded.further[event.camera]
            self._further[event.camera].send(event.event, zero_ns, shown)
        elif isinstance(event, Trigger):
            self._genicams[event.device].trigger(event, zero_ns)
        elif isinstance(event, FrameSend):
            self._send_frame(event, zero_ns, loaded)
        elif isinstance(event, StepSend) and event.device in _CLOCK_OF and self._genicams:
            self._genicams[_CLOCK_OF[event.device]].step(event.step_ns)
        elif isinstance(event, StepSend):
            clock = self._clocks[event.device]
            self._clocks[event.device] = clock.stepped(zero_ns + event.send_ns, event.step_ns)

    def _send_frame(self, event: FrameSend, zero_ns: int, loaded: Loaded) -> None:
        clock = self._clocks[Target(event.device.value)]
        self._senders[event.device].send(
            loaded.of(event.device)[event.exposure.index],
            self._frame_numbers[event.device] + event.number,
            clock.device_ns(zero_ns + event.exposure.t_ns),
            event.corrupt,
        )

    def _rest(self, schedule: Schedule, timeline: Timeline) -> None:
        self._pose_number += schedule.pose_count
        self._frame_numbers[Device.CAMERA] += schedule.frame_count
        self._frame_numbers[Device.SENSOR] += schedule.sensor_count
        self._stands_at = timeline.samples[-1]
        self._idle_ns = time.monotonic_ns()

    def close(self) -> None:
        """Disconnect."""
        self._poses.close()
        for sender in self._senders.values():
            sender.close()
        for genicam in self._genicams.values():
            genicam.close()
        for camera in self._further.values():
            camera.close()


_CLOCK_OF = {Target.CAMERA: Device.CAMERA, Target.SENSOR: Device.SENSOR}


def _genicam_cameras(wires: Wires) -> dict[Device, GenicamCamera]:
    found: dict[Device, GenicamCamera] = {}
    if not wires.serial_number:
        return found
    known = Calibration.load(Path(wires.calibration))
    found[Device.CAMERA] = GenicamCamera(wires.serial_number, known, CAMERA_CLOCK, wires.colour)
    if wires.sensor_serial_number:
        serial, of_depth = wires.sensor_serial_number, known.of_depth
        found[Device.SENSOR] = GenicamCamera(serial, of_depth, SENSOR_CLOCK)
    return found


def _sleep_until(deadline_ns: int) -> None:
    while (left_ns := deadline_ns - time.monotonic_ns()) > 0:
        time.sleep(left_ns / NS_PER_S)


def _say(answers: TextIO, **answer: object) -> None:
    answers.write(json.dumps(answer) + "\n")
    answers.flush()


def main() -> None:
    """Entry point of the process: argument 1 holds the wires as JSON."""
    wires = Wires(**json.loads(sys.argv[1]))
    with suppress(PermissionError):
        os.nice(AHEAD)
    context = context_for(wires)
    field = Field(context, wires)
    try:
        field.serve(sys.stdin, sys.stdout)
    except (KeyboardInterrupt, BrokenPipeError):
        sys.stderr.close()  # whoever ordered is gone: nobody to tell
    finally:
        field.close()
        context.term()


def command(wires: Wires) -> list[str]:
    """The command line that starts this process."""
    return [sys.executable, "-m", "voxgate.sim.field.process", json.dumps(asdict(wires))]


if __name__ == "__main__":
    main()
