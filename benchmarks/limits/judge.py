"""The pipeline that serves, asked about views instead of a recorded scan."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from voxgate.benchmarks.limits.photo import Array, Photo
from voxgate.benchmarks.limits.place import Place
from voxgate.export.reference.reference import export_reference_recipe
from voxgate.runtime.config.settings import DEFAULTS
from voxgate.runtime.inspection.inspector import Inspector
from voxgate.runtime.nouns import Outcome, Verdict, View
from voxgate.runtime.recipe.recipe import Recipe
from voxgate.runtime.scans.open_scan import open_scan
from voxgate.runtime.scans.placed import views_of

BESIDE_MM = 3.0  # a defect's voxels may lie this far beside its rim


@dataclass(frozen=True, slots=True)
class Answer:
    """Of one place: whether the part was failed for it, and the largest score there."""

    found: bool
    score: float


class Judge:
    """One part type: its recipe of the golden scan, its good test scans."""

    def __init__(self, part: Path, inspector: Inspector) -> None:
        self.part = part
        self.inspector = inspector

    @classmethod
    @contextmanager
    def of(cls, part: Path, work: Path) -> Iterator[Judge]:
        """Exported into `work`, closed behind."""
        folder = work / part.name
        if not folder.exists():
            export_reference_recipe(part / "golden", folder)
        recipe, calibration = Recipe.load(folder), open_scan(part / "golden").calibration
        settings = replace(DEFAULTS, threads=1)  # one part type to a core
        opened = Inspector.open(recipe, calibration, settings.limits, threads=settings.threads)
        with closing(opened) as inspector:
            yield cls(part, inspector)

    def good_scans(self) -> list[Path]:
        """The test scans without a defect."""
        truths = sorted(self.part.glob("test/*/truth.json"))
        return [t.parent for t in truths if not json.loads(t.read_text("utf-8"))["defects"]]

    def verdict(self, views: Sequence[View]) -> Verdict:
        """On one part."""
        return self.inspector.inspect(views)

    def answers(
        self, views: Sequence[View], places: Sequence[Place], reach_mm: float
    ) -> list[Answer]:
        """Of one part with a defect at each place."""
        return self.answers_at(views, [place.centre_mm for place in places], reach_mm)

    def answers_at(
        self, views: Sequence[View], centres_mm: Sequence[Array], reach_mm: float
    ) -> list[Answer]:
        """The same, of places by their centres (3,), part frame."""
        verdict = self.verdict(views)
        voxels = self.inspector.volume.occupied()
        centres = self.inspector.recipe.grid.centres_mm(voxels.ijk)
        radius_mm = reach_mm + BESIDE_MM
        return [_answer(verdict, at, centres, voxels.score, radius_mm) for at in centres_mm]


def recorded(scan: Path) -> list[View]:
    """A scan's views, placed as on the line."""
    placed = views_of(open_scan(scan), DEFAULTS.max_gap_ns, np.inf)
    return [view for view in placed if isinstance(view, View)]


def with_pixels(views: Sequence[View], photos: Sequence[Photo], unit_mm: float) -> list[View]:
    """The line's poses with the pixels of the photos, depth in the sensor's counts."""
    return [
        replace(
            view,
            image=photo.image,
            depth_mm=(np.rint(photo.depth_mm / unit_mm) * unit_mm).astype(np.float32),
        )
        for view, photo in zip(views, photos, strict=True)
    ]


def _answer(
    verdict: Verdict,
    at_mm: Array,
    centres_mm: Array,
    scores: npt.NDArray[np.float32],
    radius_mm: float,
) -> Answer:
    here = np.linalg.norm(centres_mm - at_mm, axis=1) <= radius_mm
    score = float(scores[here].max(initial=0.0))
    return Answer(verdict.outcome is Outcome.FAIL and score >= 1.0, score)
