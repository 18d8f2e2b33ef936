"""What stands before the lens: pictures, the line, the clocks and every fault, on command.

with VirtualCamera(CameraSpec("cam-1", 800, 600)) as camera:
    camera.show(0, grey)
    camera.fire()                      # Line1; the exposure begins at this very moment
    camera.commit(Fault.INCOMPLETE)    # the next buffer comes with half of its bytes
"""

from __future__ import annotations

import contextlib
import fcntl
import mmap
import os
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt

from voxgate.sim.gentl.features import BY_NAME, PIXEL_FORMATS, WORD_BYTES, Kind
from voxgate.sim.gentl.link import (
    CONTROL,
    FOLDER,
    MAGIC,
    PREFIX,
    PULSES,
    TRUTHS,
    Control,
    Fault,
    aligned,
    fence,
)
from voxgate.sim.gentl.spec import CameraSpec, VirtualCameraError

Pixels = npt.NDArray[Any]

VERSION = b"1.0"
WHILE_ALIVE = 'read -r _; rm -f -- "$1"'  # the pipe ends when its writer does, however it ends
LINE_HIGH_NS = 1_000_000


class Fate(IntEnum):
    """What became of an exposure."""

    DELIVERED = 1
    NO_BUFFER = 2
    INCOMPLETE = 3


@dataclass(frozen=True, slots=True)
class Truth:
    """What only the camera knows about one exposure; host monotonic clock unless named."""

    frame_id: int
    t_start_ns: int
    exposure_ns: int
    t_delivered_ns: int
    slot: int
    t_device_ns: int
    fate: Fate


@dataclass(frozen=True, slots=True)
class Counts:
    """Since the camera was made."""

    delivered: int
    lost: int
    missed_triggers: int


class VirtualCamera:
    """One camera of this machine; any GenTL consumer with the .cti sees it while this lives.

    Raises VirtualCameraError when the serial number is taken or shared memory is full.
    """

    def __init__(self, spec: CameraSpec) -> None:
        self.spec = spec
        self._path = FOLDER / f"{PREFIX}{spec.serial}"
        self._lock = threading.Lock()
        self._truths_read = 0
        self._offsets = _offsets(spec)
        with contextlib.ExitStack() as stack:
            self._fd = _create(self._path, self._offsets[-1])
            stack.callback(os.close, self._fd)
            self._map = mmap.mmap(self._fd, self._offsets[-1])
            self._bytes = np.frombuffer(self._map, np.uint8)
            self._control: Control = self._bytes[: CONTROL.itemsize].view(CONTROL)
            self._set_up()
            self._guard = _guard(self._path)
            stack.callback(_dismiss, self._guard)
            _publish(self._fd, self._path)
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
        _dismiss(self._guard)
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
        planes = self._planes(slot, intensity, depth, confidence)
        sequence = self._control["slot_sequence"][0]
        sequence[slot] += 1
        fence()
        for place, plane in planes:
            place[:] = np.ascontiguousarray(plane).view(np.uint8).reshape(-1)
        fence()
        sequence[slot] += 1

    def stand_before(self, slot: int) -> None:
        """What a trigger without a picture of its own exposes from now on."""
        self._check_slot(slot)
        self._set("scene", slot)

    def fire(self, t_host_ns: int | None = None, slot: int | None = None) -> int:
        """Raise Line1 for a millisecond, now or at a moment to come; returns that moment.

        slot: the picture that stands before the lens then; None: the scene.
        """
        if slot is not None:
            self._check_slot(slot)
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

    def set_temperature(self, celsius: float) -> None:
        """What DeviceTemperature says."""
        self._set("temperature_c", celsius)

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
        first = max(self._truths_read, count - TRUTHS + 1)
        found = []
        for number in range(first + 1, count + 1):
            row = self._control["truths"][0, number % TRUTHS].copy()
            if int(row["sequence"]) == number:
                found.append(_truth(row))
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

    def _set_up(self) -> None:
        spec, control = self.spec, self._control[0]
        now_ns = time.monotonic_ns()
        plan = control["plan"]
        plan["magic"] = MAGIC
        plan["control_bytes"], plan["file_bytes"] = CONTROL.itemsize, self._offsets[-1]
        plan["width"], plan["height"], plan["slots"] = spec.width_px, spec.height_px, spec.slots
        plan["rays_offset"] = self._offsets[0] if spec.rays is not None else 0
        plan["slots_offset"], plan["slot_bytes"] = self._offsets[1], self._slot_bytes
        plan["intensity_format"] = PIXEL_FORMATS[spec.intensity]
        plan["range_format"] = PIXEL_FORMATS[spec.range_format] if spec.range_format else 0
        plan["has_confidence"] = spec.has_confidence
        plan["range_scale"], plan["range_offset"] = spec.range_scale_mm, spec.range_offset_mm
        plan["range_invalid"] = spec.range_invalid
        plan["focal_px"] = spec.lens.focal_px
        plan["centre_u_px"], plan["centre_v_px"] = spec.lens.centre_u_px, spec.lens.centre_v_px
        plan["seed"] = spec.seed
        plan["vendor"], plan["model"] = spec.vendor.encode(), spec.model.encode()
        plan["version"] = VERSION
        control["serial"], control["present"], control["session"] = spec.serial.encode(), 1, 1
        control["temperature_c"] = 38.0
        clock = control["clock"]
        clock["zero_host_ns"], clock["zero_device_ns"] = now_ns, now_ns + spec.clock.offset_ns
        clock["drift_ppm"], clock["jitter_ns"] = spec.clock.drift_ppm, spec.clock.jitter_ns
        for name in ("master_minus_host_ns", "settle_ns", "residual_ns"):
            control[f"ptp_{name}"] = getattr(spec.ptp, name)
        for name in type(spec.timing).__slots__:
            control[name] = getattr(spec.timing, name)
        if spec.rays is not None:
            rays = np.ascontiguousarray(spec.rays, np.float32).view(np.uint8).reshape(-1)
            self._bytes[self._offsets[0] : self._offsets[0] + rays.size] = rays

    @property
    def _slot_bytes(self) -> int:
        return sum(aligned(size) for size in self.spec.plane_bytes())

    def _check_slot(self, slot: int) -> None:
        if not 0 <= slot < self.spec.slots:
            raise VirtualCameraError(f"slots are 0 to {self.spec.slots - 1}, got {slot}")

    def _planes(
        self, slot: int, *given: Pixels | None
    ) -> list[tuple[npt.NDArray[np.uint8], Pixels]]:
        self._check_slot(slot)
        start = self._offsets[1] + slot * self._slot_bytes
        planes = []
        names = ("intensity", "depth", "confidence")
        for name, size, plane in zip(names, self.spec.plane_bytes(), given, strict=True):
            if (plane.nbytes if plane is not None else 0) != size:
                found = "none" if plane is None else f"{plane.shape} of {plane.dtype}"
                raise VirtualCameraError(f"{name} must have {size} bytes, got {found}")
            if plane is not None:
                planes.append((self._bytes[start : start + size], plane))
            start += aligned(size)
        return planes


