"""One part before several cameras: a scan of each, and one stream of robot poses for all.

    cameras.json            {"cameras": ["wrist", "ceiling"]}, here or up to 3 folders above
    robot_poses.jsonl
    cameras/wrist/          a scan as ever: frames.jsonl, images, depth, calibration.json
    cameras/ceiling/

A camera's calibration.json may lie in cameras/<name> of a folder above, too. A camera without
frames.jsonl gave none.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from voxgate.runtime.common.labels import MAX_CAMERAS, camera_names
from voxgate.runtime.common.strict_json import Fields, parse_object
from voxgate.runtime.errors import ScanError
from voxgate.runtime.geometry.calibration import Calibration
from voxgate.runtime.nouns import Frame, Note, Pose
from voxgate.runtime.scans.folder import FRAMES, read_camera
from voxgate.runtime.scans.part_files import CAMERAS, CAMERAS_FILE, above
from voxgate.runtime.scans.scan import Scan
from voxgate.runtime.sync.synchronizer import SyncState
from voxgate.runtime.volume.grid import GridSpec


@dataclass(frozen=True, slots=True, eq=False)
class CellScan:
    """cameras: name -> scan, the first camera's first; the poses are the same in each."""

    folder: Path
    cameras: Mapping[str, Scan]

    @property
    def calibrations(self) -> dict[str, Calibration]:
        """Of each camera."""
        return {name: scan.calibration for name, scan in self.cameras.items()}

    @property
    def grid(self) -> GridSpec | None:
        """One for the part."""
        return self._first.grid

    @property
    def poses(self) -> tuple[Pose, ...]:
        """The robot's."""
        return self._first.poses

    @property
    def notes(self) -> tuple[Note, ...]:
        """What the line held against the part while it was recorded."""
        return self._first.notes

    @property
    def clocks(self) -> SyncState | None:
        """What the line's clocks knew when the job began."""
        return self._first.clocks

    @property
    def poses_before(self) -> int:
        """So many poses they know."""
        return self._first.poses_before

    @property
    def frame_count(self) -> int:
        """Of all cameras."""
        return sum(scan.frame_count for scan in self.cameras.values())

    def events(self) -> Iterator[Pose | Frame]:
        """As `Scan.events`, of all cameras; frames bear their camera's name."""
        first, *further = (_numbered(scan, name) for name, scan in self.cameras.items())
        rest = (((t, 1, e) for t, _, e in each if isinstance(e, Frame)) for each in further)
        merged = heapq.merge(first, *rest, key=lambda each: each[:2])
        return (event for *_, event in merged)

    @property
    def _first(self) -> Scan:
        return next(iter(self.cameras.values()))


def _numbered(scan: Scan, camera: str) -> Iterator[tuple[int, int, Pose | Frame]]:
    for event in scan.events():
        if isinstance(event, Frame):
            yield event.t_arrival_ns, 1, replace(event, camera=camera)
        else:
            yield event.t_arrival_ns, 0, event


def names_of(folder: Path) -> tuple[str, ...]:
    """Of the cameras that took a scan; () where it is one camera's. Raises ScanError."""
    if (folder / FRAMES).exists():
        return ()
    path = above(folder, CAMERAS_FILE)
    if not path.is_file():
        return ()
    try:
        return camera_names(_texts(parse_object(path.read_text("utf-8"))))
    except (OSError, ValueError) as error:
        raise ScanError(f"{path}: {error}") from error


def read_cell_scan(folder: Path, names: tuple[str, ...]) -> CellScan:
    """Every camera's. Raises ScanError or CalibrationError."""
    return CellScan(folder, {name: read_camera(folder / CAMERAS / name) for name in names})


def _texts(fields: Fields) -> list[str]:
    listed = fields.values.get("cameras")
    if not isinstance(listed, list) or not all(isinstance(each, str) for each in listed):
        raise ValueError(f"cameras must be a list of 2 to {MAX_CAMERAS} names")
    return listed
