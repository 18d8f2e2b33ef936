"""What the stages hand to each other: frozen, validated, cautious by default.

A frame flows Frame -> View -> ScoreMap -> Defect -> Verdict. Nothing here knows a socket, a
thread, a clock or a file.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import Enum

import numpy as np
import numpy.typing as npt

from voxgate.runtime.checks import (
    check_colour,
    check_depth,
    check_image,
    check_picture,
    check_sensed,
)
from voxgate.runtime.instances import InstanceReport, Proven
from voxgate.runtime.transforms import Transform, check_rigid


class How(str, Enum):
    """Why a recipe takes over."""

    ASKED = "asked"  # prepare_recipe
    STARTED = "started"  # recipes.default
    ROLLED_BACK = "rolled_back"
    FELL_BACK = "fell_back"  # recipes.default could not be proven


GreyImage = npt.NDArray[np.uint8]
"""(h, w) uint8, as the sensor delivers it: lens distortion included."""
ColourImage = npt.NDArray[np.uint8]
"""(h, w, 3) uint8: red, green, blue; else as a grey one."""
Picture = npt.NDArray[np.uint8]
"""A grey image or a colour image: its number of dimensions tells."""
DepthMap = npt.NDArray[np.float32]
"""(h, w) float32, z in the camera frame, mm, NaN where the sensor had no return."""


class Device(str, Enum):
    """What hangs on the flange and exposes."""

    CAMERA = "camera"
    SENSOR = "sensor"  # a 3D sensor beside the camera


class Outcome(str, Enum):
    """What the robot acts on. Whatever is not proven good is not PASS."""

    PASS = "PASS"
    FAIL = "FAIL"
    INDETERMINATE = "INDETERMINATE"


class Reason(str, Enum):
    """Why a verdict is not PASS: a closed list, so that it can be a metric's label."""

    DEFECT = "defect"
    # the scan is incomplete or not to be trusted
    NO_VIEWS = "no_views"
    MISSING_VIEW = "missing_view"
    DUPLICATE_VIEW = "duplicate_view"
    UNPLANNED_VIEW = "unplanned_view"
    FRAME_LOST = "frame_lost"
    FRAME_INVALID = "frame_invalid"
    DEPTH_MISSING = "depth_missing"
    # time and place
    CLOCK_UNSYNCED = "clock_unsynced"
    POSE_MISSING = "pose_missing"
    POSE_GAP = "pose_gap"
    POSE_INVALID = "pose_invalid"
    POSE_ORDER = "pose_order"
    POSE_UNCERTAIN = "pose_uncertain"
    OUT_OF_GRID = "out_of_grid"
    MISALIGNED = "misaligned"
    ALIGNMENT_FAILED = "alignment_failed"
    COVERAGE = "coverage"
    CALIBRATION_DRIFT = "calibration_drift"
    VIEWS_DISAGREE = "views_disagree"
    # a tray of several parts
    ODD = "odd"
    TOO_FEW = "too_few_instances"
    TOUCHING = "instances_touch"
    MOVED = "instance_moved"
    NO_MAJORITY = "no_majority"
    TURNED_OVER = "turned_over"
    # what inspects
    SCORE_INVALID = "score_invalid"
    ENGINE_FAILED = "engine_failed"
    # what carries
    CAMERA_LOST = "camera_lost"
    QUEUE_OVERFLOW = "queue_overflow"
    JOURNAL_FAILED = "journal_failed"
    DEADLINE = "deadline"
    ABORTED = "aborted"
    SHUTDOWN = "shutdown"
    CRASHED = "crashed"
    NOT_DECIDED = "not_decided"


@dataclass(frozen=True, slots=True)
class JobIdentity:
    """Which inspection: of which part, by which recipe (name/version) and configuration.

    is_simulated: no line may act on its verdict.
    """

    job_id: str
    part_id: str
    recipe: str
    configuration_id: str
    is_simulated: bool


@dataclass(frozen=True, slots=True)
class Origin:
    """By what exactly a part was inspected; a label can be given twice, these cannot.

    recipe_digest: sha256 of the manifest, which holds that of every file; signer: who answers for
    it, None: nobody; plan_digests: sha256 of the plans a GPU ran; calibration_digest: of the
    calibration; software: version and digest of the code.
    """

    recipe_digest: str = ""
    signer: str | None = None
    plan_digests: tuple[str, ...] = ()
    calibration_digest: str = ""
    software: str = ""


@dataclass(frozen=True, slots=True)
class Note:
    """One reason with the words a person reads: which view, how many mm, what to do."""

    reason: Reason
    detail: str


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """What one exposure delivered, stamped by the device and by this host.

    t_device_ns: start of exposure on the camera's own clock.
    t_arrival_ns: complete frame in this host, host monotonic clock.
    depth_mm: on the image's pixels.
    device: of a sensor beside the camera, image is its own grey, or blank.
    sensed_mm: depth of a sensor beside the camera that exposed together with it, on its own pixels
        and in its own frame.
    """

    camera: str
    frame_id: int
    t_device_ns: int
    t_arrival_ns: int
    exposure_ns: int
    image: Picture
    depth_mm: DepthMap | None = None
    sensed_mm: DepthMap | None = None
    device: Device = Device.CAMERA

    def __post_init__(self) -> None:
        check_picture(self.image)
        check_depth(self.depth_mm, self.image)
        check_sensed(self.sensed_mm, self.depth_mm)
        if self.exposure_ns < 0:
            raise ValueError(f"exposure must not be negative, got {self.exposure_ns} ns")