def _truth(row: npt.NDArray[np.void]) -> Truth:
    return Truth(
        frame_id=int(row["frame_id"]),
        t_start_ns=int(row["t_start_host_ns"]),
        exposure_ns=int(row["exposure_ns"]),
        t_delivered_ns=int(row["t_delivered_host_ns"]),
        slot=int(row["slot"]),
        t_device_ns=int(row["t_device_ns"]),
        fate=Fate(int(row["fate"])),
    )


def _offsets(spec: CameraSpec) -> tuple[int, int, int]:
    """Where the rays and the slots begin, and how long the file is."""
    rays = aligned(CONTROL.itemsize)
    rays_bytes = 8 * spec.width_px * spec.height_px if spec.rays is not None else 0
    slots = rays + aligned(rays_bytes)
    return rays, slots, slots + spec.slots * sum(aligned(size) for size in spec.plane_bytes())


def _create(path: Path, size: int) -> int:
    """A file without its name yet, locked for as long as this process lives."""
    fd = os.open(FOLDER, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        os.posix_fallocate(fd, 0, size)
    except OSError as error:
        os.close(fd)
        raise VirtualCameraError(
            f"{path}: {size / 1e6:.0f} MB of shared memory are not to be had: {error}"
        ) from error
    return fd


def _publish(fd: int, path: Path) -> None:
    """Give the finished file its name; raises VirtualCameraError when another has it."""
    _sweep(path)
    # only with a folder's descriptor does Python ask for the link to be followed
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.link(f"/proc/self/fd/{fd}", path.name, dst_dir_fd=folder)
    except FileExistsError as error:
        raise VirtualCameraError(
            f"{path.name}: a camera with this serial number lives already"
        ) from error
    finally:
        os.close(folder)


def _sweep(path: Path) -> None:
    """Remove a file whose owner is dead."""
    try:
        fd = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        path.unlink(missing_ok=True)
    except BlockingIOError:
        pass  # it lives
    finally:
        os.close(fd)


def _guard(path: Path) -> subprocess.Popen[bytes]:
    """A shell that outlives us by a moment and removes the file: also after `kill -9`."""
    return subprocess.Popen(
        ["/bin/sh", "-c", WHILE_ALIVE, "sh", str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def _dismiss(guard: subprocess.Popen[bytes]) -> None:
    guard.kill()
    guard.wait()
    if guard.stdin is not None:
        guard.stdin.close()
