"""Box -> robot: the verdict, the one answer to one job."""

from __future__ import annotations

from datetime import datetime
from enum import Enum
from typing import Annotated, Literal

from pydantic import Field, model_validator

from voxgate.runtime.nouns import Outcome, Reason
from voxgate.runtime.wire.fields import (
    Coordinate,
    Count,
    Detail,
    Identifier,
    Message,
    NotNegative,
    Point,
    RecipeName,
)

MAX_DEFECTS = 100  # listed in a verdict, worst first; `defect_count` counts all of them
MAX_REASONS = 100
MAX_INSTANCES = 100


class ReasonMessage(Message):
    """Why the verdict is not PASS: a word from a closed list and a sentence."""

    reason: Reason
    detail: Detail


class DefectMessage(Message):
    """One defect, mm, in the part's frame and in the robot's base."""

    centroid_part_mm: Point
    centroid_base_mm: Point
    size_mm: tuple[NotNegative, NotNegative, NotNegative]
    volume_mm3: NotNegative
    peak_score: NotNegative
    voxels: Count
    views: Count


class ViewMessage(Message):
    """What became of one planned viewpoint."""

    view: Count
    frame_id: Count
    uncertainty_mm: NotNegative
    peak_score: NotNegative
    camera: Annotated[str, Field(max_length=64)] | None = Field(
        default=None, description="of several cameras, which; each counts its own views"
    )


Box = tuple[Point, Point]


class OddityMessage(Message):
    """Where an instance differs from its neighbours, mm."""

    centre_part_mm: Point
    centre_base_mm: Point
    box_part_mm: Box
    score: NotNegative
    deviation_mm: Coordinate | None = Field(description="+ more material than they have; or null")
    brighter: float | None = Field(
        description="0.1 a tenth brighter than they are; or null; both null: of another hue"
    )


class InstanceMessage(Message):
    """One part of a tray, mm; boxes are lowest and highest corner along the axes of each frame."""

    id: Count = Field(description="from 1")
    box_part_mm: Box
    box_base_mm: Box
    centre_part_mm: Point
    centre_base_mm: Point
    score: NotNegative | None = Field(description="1.0 is the threshold; null: not compared")
    odd: bool | None = Field(description="null: not compared")
    seen_by: tuple[Count, ...] = Field(max_length=1000, description="planned views")
    defects: tuple[OddityMessage, ...] = Field(max_length=MAX_DEFECTS)


class AlignmentMessage(Message):
    """How the part stood on the fixture: reference_from_part is 4x4, row by row, mm."""

    reference_from_part: tuple[tuple[Coordinate, Coordinate, Coordinate, Coordinate], ...] = Field(
        min_length=4, max_length=4
    )
    shift_mm: NotNegative
    rotation_deg: Annotated[float, Field(ge=0, le=180)]
    residual_mm: NotNegative
    inliers: Annotated[float, Field(ge=0, le=1)]


class DriftMessage(Message):
    """What the views say of the calibration: how far the camera must have moved, to agree."""

    drift_mm: NotNegative = Field(description="rms over the measured surface")
    drift_px: NotNegative = Field(description="the same in the picture")
    residual_mm: NotNegative = Field(description="disagreement of two views after that motion")


Digest = Annotated[str, Field(pattern=r"^([0-9a-f]{64})?$")]


class OriginMessage(Message):
    """By what exactly the part was inspected: two recipes may have one label, never one digest."""

    recipe_digest: Digest = Field(description="sha256 of manifest.json")
    signer: Annotated[str, Field(max_length=64)] | None = Field(description="of the recipe")
    plan_digests: tuple[Digest, ...] = Field(
        default=(), max_length=16, description="sha256 of the TensorRT plans that ran"
    )
    calibration_digest: Digest
    software: Annotated[str, Field(max_length=64)] = Field(
        description="version, and a digest of the code"
    )


class EvidenceStatus(str, Enum):
    """Whether the pictures behind a verdict are kept; it changes nothing about the verdict."""

    QUEUED = "queued"  # taken; written behind the verdict, a fault says if that fails
    MISSING = "missing"  # could not be taken: queue or disk full, folder not writable
    OFF = "off"  # the configuration asks for none


class VerdictMessage(Message):
    """Topic `verdict.<cell>`, and the `result` of a reply: the one answer to one job."""

    result_id: Identifier
    job_id: Identifier
    part_id: Identifier
    recipe: RecipeName
    configuration_id: Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")] = Field(
        description="hash of the cell's configuration, calibration included"
    )
    is_partial: Literal[False] = Field(
        default=False, description="OPC 40100-1; false: nothing follows, one verdict per job"
    )
    is_simulated: bool = Field(description="true: no line may act on this verdict")
    created_utc: datetime = Field(description="UTC of the journal entry, RFC 3339")
    outcome: Outcome
    reasons: tuple[ReasonMessage, ...] = Field(max_length=MAX_REASONS)
    score: NotNegative | None = Field(description="the part's score; 1.0 is the threshold")
    threshold: Annotated[float, Field(ge=1, le=1)] = 1.0
    coverage: Annotated[float, Field(ge=0, le=1)] | None = Field(
        description="seen fraction of the expected surface"
    )
    defects: tuple[DefectMessage, ...] = Field(max_length=MAX_DEFECTS)
    defect_count: Count = Field(description="may be more than are listed")
    instances: tuple[InstanceMessage, ...] = Field(
        default=(), max_length=MAX_INSTANCES, description="of a tray of several parts"
    )
    smallest_mm: NotNegative | None = Field(
        default=None,
        description="of a tray: what is as large as this every way would have been found",
    )
    least_contrast: Annotated[float, Field(ge=0, le=1)] | None = Field(
        default=None,
        description="of a tray: share of the grey value by which a mark as wide as smallest_mm "
        "must differ to be found for certain",
    )
    least_depth_mm: NotNegative | None = Field(
        default=None,
        description="of a tray: how deep a hollow twice as wide as smallest_mm must be to be found "
        "for certain; null: of hollows nothing is proven",
    )
    views: tuple[ViewMessage, ...] = Field(max_length=1000)
    alignment: AlignmentMessage | None
    drift: DriftMessage | None = Field(
        default=None, description="None: the views overlap too little to tell"
    )
    backend: Annotated[str, Field(max_length=64)]
    origin: OriginMessage | None = Field(
        default=None, description="None: of a job that a crash left open, or an older VoxGate"
    )
    evidence: EvidenceStatus = Field(
        default=EvidenceStatus.OFF, description="whether the job's recording is kept"
    )
    timing_ms: dict[Annotated[str, Field(pattern=r"^[a-z0-9_]{1,48}$")], NotNegative] = Field(
        max_length=64
    )

    @model_validator(mode="after")
    def _pass_is_proven(self) -> VerdictMessage:
        if self.outcome is Outcome.PASS and (self.reasons or self.defects or self.score is None):
            raise ValueError("a PASS has a score and neither reasons against it nor defects")
        if self.outcome is Outcome.PASS and any(each.odd is not False for each in self.instances):
            raise ValueError("a PASS has no instance that is odd or was not compared")
        if self.outcome is not Outcome.PASS and not self.reasons:
            raise ValueError(f"{self.outcome.value} needs a reason")
        return self
