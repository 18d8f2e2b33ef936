"""A robot and a camera on a known path with known clocks: what the box makes of them is tested."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np
from scipy.spatial.transform import Rotation

from tests.kits.repository import ROOT
from voxgate.runtime.geometry.calibration import Calibration
from voxgate.runtime.nouns import Frame, Pose
from voxgate.runtime.transforms import Transform, angle_deg, distance_mm

MS = 1_000_000
S = 1_000_000_000
SIZE = (2, 2)
CALIBRATION = replace(
    Calibration.load(ROOT / "examples" / "bracket" / "calibration.json"),
    width_px=SIZE[1],
    height_px=SIZE[0],
)


@dataclass
class Device:
    """A clock of its own, and a network that delivers in order with outliers."""

    random: np.random.Generator
    drift_ppm: float = 0.0
    offset_ns: int = 0  # device minus host
    _arrived_ns: int = 0

    def stamp_ns(self, t_host_ns: int) -> int:
        """What this device's clock shows at an instant of the host's clock."""
        return t_host_ns + self.offset_ns + round(t_host_ns * self.drift_ppm * 1e-6)

    def arrival_ns(self, t_sent_ns: int) -> int:
        """When a message sent at this instant is received."""
        late = self.random.random() < 0.02
        delay_ms = 10 + 4 * self.random.random() if late else 0.2 + self.random.gamma(2.0, 0.25)
        self._arrived_ns = max(self._arrived_ns + 20_000, t_sent_ns + round(delay_ms * MS))
        return self._arrived_ns


@dataclass
class Cell:
    """Smooth motion at about `speed_mm_s`, poses at 125 Hz, frames every `period_ms`."""

    seed: int
    speed_mm_s: float = 0.0
    duration_ms: int = 3000
    period_ms: int = 100
    first_ms: int = 400
    exposure_ms: int = 8
    robot: Device = field(init=False)
    camera: Device = field(init=False)

    def __post_init__(self) -> None:
        random = np.random.default_rng(self.seed)
        self.robot = Device(
            random, random.uniform(-50, 50), int(random.integers(-(10**14), 10**14))
        )
        self.camera = Device(random, random.uniform(-50, 50), int(random.integers(0, 10**14)))
        # three sines per axis: 0.2 to 1.5 Hz, amplitudes that give the speed on average
        self._hz = random.uniform(0.2, 1.5, (6, 3))
        self._phase = random.uniform(0, 2 * np.pi, (6, 3))
        scale = self.speed_mm_s / (2 * np.pi * self._hz * 3)
        self._amplitude = random.uniform(0.5, 1.5, (6, 3)) * scale
        self._amplitude[3:] /= 500  # rad: turns as fast as a camera that circles the part
        self._start = CALIBRATION.mounting.part @ CALIBRATION.planned[0]

    def base_from_flange(self, t_host_ns: int) -> Transform:
        """Where the flange truly is."""
        angle = 2 * np.pi * self._hz * (t_host_ns * 1e-9) + self._phase
        off = (self._amplitude * np.sin(angle)).sum(axis=1)
        moved = np.eye(4)
        moved[:3, :3] = Rotation.from_rotvec(off[3:]).as_matrix()
        moved[:3, 3] = off[:3]
        placed: Transform = self._start @ moved @ np.linalg.inv(CALIBRATION.mounting.camera)
        return placed

    def pose(self, t_host_ns: int) -> Pose:
        """The pose that the robot samples and sends at this instant."""
        return Pose(
            self.robot.stamp_ns(t_host_ns),
            self.robot.arrival_ns(t_host_ns),
            self.base_from_flange(t_host_ns),
        )

    def frame(self, frame_id: int, t_host_ns: int) -> Frame:
        """The frame whose exposure starts at this instant."""
        sent_ns = t_host_ns + self.exposure_ms * MS + CALIBRATION.readout_ns
        return Frame(
            camera="camera",
            frame_id=frame_id,
            t_device_ns=self.camera.stamp_ns(t_host_ns),
            t_arrival_ns=self.camera.arrival_ns(sent_ns),
            exposure_ns=self.exposure_ms * MS,
            image=np.zeros(SIZE, np.uint8),
        )

    def exposures_ns(self) -> list[int]:
        """Start of each exposure, host clock."""
        last_ms = self.duration_ms - 200
        return [t_ms * MS + S for t_ms in range(self.first_ms, last_ms, self.period_ms)]

    def poses(self) -> list[Pose]:
        """The whole stream."""
        return [self.pose(t_ms * MS + S) for t_ms in range(0, self.duration_ms, 8)]

    def frames(self) -> list[Frame]:
        """All frames, numbered from 0."""
        return [self.frame(index, t_ns) for index, t_ns in enumerate(self.exposures_ns())]

    def error_mm(self, frame_id: int, part_from_camera: Transform) -> float:
        """How far a claimed pose is from the true one, its turn counted at the part's origin."""
        middle_ns = self.exposures_ns()[frame_id] + self.exposure_ms * MS // 2
        true = CALIBRATION.part_from_camera(self.base_from_flange(middle_ns))
        lever_mm = float(np.linalg.norm(true[:3, 3]))
        turn = np.radians(angle_deg(true, part_from_camera))
        return distance_mm(true, part_from_camera) + float(turn) * lever_mm


def in_order(poses: list[Pose], frames: list[Frame]) -> Iterator[Pose | Frame]:
    """Both streams in order of arrival."""
    events: list[Pose | Frame] = [*poses, *frames]
    yield from sorted(events, key=lambda event: event.t_arrival_ns)
