"""The layout of a virtual camera's file in shared memory: link.h, in numpy.

Every field is 8 bytes or text, so that numpy's aligned records and the C compiler agree; a test
compares both, field by field.
"""

from __future__ import annotations

import threading
from enum import IntEnum
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from voxgate.sim.gentl.features.feature import TEXT_BYTES
from voxgate.sim.gentl.features.table import REGISTER_BYTES

MAGIC = b"VGCAM-03"
FOLDER = Path("/dev/shm")
PREFIX = "voxgate-camera."
SLOTS, PULSES, TRUTHS = 64, 64, 256
ALIGNMENT = 64

_TEXT = f"S{TEXT_BYTES}"


class Fault(IntEnum):
    """What a camera can be told to do wrong, by its place among the faults.

    The value of most is how often it happens next, -1 for always; `*_NS`, `*_MS`, `*_ERROR` and
    ID_JUMP take an amount. An error is a GenTL code, such as -1010 for IoException.
    """

    STALL = 0  # nothing is exposed, nothing is said
    MISSED = 1  # triggers that are not seen
    STALE = 2  # frames that show, and are stamped as, the frame before
    INCOMPLETE = 3  # buffers with half of their bytes
    ID_JUMP = 4  # so many frame ids are left out, once
    ID_REPEAT = 5  # frames with the id of the frame before
    STAMP_ZERO = 6  # frames without a time
    STAMP_BACK = 7  # frames stamped STAMP_BACK_NS too early
    STAMP_BACK_NS = 8
    UNKNOWN_FORMAT = 9  # frames of a pixel format nobody knows
    SLOW_WRITE_MS = 10  # so long a register write takes
    PORT_ERROR = 11  # of every register access
    EVENT_ERROR = 12  # of every wait for a buffer
    OPEN_ERROR = 13  # of every attempt to open the camera
    LATE_NS = 14  # every frame is so much longer on its way


class Silent(IntEnum):
    """What a producer can be told not to answer, by its bit."""

    WIDTH = 0
    HEIGHT = 1
    PIXELFORMAT = 2
    PAYLOADTYPE = 3
    SERIAL = 4


def _int64(*names: str) -> list[tuple[str, Any]]:
    return [(name, np.int64) for name in names]


def _float64(*names: str) -> list[tuple[str, Any]]:
    return [(name, np.float64) for name in names]


PLAN = np.dtype(
    [
        ("magic", "S8"),
        *_int64("control_bytes", "file_bytes", "width", "height"),
        *_int64("slots", "slots_offset", "slot_bytes"),
        *_int64("intensity_format", "range_format", "range_divisor"),
        *_int64("has_confidence", "rays_offset"),
        *_float64("range_scale", "range_offset", "range_invalid"),
        *_float64("focal_px", "centre_u_px", "centre_v_px", "baseline_m"),
        *_int64("seed", "frame_id_bits", "line_padding", "silent", "interfaces"),
        ("vendor", _TEXT),
        ("model", _TEXT),
        ("version", _TEXT),
    ],
    align=True,
)
CLOCK = np.dtype(
    [
        *_int64("sequence", "zero_host_ns", "zero_device_ns", "jitter_ns"),
        *_float64("drift_ppm"),
    ],
    align=True,
)
PULSE = np.dtype(_int64("t_host_ns", "slot", "rising"), align=True)
TRUTH = np.dtype(
    _int64(
        "sequence",
        "frame_id",
        "t_start_host_ns",
        "exposure_ns",
        "t_delivered_host_ns",
        "slot",
        "t_device_ns",
        "fate",
    ),
    align=True,
)
CONTROL = np.dtype(
    [
        ("plan", PLAN),
        ("serial", _TEXT),
        *_int64("present", "session", "reboots", "scene"),
        *_float64("temperature_c"),
        ("clock", CLOCK),
        *_int64("ptp_master_minus_host_ns", "ptp_settle_ns", "ptp_residual_ns"),
        *_int64("ptp_forced_status", "trigger_latency_ns", "readout_ns"),
        *_int64("latency_ns", "latency_jitter_ns", "late_permille", "late_ns"),
        ("faults", np.int64, (len(Fault),)),
        *_int64("pulse_count"),
        ("pulses", PULSE, (PULSES,)),
        ("slot_sequence", np.int64, (SLOTS,)),
        *_int64("powered", "rebooted", "acquiring", "frame_id", "delivered", "lost"),
        *_int64(
            "missed_triggers", "exposed", "ptp_since_host_ns", "ptp_start_offset_ns", "held_ns"
        ),
        *_int64("truth_count"),
        ("truths", TRUTH, (TRUTHS,)),
        ("registers", np.uint8, (REGISTER_BYTES,)),
        ("user_set", np.uint8, (REGISTER_BYTES,)),
    ],
    align=True,
)

Control = npt.NDArray[np.void]
"""A CONTROL record that lies in the file: what is assigned to its fields is seen by the camera."""

_fence_lock = threading.Lock()


def fence() -> None:
    """What was written before is seen before what is written after, on Arm too.

    A lock's release may not move up, nor its acquisition down; two in a row leave no gap.
    """
    for _ in range(2):
        with _fence_lock:
            pass


def aligned(size: int) -> int:
    """`size` rounded up to where the next component may begin."""
    return -(-size // ALIGNMENT) * ALIGNMENT