@dataclass(frozen=True, slots=True, eq=False)
class Pose:
    """The flange in the robot's base, as the robot reports it on its own clock.

    t_arrival_ns: when the host saw that it had come, host monotonic clock.
    t_awaited_ns: of a host that looks when it can, when it had not come yet; None: it looked at
        once.
    """

    t_robot_ns: int
    t_arrival_ns: int
    base_from_flange: Transform
    t_awaited_ns: int | None = None

    def __post_init__(self) -> None:
        check_rigid(self.base_from_flange)


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """One frame with its proven place: the camera in the part's frame at mid-exposure.

    image: grey; of a colour picture its luma (pixels.colour). colour: (h, w, 3) the same picture in
        colour, None where the camera sees none.
    uncertainty_mm: how far the camera may have moved within the time residual of both clocks.
    sensed: what a 3D sensor beside the camera measured, on its own pixels, from its own place; its
        picture is blank. Once that surface is brought into the camera (geometry.brought), depth_mm
        is what the camera sees of it, and sensed_at (h, w) int32 the number of the sensor's pixel
        that each of the camera's sees, or -1.
    camera: of several cameras, which; empty: the cell's only one.
    """

    frame_id: int
    image: GreyImage
    part_from_camera: Transform
    uncertainty_mm: float
    depth_mm: DepthMap | None = None
    sensed: View | None = None
    sensed_at: npt.NDArray[np.int32] | None = None
    colour: ColourImage | None = None
    camera: str = ""

    @property
    def picture(self) -> Picture:
        """All that the camera saw: in colour where it sees colour."""
        return self.image if self.colour is None else self.colour

    @property
    def shape(self) -> View:
        """By which shape is judged: the sensor's view, or this one where depth is aligned."""
        return self if self.sensed is None else self.sensed

    def __post_init__(self) -> None:
        check_image(self.image)
        check_colour(self.colour, self.image)
        check_depth(self.depth_mm, self.image)
        check_rigid(self.part_from_camera)
        if not (np.isfinite(self.uncertainty_mm) and self.uncertainty_mm >= 0):
            raise ValueError(f"uncertainty must be finite and >= 0, got {self.uncertainty_mm} mm")


@dataclass(frozen=True, slots=True, eq=False)
class ScoreMap:
    """Anomaly score per pixel, (h, w) float32, 1.0 = threshold. Finite, or it refuses to exist."""

    score: npt.NDArray[np.float32]

    def __post_init__(self) -> None:
        if self.score.ndim != 2 or self.score.dtype != np.float32:
            raise ValueError(
                f"a score map is (h, w) float32, got {self.score.shape} {self.score.dtype}"
            )
        if not np.isfinite(self.score).all():
            raise ValueError("a score map must be finite, got NaN or infinity")


@dataclass(frozen=True, slots=True)
class Defect:
    """One 26-connected group of voxels at or above the threshold, largest score first."""

    centroid_part_mm: tuple[float, float, float]
    centroid_base_mm: tuple[float, float, float]
    size_mm: tuple[float, float, float]  # axis-aligned extent in the part frame
    volume_mm3: float
    peak_score: float
    voxels: int
    views: int  # planned viewpoints that saw it at or above the threshold


@dataclass(frozen=True, slots=True)
class ViewReport:
    """What became of one planned viewpoint. camera: of several, which."""

    view: int
    frame_id: int
    uncertainty_mm: float
    peak_score: float
    camera: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Alignment:
    """How this instance stands on the fixture, against the instance the recipe was made from.

    lift_mm: how much higher over the table, at that corner of its foot where it is most; None where
    no table is seen.
    """

    reference_from_part: Transform
    shift_mm: float  # of the part's centre
    rotation_deg: float
    residual_mm: float  # robust spread of measured depth about the expected surface
    inliers: float  # fraction of compared points that agree
    lift_mm: float | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Drift:
    """How far the camera must have moved on the flange for the views to agree, and what is left.

    drift_mm, drift_px: rms over the measured surface. residual_mm: robust spread of the distance
    between two views' surfaces after that motion. camera_from_before: the motion itself, to be
    multiplied from the right to flange_from_camera. compared: points that two views saw. Where the
    views tell of some motions only, it is of those: the camera may have moved further. told: the
    share of any motion's size that would show in them, on average.
    """

    drift_mm: float
    drift_px: float
    residual_mm: float
    camera_from_before: Transform
    compared: int
    told: float = 1.0


@dataclass(frozen=True, slots=True)
class Verdict:
    """The one answer to one part. Without an argument it is INDETERMINATE and says so."""

    outcome: Outcome = Outcome.INDETERMINATE
    notes: tuple[Note, ...] = (Note(Reason.NOT_DECIDED, "nothing was decided"),)
    score: float | None = None  # the part's score; 1.0 is the threshold
    coverage: float | None = None  # fraction of the expected surface that was seen
    defects: tuple[Defect, ...] = ()
    views: tuple[ViewReport, ...] = ()
    alignment: Alignment | None = None
    drift: Drift | None = None  # None: the views overlap too little to tell
    instances: tuple[InstanceReport, ...] = ()  # of a tray of several parts
    proven: Proven | None = None  # of a tray: what would have been found
    timing_ms: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        odd = any(each.odd is not False for each in self.instances)
        if self.outcome is Outcome.PASS and (self.notes or self.defects or odd):
            raise ValueError("a PASS has neither reasons against it nor defects nor odd instances")
        if self.outcome is not Outcome.PASS and not self.notes:
            raise ValueError(f"{self.outcome.value} needs a reason")

    def timed(self, **timing_ms: float) -> Verdict:
        """The same verdict with more timings."""
        return replace(self, timing_ms=self.timing_ms | timing_ms)

    @property
    def reasons(self) -> tuple[Reason, ...]:
        """The reasons without their words, each once, in order."""
        return tuple(dict.fromkeys(note.reason for note in self.notes))
