"""Score a view and fuse it into the volume: what the inspector asks for, wherever it is done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from runtime.crew import Crew
from runtime.engine import Engine, Tensor, score_map
from runtime.lift import LiftCounts, lift, lift_points
from runtime.nouns import View, ViewReport
from runtime.rays import Rays
from runtime.register import LOST_SCORE, Registered
from runtime.timings import Stopwatch, Work
from runtime.volume import Volume

NOT_FINITE = "the model on {backend} gave no score: it must be finite"


@dataclass(frozen=True, slots=True, eq=False)
class Scored:
    """One view, ready to be scored and fused.

    inputs: for the model; None where a detector of the whole part scores later, and the view only
        says what was seen.
    registered: None where the recipe compares with no golden view.
    """

    planned: int
    view: View
    inputs: dict[str, Tensor] | None
    registered: Registered | None


@dataclass(frozen=True, slots=True)
class Fused:
    """What became of the views of one part. failed: planned view -> the engine's words.

    unplaced: planned view -> largest score where the sensor gave no return and no golden view tells
    where that is.
    """

    reports: tuple[ViewReport, ...]
    counts: tuple[LiftCounts, ...]
    failed: tuple[tuple[int, str], ...] = ()
    unplaced: tuple[tuple[int, float], ...] = ()


class Fusion(Protocol):
    """Owned and called by the inspector's thread, one part after the other."""

    def start(self) -> None:
        """Forget the last part."""

    def add(self, scored: Scored) -> None:
        """Score and fuse, now or in the background. Raises EngineError; the view is lost then."""

    def finish(self) -> Fused:
        """Wait until everything is in the volume. Raises EngineError when the part is lost."""

    def close(self) -> None:
        """Let go of the device, before the engine gives it back."""


class HostFusion:
    """Each view at once: the engine gives a score map, the CPU fuses it.

    geometry: whether deviation from the golden surface scores too. channels: volumes of single
    detectors, "model" and "geometry", for a classifier that wants to know who said it.
    """

    def __init__(
        self,
        engine: Engine,
        volume: Volume,
        rays: Rays,
        geometry: bool,
        crew: Crew,
        watch: Stopwatch,
        channels: Mapping[str, Volume],
    ) -> None:
        self._engine = engine
        self._volume = volume
        self._rays = rays
        self._geometry = geometry
        self._crew = crew
        self._watch = watch
        self._channels = channels
        self._reports: list[ViewReport] = []
        self._counts: list[LiftCounts] = []
        self._unplaced: list[tuple[int, float]] = []

    def start(self) -> None:
        self._reports, self._counts, self._unplaced = [], [], []

    def add(self, scored: Scored) -> None:
        model = self._score(scored)
        score = model
        if scored.registered is not None and self._geometry:
            score = np.maximum(model, scored.registered.geometry)
        with self._watch.time(Work.FUSE):
            self.fuse(scored, score)
            self._fuse_channels(scored, model)
        view = scored.view
        self._reports.append(
            ViewReport(scored.planned, view.frame_id, view.uncertainty_mm, float(score.max()))
        )

    def finish(self) -> Fused:
        return Fused(tuple(self._reports), tuple(self._counts), unplaced=tuple(self._unplaced))

    def close(self) -> None:
        self.start()

    def _score(self, scored: Scored) -> npt.NDArray[np.float32]:
        """(h, w) what the model says."""
        if scored.inputs is None:
            return np.zeros(scored.view.image.shape, np.float32)
        with self._watch.time(Work.ENGINE):
            return score_map(self._engine, scored.inputs).score

    def fuse(self, scored: Scored, score: npt.NDArray[np.float32]) -> None:
        """Put (h, w) scores of a view into the volume, whoever gave them."""
        view, planned, registered = scored.view, scored.planned, scored.registered
        assert view.depth_mm is not None  # the inspector has refused it
        pose = view.part_from_camera
        self._counts.append(
            lift(self._volume, score, view.depth_mm, self._rays, pose, planned, self._crew)
        )
        if registered is None:
            silent = score[~(view.depth_mm > 0)]
            self._unplaced.append((planned, float(silent.max(initial=0.0))))
            return
        # the picture speaks also where the depth is silent
        lost, weak = registered.lost_mm, score[registered.lost]
        if self._geometry:
            gone, strength = registered.vanished_mm, registered.vanished_score
            self._counts.append(lift_points(self._volume, gone, strength, planned, self._crew))
            weak = np.maximum(weak, np.float32(LOST_SCORE))
        self._counts.append(lift_points(self._volume, lost, weak, planned, self._crew, seen=False))

    def _fuse_channels(self, scored: Scored, model: npt.NDArray[np.float32]) -> None:
        registered, view, planned = scored.registered, scored.view, scored.planned
        assert view.depth_mm is not None  # the inspector has refused it
        geometry = None if registered is None else registered.geometry
        planes = {"model": model, "geometry": geometry}
        pose = view.part_from_camera
        for name, volume in self._channels.items():
            if (plane := planes[name]) is not None:
                lift(volume, plane, view.depth_mm, self._rays, pose, planned, self._crew)
        if registered is not None and "geometry" in self._channels:
            gone, strength = registered.vanished_mm, registered.vanished_score
            lift_points(self._channels["geometry"], gone, strength, planned, self._crew)
