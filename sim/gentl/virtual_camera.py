"""What stands before the lens: pictures, the line, the clocks and every fault, on command.

with VirtualCamera(CameraSpec("cam-1", 800, 600)) as camera:
    camera.show(0, grey)
    camera.fire()                      # Line1; the exposure begins at this very moment
    camera.commit(Fault.INCOMPLETE)    # the next buffer comes with half of its bytes
"""

from __future__ import annotations

import contextlib
import mmap
import os
import threading
import time
from collections.abc import Iterator
from types import TracebackType

import numpy as np

from voxgate.sim.gentl.features.feature import WORD_BYTES, Kind
from voxgate.sim.gentl.features.table import BY_NAME
from voxgate.sim.gentl.layout import Layout, Pixels, lay_out
from voxgate.sim.gentl.link import FOLDER, PREFIX, PULSES, Fault, fence
from voxgate.sim.gentl.shared_file import create, dismiss, guard, publish
from voxgate.sim.gentl.spec import CameraSpec
from voxgate.sim.gentl.truth import Counts, Truth, truths_between

LINE_HIGH_NS = 1_000_000


class VirtualCamera:
    """One camera of this machine; any GenTL consumer with the .cti sees it while this lives.

    Raises VirtualCameraError when the serial number is taken or shared memory is full.
    """

    def __init__(self, spec: CameraSpec) -> None:
        self.spec = spec
        self._path = FOLDER / f"{PREFIX}{spec.serial}"
        self._lock = threading.Lock()
        self._truths_read = 0
        self._layout = Layout.of(spec)
        with contextlib.ExitStack() as stack:
            self._fd = create(self._path, self._layout.file_bytes)
            stack.callback(os.close, self._fd)
            self._map = mmap.mmap(self._fd, self._layout.file_bytes)
            self._bytes = np.frombuffer(self._map, np.uint8)
            self._control = lay_out(self._bytes, self._layout, time.monotonic_ns())
            self._guard = guard(self._path)
            stack.callback(dismiss, self._guard)
            publish(self._fd, self._path)
            stack.pop_all()

    def __enter__(self) -> VirtualCamera:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Gone: who has it open loses the link, and nothing stays in shared memory."""
        if self._fd < 0:
            return
        dismiss(self._guard)
        self._path.unlink(missing_ok=True)
        self._set("present", 0)
        os.close(self._fd)
        self._fd = -1

    # --- before the lens -------------------------------------------------------------------------

    def show(
        self,
        slot: int,
        intensity: Pixels,
        depth: Pixels | None = None,
        confidence: Pixels | None = None,
    ) -> None:
        """Fill a slot: intensity (h, w) uint8 or uint16 or (h, w, 3) uint8, depth (h, w) uint16 or
        (h, w, 3) float32, confidence (h, w) uint8, each as the spec says.

        Raises VirtualCameraError for other sizes or types.
        """
        planes = self._layout.planes(self._bytes, slot, intensity, depth, confidence)
        sequence = self._control["slot_sequence"][0]
        sequence[slot] += 1
        fence()
        for place, plane in planes:
            place[:] = np.ascontiguousarray(plane).view(np.uint8).reshape(-1)
        fence()
        sequence[slot] += 1

    def stand_before(self, slot: int) -> None:
        """What a trigger without a picture of its own exposes from now on."""
        self._layout.check_slot(slot)
        self._set("scene", slot)

    def fire(self, t_host_ns: int | None = None, slot: int | None = None) -> int:
        """Raise Line1 for a millisecond, now or at a moment to come; returns that moment.

        slot: the picture that stands before the lens then; None: the scene.
        """
        if slot is not None:
            self._layout.check_slot(slot)
        t_ns = time.monotonic_ns() if t_host_ns is None else t_host_ns
        with self._lock:
            for after_ns, rising in ((0, 1), (LINE_HIGH_NS, 0)):
                count = int(self._control["pulse_count"][0])
                pulse = (t_ns + after_ns, -1 if slot is None else slot, rising)
                self._control["pulses"][0, count % PULSES] = pulse
                fence()
                self._set("pulse_count", count + 1)
        return t_ns

    # --- what it does wrong ----------------------------------------------------------------------

    def commit(self, fault: Fault, amount: int = 1) -> None:
        """Do it the next `amount` times (-1: always, 0: no more), or by that amount."""
        self._control["faults"][0, fault] = amount

    def forgive(self) -> None:
        """No fault any more."""
        self._control["faults"][0, :] = 0

    def unplug(self) -> None:
        """No answer any more; not in the list."""
        self._set("present", 0)

    def plug_in(self, serial: str | None = None) -> None:
        """Back again, as itself or with another serial number; it must be opened anew."""
        if serial is not None:
            self._set("serial", serial.encode())
        self._set("session", int(self._control["session"][0]) + 1)
        fence()
        self._set("present", 1)

    def reboot(self) -> None:
        """Power failed for a moment: it answers, but its registers are reset and nothing comes."""
        self._set("reboots", int(self._control["reboots"][0]) + 1)

    # --- clocks ----------------------------------------------------------------------------------

    def set_clock(
        self, *, step_ns: int = 0, drift_ppm: float | None = None, jitter_ns: int | None = None
    ) -> None:
        """Step the clock by `step_ns` from now on, or let it run at another pace."""
        clock = self._control["clock"][0]
        now_ns = time.monotonic_ns()
        elapsed_ns = now_ns - int(clock["zero_host_ns"])
        drifted_ns = round(elapsed_ns * float(clock["drift_ppm"]) * 1e-6)
        reads_ns = int(clock["zero_device_ns"]) + elapsed_ns + drifted_ns
        with self._changing_clock():
            clock["zero_host_ns"] = now_ns
            clock["zero_device_ns"] = reads_ns + step_ns
            if drift_ppm is not None:
                clock["drift_ppm"] = drift_ppm
            if jitter_ns is not None:
                clock["jitter_ns"] = jitter_ns

    def set_ptp(self, *, status: str | None = None, residual_ns: int | None = None) -> None:
        """Force what PtpStatus says ("" ends that), or follow the master less well."""
        if residual_ns is not None:
            self._set("ptp_residual_ns", residual_ns)
        if status is not None:
            words = {entry.name: entry.value for entry in BY_NAME["PtpStatus"].entries}
            self._set("ptp_forced_status", words[status] if status else 0)

    # --- what it knows ---------------------------------------------------------------------------

    def register(self, name: str, index: int = 0) -> int | float | str:
        """The value of a feature's register, as GenICam software has set it."""
        feature = BY_NAME[name]
        start = feature.address + index * feature.length
        raw = self._control["registers"][0, start : start + feature.length].tobytes()
        if feature.kind is Kind.TEXT:
            return raw.split(b"\0")[0].decode(errors="replace")
        if feature.kind is Kind.FLOAT:
            return float(np.frombuffer(raw, np.float64)[0])
        return int.from_bytes(raw[:WORD_BYTES], "little", signed=True)

    @property
    def acquiring(self) -> bool:
        """Whether a consumer has started it; triggers before that are for nobody."""
        return bool(self._control["acquiring"][0] == 1)

    @property
    def exposing(self) -> bool:
        """Whether a frame that was begun has not come to its end yet."""
        return bool(self._control["exposed"][0] > self._control["truth_count"][0])

    @property
    def counts(self) -> Counts:
        """Frames and triggers so far."""
        control = self._control
        return Counts(
            int(control["delivered"][0]),
            int(control["lost"][0]),
            int(control["missed_triggers"][0]),
        )

    def truths(self) -> list[Truth]:
        """Every exposure whose fate was sealed since the last call; the oldest may be gone."""
        count = int(self._control["truth_count"][0])
        found = truths_between(self._control, self._truths_read, count)
        self._truths_read = count
        return found

    # --- inside ----------------------------------------------------------------------------------

    def _set(self, name: str, value: object) -> None:
        self._control[name] = value

    @contextlib.contextmanager
    def _changing_clock(self) -> Iterator[None]:
        clock = self._control["clock"][0]
        clock["sequence"] += 1
        fence()
        yield
        fence()
        clock["sequence"] += 1
