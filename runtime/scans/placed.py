"""A recorded scan through the synchronizer, in the order in which it arrived on the line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from voxgate.runtime.nouns import Note, Pose, Reason, View
from voxgate.runtime.scans.cell_scan import CellScan
from voxgate.runtime.scans.scan import FrameRecord, Scan
from voxgate.runtime.sync.device_line import MAX_WAIT_NS
from voxgate.runtime.sync.rejection import Rejection
from voxgate.runtime.sync.synchronizer import Synchronizer


def replay(scan: Scan | CellScan, synchronizer: Synchronizer) -> Iterator[View | Rejection]:
    """Each frame's view or rejection as soon as it is known; raises ScanError for bad pixels."""
    if scan.clocks is not None:
        synchronizer.resume(scan.clocks, scan.poses[: scan.poses_before])
    for event in scan.events():
        if isinstance(event, Pose):
            synchronizer.add_pose(event)
        else:
            synchronizer.add_frame(event)
        yield from synchronizer.take(event.t_arrival_ns)
    yield from synchronizer.close()


def placed(scan: Scan | CellScan, synchronizer: Synchronizer) -> Iterator[View | Note]:
    """As `replay`, as an inspector takes it."""
    for found in replay(scan, synchronizer):
        yield found if isinstance(found, View) else found.note


def lost_frames(scan: Scan | CellScan) -> list[Note]:
    """What the line held against the part, and one note per gap in the frame ids, as the live
    frame gate has one: what is missing there may be what mattered, also when every view came."""
    gaps = [
        gap
        for name, each in scan.cameras.items()
        for gap in (*_gaps(each.frames, name), *_gaps(each.sensor_frames, name))
    ]
    return [*scan.notes, *gaps]


def _gaps(frames: Sequence[FrameRecord], camera: str) -> list[Note]:
    """camera: of several, which."""
    return [
        Note(
            Reason.FRAME_LOST,
            f"{after.frame_id - before.frame_id - 1} frames lost between frame ids "
            f"{before.frame_id} and {after.frame_id} of the {after.device.value} {camera}".rstrip(),
        )
        for before, after in pairwise(frames)
        if after.frame_id - before.frame_id > 1
    ]


def views_of(
    scan: Scan, max_gap_ns: int, max_uncertainty_mm: float, *, max_wait_ns: int = MAX_WAIT_NS
) -> list[View | Rejection]:
    """All frames of a scan, placed or rejected, with clocks that know nothing but this scan."""
    synchronizer = Synchronizer(
        scan.calibration, max_gap_ns, max_uncertainty_mm, max_wait_ns=max_wait_ns
    )
    return list(replay(scan, synchronizer))
