"""What the camera knows about its exposures, as it wrote it into the shared file."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import numpy.typing as npt

from voxgate.sim.gentl.link import TRUTHS, Control


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


def truths_between(control: Control, read: int, count: int) -> list[Truth]:
    """The exposures after the first `read` of `count` sealed ones; the oldest may be gone."""
    first = max(read, count - TRUTHS + 1)
    rows = [(n, control["truths"][0, n % TRUTHS].copy()) for n in range(first + 1, count + 1)]
    return [_truth(row) for number, row in rows if int(row["sequence"]) == number]


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
