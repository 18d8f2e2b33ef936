"""What the inspection thread tells the loop."""

from __future__ import annotations

from dataclasses import dataclass

from voxgate.runtime.common.timings import Timing
from voxgate.runtime.jobs.part_inspector import Prepared
from voxgate.runtime.nouns import Verdict


@dataclass(frozen=True, slots=True)
class RecipeReady:
    prepared: Prepared
    took_ns: int


@dataclass(frozen=True, slots=True)
class RecipeFailed:
    detail: str


@dataclass(frozen=True, slots=True)
class ViewInspected:
    job: int
    complete: bool
    queued_ns: int
    took_ns: int
    timings: tuple[Timing, ...]  # of what was done; the first views wait for each other


@dataclass(frozen=True, slots=True)
class JobFinished:
    job: int
    verdict: Verdict
    took_ns: int
    timings: tuple[Timing, ...]


@dataclass(frozen=True, slots=True)
class InspectionFailed:
    """The inspector raised what it must not raise."""

    job: int
    detail: str


InspectionEvent = RecipeReady | RecipeFailed | ViewInspected | JobFinished | InspectionFailed
