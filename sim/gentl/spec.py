"""What a virtual camera is: its sensor, its clock, its timing; frozen, checked, with units."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from voxgate.runtime.errors import VoxGateError
from voxgate.sim.gentl.features.codes import PIXEL_FORMATS
from voxgate.sim.gentl.link import SLOTS, Silent

_SERIAL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,39}")
_LARGEST_PX = 16_384
INTENSITY = ("Mono8", "Mono16", "RGB8")
RANGE = ("Coord3D_C16", "Coord3D_ABC32f")
INTERFACES = ("voxgate-memory", "voxgate-memory-2")
"""What the producer calls its interfaces."""


class VirtualCameraError(VoxGateError):
    """A camera that cannot be, or a picture that does not fit before its lens."""


@dataclass(frozen=True, slots=True)
class Clock:
    """The device's clock against the host's monotonic one.

    offset_ns: what it reads more, now. drift_ppm: how much faster it runs. jitter_ns: largest
    error of a frame's stamp, either way.
    """

    offset_ns: int = 3_000_000_000_000
    drift_ppm: float = 0.0
    jitter_ns: int = 0


@dataclass(frozen=True, slots=True)
class Ptp:
    """The grandmaster's clock, and how well the camera follows once PtpEnable is set.

    settle_ns: until it calls itself Slave. residual_ns: what remains between both clocks.
    """

    master_minus_host_ns: int = 1_700_000_000_000_000_000
    settle_ns: int = 200_000_000
    residual_ns: int = 500


@dataclass(frozen=True, slots=True)
class Timing:
    """From the trigger to the frame in the host's memory; each 0 to 10 s.

    latency: fixed + uniform(0, jitter), and `late_ns` more for `late_permille` of the frames.
    """

    trigger_latency_ns: int = 5_000
    readout_ns: int = 18_000_000
    latency_ns: int = 200_000
    latency_jitter_ns: int = 1_800_000
    late_permille: int = 0
    late_ns: int = 10_000_000


@dataclass(frozen=True, slots=True)
class Lens:
    """A pinhole, px: where a count of depth lies in x and y, unless rays say it better."""

    focal_px: float = 1000.0
    centre_u_px: float = 0.0
    centre_v_px: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class CameraSpec:
    """Everything that does not change while the camera lives.

    intensity, range_format: PFNC names of what is shown to it; it delivers what its registers
    say. range_scale_mm, range_offset_mm, range_invalid: of Coord3D_C16.
    range_divisor: one pixel of range and confidence is so many of the image wide and high.
    baseline_m: above 0, range is a disparity, and its scale and offset are in px of its own.
    frame_id_bits: 16 numbers as GigE Vision does, and says so. line_padding: bytes after each line.
    silent: what the producer does not answer. interfaces: over which of INTERFACES it is reached.
    rays: (h, w, 2) float32, x/z and y/z of every pixel; None: the lens.
    """

    serial: str
    width_px: int
    height_px: int
    slots: int = 4
    intensity: str = "Mono8"
    range_format: str | None = None
    range_scale_mm: float = 1.0
    range_offset_mm: float = 0.0
    range_invalid: int = 0
    range_divisor: int = 1
    baseline_m: float = 0.0
    has_confidence: bool = False
    lens: Lens = field(default_factory=Lens)
    rays: npt.NDArray[np.float32] | None = None
    clock: Clock = field(default_factory=Clock)
    ptp: Ptp = field(default_factory=Ptp)
    timing: Timing = field(default_factory=Timing)
    seed: int = 1
    frame_id_bits: int = 64
    line_padding: int = 0
    silent: tuple[Silent, ...] = ()
    interfaces: tuple[int, ...] = (0,)
    vendor: str = "VoxGate"
    model: str = "Virtual camera"

    def __post_init__(self) -> None:
        if _SERIAL.fullmatch(self.serial) is None:
            raise VirtualCameraError(
                f"a serial number is 1 to 40 of A-Z a-z 0-9 . _ : -, got {self.serial!r}"
            )
        for name, size in (("width", self.width_px), ("height", self.height_px)):
            if not 2 <= size <= _LARGEST_PX:
                raise VirtualCameraError(f"{name} is 2 to {_LARGEST_PX} px, got {size}")
        if not 1 <= self.slots <= SLOTS:
            raise VirtualCameraError(f"a camera has 1 to {SLOTS} slots, got {self.slots}")
        if self.intensity not in INTENSITY:
            raise VirtualCameraError(f"intensity is one of {INTENSITY}, got {self.intensity}")
        if self.range_format not in (*RANGE, None):
            raise VirtualCameraError(f"range is one of {RANGE} or none, got {self.range_format}")
        self._check_range()
        if not set(self.interfaces) <= set(range(len(INTERFACES))):
            raise VirtualCameraError(f"interfaces are 0 and 1, got {self.interfaces}")
        if self.frame_id_bits not in (16, 64):
            raise VirtualCameraError(f"frame ids have 16 or 64 bits, got {self.frame_id_bits}")
        if not 0 <= self.line_padding <= _LARGEST_PX:
            raise VirtualCameraError(
                f"padding is 0 to {_LARGEST_PX} bytes, got {self.line_padding}"
            )
        if self.rays is not None and self.rays.shape != (self.height_px, self.width_px, 2):
            raise VirtualCameraError(
                f"rays are {(self.height_px, self.width_px, 2)}, got {self.rays.shape}"
            )

    def _check_range(self) -> None:
        counts = self.range_format == "Coord3D_C16" and self.rays is None
        if not (1 <= self.range_divisor <= min(self.width_px, self.height_px) // 2):
            raise VirtualCameraError(f"a range of 1/{self.range_divisor} of the image is too small")
        if (self.range_divisor > 1 or self.baseline_m) and not counts:
            raise VirtualCameraError("a divisor and a baseline are of Coord3D_C16 without rays")
        if not 0 <= self.baseline_m <= 10:
            raise VirtualCameraError(f"the baseline is 0 to 10 m, got {self.baseline_m}")

    def range_shape(self) -> tuple[int, int]:
        """Lines and columns of range and confidence."""
        return self.height_px // self.range_divisor, self.width_px // self.range_divisor

    def plane_bytes(self) -> tuple[int, int, int]:
        """Bytes of intensity, range and confidence in a slot."""
        height_px, width_px = self.range_shape()
        return (
            self.width_px * self.height_px * _pixel_bytes(self.intensity),
            height_px * width_px * _pixel_bytes(self.range_format) if self.range_format else 0,
            height_px * width_px if self.has_confidence else 0,
        )


def _pixel_bytes(pixel_format: str) -> int:
    return (PIXEL_FORMATS[pixel_format] >> 16 & 0xFF) // 8
