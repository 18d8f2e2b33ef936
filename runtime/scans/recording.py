"""What one job was made of, in the order in which the line made use of it.

The loop appends while the job is open; nothing is copied, frames are kept by reference. Poses,
frames, and the moments at which the synchronizer was asked, are what places the views again;
`Handed` and `Held` are what the inspector was told. A replay that follows them comes to the verdict
of the line. Nothing here knows a file or a thread.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from voxgate.runtime.nouns import Device, Frame, JobIdentity, Note, View
from voxgate.runtime.scans.scan import FrameRecord
from voxgate.runtime.sync.poses import PoseRecord
from voxgate.runtime.sync.synchronizer import SyncState
from voxgate.runtime.transforms import Transform
from voxgate.runtime.volume.grid import GridSpec
from voxgate.runtime.volume.volume import Voxels
from voxgate.runtime.wire.commands import Command

EVENT_BYTES = 300  # of a small event in memory, about


@dataclass(frozen=True, slots=True)
class Took:
    """The synchronizer was asked at `t_ns` and had results."""

    t_ns: int


@dataclass(frozen=True, slots=True)
class Flushed:
    """Frames that waited for poses were given up."""

    t_ns: int


@dataclass(frozen=True, slots=True, eq=False)
class Half:
    """What a sensor beside the camera gave to a view, from its own exposure's place."""

    frame_id: int
    part_from_sensor: Transform
    uncertainty_mm: float


@dataclass(frozen=True, slots=True, eq=False)
class Handed:
    """The inspector got this view. half: None where the camera gave all of it. camera: of several,
    which."""

    t_ns: int
    frame_id: int
    part_from_camera: Transform
    uncertainty_mm: float
    half: Half | None = None
    camera: str = ""

    @classmethod
    def of(cls, view: View, t_ns: int) -> Handed:
        """As the view is placed."""
        sensed, half = view.sensed, None
        if sensed is not None:
            half = Half(sensed.frame_id, sensed.part_from_camera, sensed.uncertainty_mm)
        pose, uncertainty_mm = view.part_from_camera, view.uncertainty_mm
        return cls(t_ns, view.frame_id, pose, uncertainty_mm, half, view.camera)


@dataclass(frozen=True, slots=True)
class Held:
    """The inspector was told this against the part."""

    t_ns: int
    note: Note


@dataclass(frozen=True, slots=True)
class Asked:
    """The inspector was asked for its verdict; what came later it did not know."""

    t_ns: int


@dataclass(frozen=True, slots=True)
class Told:
    """A command of the robot that belongs to the job, as JSON."""

    t_ns: int
    command: str
    text: str


@dataclass(frozen=True, slots=True)
class Declared:
    """The job ended without the inspector's word, for this reason."""

    t_ns: int
    note: Note


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """The verdict was taken back, for this reason."""

    t_ns: int
    note: Note


Event = (
    PoseRecord
    | Frame
    | FrameRecord
    | Took
    | Flushed
    | Handed
    | Held
    | Asked
    | Told
    | Declared
    | Withdrawn
)


@dataclass(frozen=True, slots=True)
class JobHeader:
    """Which job was recorded. settings: what the line inspected by, as plain JSON values.

    started_ns: host monotonic clock, as every time of the recording; started_utc: of people.
    """

    job: JobIdentity
    cell: str
    started_ns: int
    started_utc: str
    settings: Mapping[str, object] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class Recording:
    """One job while it is open, and after. `bytes` counts pixels and events.

    most_bytes: beyond it everything is let go, and `too_large` says so.
    """

    header: JobHeader
    clocks: SyncState | None = None
    poses_before: tuple[PoseRecord, ...] = ()
    events: list[Event] = field(default_factory=list)
    bytes: int = 0
    most_bytes: int = 1 << 62
    too_large: bool = False
    pictures: bool = True  # False: pixels are not worth their room
    latest_ns: int = 0

    def begin(self, clocks: SyncState, poses: tuple[PoseRecord, ...]) -> None:
        """What was known when the job began."""
        self.clocks, self.poses_before = clocks, poses
        self.bytes += EVENT_BYTES * len(poses)

    def pose(self, pose: PoseRecord) -> None:
        """The synchronizer got a pose."""
        self._add(pose, pose.t_arrival_ns)

    def frame(self, frame: Frame) -> None:
        """The synchronizer got a frame."""
        depth = frame.depth_mm if frame.sensed_mm is None else frame.sensed_mm
        image_bytes = 0 if frame.device is Device.SENSOR else frame.image.nbytes
        self.bytes += image_bytes + (0 if depth is None else depth.nbytes)
        self._add(frame, frame.t_arrival_ns)

    def took(self, now_ns: int) -> None:
        """The synchronizer was asked, and had results."""
        self._add(Took(now_ns), now_ns)

    def flushed(self) -> None:
        """What waited for poses was given up."""
        self._add(Flushed(self.latest_ns), self.latest_ns)

    def handed(self, view: View) -> None:
        """The inspector got a view."""
        self._add(Handed.of(view, self.latest_ns), self.latest_ns)

    def held(self, note: Note) -> None:
        """The inspector was told a note."""
        self._add(Held(self.latest_ns, note), self.latest_ns)

    def asked(self, now_ns: int) -> None:
        """The inspector was asked for its verdict."""
        self._add(Asked(now_ns), now_ns)

    def told(self, command: Command, now_ns: int) -> None:
        """The robot commanded something."""
        self._add(Told(now_ns, command.command, command.to_json().decode()), now_ns)

    def declared(self, note: Note, now_ns: int) -> None:
        """The job was ended without the inspector."""
        self._add(Declared(now_ns, note), now_ns)

    def withdrawn(self, note: Note) -> None:
        """The verdict was taken back."""
        self._add(Withdrawn(self.latest_ns, note), self.latest_ns)

    def _add(self, event: Event, t_ns: int) -> None:
        self.latest_ns = max(self.latest_ns, t_ns)
        self.bytes += EVENT_BYTES
        self.too_large = self.too_large or self.bytes > self.most_bytes
        if self.too_large:
            self.events.clear()
        else:
            self.events.append(event)


class NoRecording(Recording):
    """The silent twin where nothing is to be kept: it hears all the same, and forgets."""

    def __init__(self) -> None:
        super().__init__(_NOBODY)

    def begin(self, clocks: SyncState, poses: tuple[PoseRecord, ...]) -> None:
        """Nothing is known."""

    def _add(self, event: Event, t_ns: int) -> None:
        """Nothing is kept."""


_NOBODY = JobHeader(JobIdentity("", "", "", "", is_simulated=True), "", 0, "")


@dataclass(frozen=True, slots=True, eq=False)
class FusedVolume:
    """The occupied voxels of the anomaly volume, and where they lie in the part's frame."""

    voxels: Voxels
    grid: GridSpec
