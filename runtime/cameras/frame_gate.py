"""Is this frame the next one, of the right size, with a clock that goes forward?

No frame is trusted because it arrived: an overrun delivers old frames silently, and only the id
shows what is missing.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from voxgate.runtime.cameras.settings import CameraSettings
from voxgate.runtime.nouns import Frame, Reason

# A frame this far behind is late; further behind, the sender counts from the start again.
REORDER_WINDOW = 16
GIGE_BITS = 16  # of a block id in GigE Vision 1.x: 65535 is followed by 1, 0 is never sent
WIDE_BITS = 64


class FaultKind(str, Enum):
    """What can go wrong with a frame on its way; each kind is counted by itself."""

    LOST = "lost"  # missing in the frame ids
    INCOMPLETE = "incomplete"  # packets missing
    INVALID = "invalid"  # unreadable, wrong size, doubled, reordered
    AGED = "aged"  # waited unseen while its arrival was to be its time
    DROPPED = "dropped"  # no free slot: the parent did not take what it had
    UNSYNCED = "unsynced"  # no device time, or one that goes back
    NO_DEPTH = "no_depth"


REASONS: dict[FaultKind, Reason] = {
    FaultKind.LOST: Reason.FRAME_LOST,
    FaultKind.INCOMPLETE: Reason.FRAME_INVALID,
    FaultKind.INVALID: Reason.FRAME_INVALID,
    FaultKind.AGED: Reason.FRAME_LOST,
    FaultKind.DROPPED: Reason.QUEUE_OVERFLOW,
    FaultKind.UNSYNCED: Reason.CLOCK_UNSYNCED,
    FaultKind.NO_DEPTH: Reason.DEPTH_MISSING,
}


@dataclass(frozen=True, slots=True)
class SourceFault:
    """What a worker reports instead of a frame, or beside one; `count` frames are affected."""

    kind: FaultKind
    detail: str
    count: int = 1


class FrameGate:
    """Checks the frames of one source in their order; knows neither clocks nor sockets.

    frame_id_bits: what the device says of its ids; the settings' own count more.
    """

    def __init__(self, settings: CameraSettings, frame_id_bits: int | None = None) -> None:
        self._settings = settings
        self._bits = settings.frame_id_bits or frame_id_bits or WIDE_BITS
        self._last_id: int | None = None
        self._last_device_ns: int | None = None

    def restart(self) -> None:
        """The sender may count from anywhere again: a new stream, or a job of a scan player."""
        self._last_id = None
        self._last_device_ns = None

    def seen(self, frame_id: int) -> None:
        """A frame was thrown away on purpose: its id is not missing."""
        self._last_id = frame_id

    def check(self, frame: Frame) -> tuple[bool, list[SourceFault]]:
        """Whether to deliver `frame`, and what is wrong with it or missing before it."""
        in_order, faults = self._check_id(frame.frame_id)
        faults += self._check_content(frame)
        if in_order:
            faults += self._check_stamp(frame)
        return all(fault.kind is FaultKind.LOST for fault in faults), faults

    def _check_id(self, frame_id: int) -> tuple[bool, list[SourceFault]]:
        if frame_id >> self._bits or (frame_id == 0 and self._may_count_itself()):
            self._bits = WIDE_BITS
        if self._bits == GIGE_BITS and frame_id == 0:
            return False, [_invalid("frame id 0, which GigE Vision never sends: no frame")]
        last, self._last_id = self._last_id, frame_id
        if last is None:
            return True, []
        ids = self._ids()
        step = (frame_id - last) % ids
        if 0 < step <= ids // 2:
            return True, self._lost(last, frame_id, step - 1)
        if -step % ids <= REORDER_WINDOW:
            self._last_id = last  # the newest frame stays the reference
            return False, [_invalid(f"frame id {frame_id} came after {last}: doubled or reordered")]
        self._last_device_ns = None
        return False, [_invalid(f"frame id fell from {last} to {frame_id}: the sender restarted")]

    def _may_count_itself(self) -> bool:
        """A producer may number on its own from 0, whatever its device does; never where set."""
        return self._last_id is None and self._settings.frame_id_bits is None

    def _ids(self) -> int:
        """How many different ids there are before the first comes again."""
        return (1 << self._bits) - (1 if self._bits == GIGE_BITS else 0)

    def _lost(self, last: int, frame_id: int, count: int) -> list[SourceFault]:
        if count == 0:
            return []
        detail = f"{count} frames lost between frame ids {last} and {frame_id}"
        return [SourceFault(FaultKind.LOST, detail, count)]

    def _check_content(self, frame: Frame) -> list[SourceFault]:
        expected = (self._settings.height_px, self._settings.width_px)
        if frame.image.shape[:2] != expected:
            return [
                _invalid(
                    f"frame {frame.frame_id} is {frame.image.shape[1]} x {frame.image.shape[0]}, "
                    f"expected {expected[1]} x {expected[0]} pixels"
                )
            ]
        if (frame.image.ndim == 3) is not self._settings.colour:
            sent, told = ("grey", "true") if self._settings.colour else ("in colour", "false")
            return [_invalid(f"frame {frame.frame_id} is {sent}, the cell says `colour: {told}`")]
        if self._settings.depth and frame.depth_mm is None:
            detail = f"frame {frame.frame_id} came without depth"
            return [SourceFault(FaultKind.NO_DEPTH, detail)]
        return []

    def _check_stamp(self, frame: Frame) -> list[SourceFault]:
        last, self._last_device_ns = self._last_device_ns, frame.t_device_ns
        if last is None or frame.t_device_ns > last:
            return []
        detail = (
            f"device time went from {last} to {frame.t_device_ns} ns at frame {frame.frame_id}: "
            f"the camera restarted or its clock was set"
        )
        return [SourceFault(FaultKind.UNSYNCED, detail)]


def _invalid(detail: str) -> SourceFault:
    return SourceFault(FaultKind.INVALID, detail)
