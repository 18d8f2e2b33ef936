"""Score a view and fuse it into the volume: what the inspector asks for, wherever it is done."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from functools import reduce
from typing import Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from voxgate.runtime.common.crew import Crew
from voxgate.runtime.common.timings import Stopwatch, Work
from voxgate.runtime.comparison.registered import Registered
from voxgate.runtime.engines.engine import Engine, Tensor, of_detector, score_map
from voxgate.runtime.engines.vigil import Vigil, seen_by
from voxgate.runtime.errors import EngineError
from voxgate.runtime.geometry.rays import Rays
from voxgate.runtime.nouns import Note, View, ViewReport
from voxgate.runtime.recipe.manifest import GEOMETRY, MODEL
from voxgate.runtime.volume.lift import LiftCounts, lift, lift_points
from voxgate.runtime.volume.volume import LOST_SCORE, Volume

Plane = npt.NDArray[np.float32]
Scored = TypeVar("Scored")
Judge = Callable[[Crew], Registered | None]
"""Judges the shape of a view with this crew; None where there is nothing to compare it with."""
NOT_FINITE = "the model on {backend} gave no score: it must be finite"


@dataclass(frozen=True, slots=True, eq=False)
class Described:
    """One view, and what the detectors get of it.

    inputs: for the model; None where a detector of the whole part scores later, and the view only
        says what was seen.
    further: name -> inputs of each further model.
    registered: what its shape is judged to be; None before that, and where the recipe compares with
        no golden view.
    """

    planned: int
    view: View
    inputs: dict[str, Tensor] | None
    further: Mapping[str, dict[str, Tensor]] = field(default_factory=dict)
    registered: Registered | None = None

    def kept(self, shape: bool) -> Described:
        """As it is remembered: with the shape, or without what a sensor beside the camera measured
        and is said of that, which is in the volume, and several times as large as the picture."""
        if shape or self.registered is None or self.registered.sensed is None:
            return self
        view = replace(self.view, sensed=None, sensed_at=None)
        return replace(self, view=view, registered=replace(self.registered, sensed=None))


@dataclass(frozen=True, slots=True)
class Models:
    """The recipe's models by channel, the first one first.

    narrow: those that speak also where narrow edges gave no return (see the manifest).
    looking: those that judge the picture alone: they speak where nothing was ever measured.
    vigils: who watches the answers of each.
    """

    engines: Mapping[str, Engine]
    narrow: frozenset[str]
    looking: frozenset[str]
    vigils: Mapping[str, Vigil]

    def without(self, names: Sequence[str]) -> Models:
        """Those that score views, where these only see for another."""
        return replace(self, engines={n: e for n, e in self.engines.items() if n not in names})


@dataclass(frozen=True, slots=True, eq=False)
class Said:
    """What all detectors say of one view together: the largest score of them, pixel by pixel.

    score: (h, w); lost: (m,) of the registered view's lost pixels, by those who may speak there.
    """

    score: Plane
    lost: Plane


@dataclass(frozen=True, slots=True)
class Fused:
    """What became of the views of one part. failed: planned view -> the engine's words.

    unplaced: planned view -> largest score where the sensor gave no return and no golden view tells
    where that is. notes: what a detector of the whole part holds against it.
    """

    reports: tuple[ViewReport, ...]
    counts: tuple[LiftCounts, ...]
    failed: tuple[tuple[int, str], ...] = ()
    unplaced: tuple[tuple[int, float], ...] = ()
    notes: tuple[Note, ...] = ()


class Fusion(Protocol):
    """Owned and called by the inspector's thread, one part after the other."""

    def start(self) -> None:
        """Forget the last part."""

    def add(self, described: Described, judge: Judge) -> Described:
        """Score and fuse, now or in the background, and judge the view's shape meanwhile.

        Returns it as it was judged. Raises EngineError; the view is lost then.
        """

    def finish(self) -> Fused:
        """Wait until everything is in the volume. Raises EngineError when the part is lost."""

    def close(self) -> None:
        """Let go of the device, before the engine gives it back."""


class HostFusion:
    """Each view at once: the engine gives a score map, the CPU fuses it.

    geometry: whether deviation from the golden surface scores too. channels: volumes of single
    detectors, "model", "geometry" and further models' names, for a classifier that wants to know
    who said it. The part itself is as bad as the worst of them says: what one detector does not
    prove good is not PASS because others like it.
    """

    def __init__(
        self,
        models: Models,
        volume: Volume,
        rays: Rays,
        geometry: bool,
        crew: Crew,
        watch: Stopwatch,
        channels: Mapping[str, Volume],
    ) -> None:
        self._models = models
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

    def add(self, described: Described, judge: Judge) -> Described:
        # all before any is fused: a view is lost as a whole
        planes, described = self.beside(lambda: self._score(described), described, judge)
        registered = described.registered
        if registered is not None and registered.sensed is None:
            planes[GEOMETRY] = registered.geometry
        with self._watch.time(Work.FUSE):
            said = self._together(described, planes)
            self.fuse(described, said)
            self._fuse_channels(described, planes)
        view, peak = described.view, self._peak(described, said)
        self._reports.append(
            ViewReport(described.planned, view.frame_id, view.uncertainty_mm, peak)
        )
        return described

    def beside(
        self, score: Callable[[], Scored], described: Described, judge: Judge
    ) -> tuple[Scored, Described]:
        """What the models say, and the view with its shape judged: a model on onnxruntime or a GPU
        leaves a core to that."""
        scored, registered = self._crew.both(score, lambda: judge(self._crew.alone))
        return scored, replace(described, registered=registered)

    def finish(self) -> Fused:
        return Fused(tuple(self._reports), tuple(self._counts), unplaced=tuple(self._unplaced))

    def close(self) -> None:
        self.start()

    def _score(self, described: Described) -> dict[str, Plane]:
        """(h, w) what each model says, by channel. Raises EngineError when one of them fails."""
        planes = {MODEL: np.zeros(described.view.image.shape, np.float32)}
        if described.inputs is not None:
            with self._watch.time(Work.ENGINE):
                planes = {name: self._map(name, described) for name in self._models.engines}
        return planes

    def _peak(self, described: Described, said: Said) -> float:
        peak, registered = float(said.score.max()), described.registered
        if registered is None or not self._geometry:
            return peak
        return max(peak, float(registered.shape.geometry.max()))

    def _map(self, name: str, described: Described) -> Plane:
        engine, view = self._models.engines[name], described.view
        inputs = described.inputs if name == MODEL else described.further[name]
        assert inputs is not None
        with nullcontext() if name == MODEL else of_detector(name):
            plane = _map_of(engine, inputs, view)
            self._models.vigils[name].watch(seen_by(engine.inputs, view), plane)
        return plane

    def _together(self, described: Described, planes: Mapping[str, Plane]) -> Said:
        speakers = [name for name in planes if name != GEOMETRY or self._geometry]
        score = reduce(np.maximum, [planes[name] for name in speakers])
        registered = described.registered
        if registered is None:
            return Said(score, np.zeros(0, np.float32))
        weak = np.float32(LOST_SCORE if self._geometry else 0) * registered.lost_weight
        lost = score[registered.lost]
        narrow = [planes[name][registered.lost] for name in speakers if name in self._models.narrow]
        said = np.maximum(lost, weak)
        if narrow and len(narrow) < len(speakers):
            said = np.where(registered.lost_wide, said, reduce(np.maximum, narrow))
        looked = [planes[name][registered.lost] for name in self._models.looking]
        if looked:
            said = np.where(registered.shown, reduce(np.maximum, looked), said)
        return Said(score, said)

    def fuse(self, described: Described, said: Said) -> None:
        """Put a view's scores into the volume, whoever gave them."""
        view, planned, registered = described.view, described.planned, described.registered
        assert view.depth_mm is not None  # the inspector has refused it
        pose = view.part_from_camera
        self._counts.append(
            lift(self._volume, said.score, view.depth_mm, self._rays, pose, planned, self._crew)
        )
        if registered is None:
            silent = said.score[~(view.depth_mm > 0)]
            self._unplaced.append((planned, float(silent.max(initial=0.0))))
            return
        if registered.sensed is not None:
            self._fuse_sensed(view, registered.sensed, planned)
        if self._geometry:
            shape = registered.shape
            gone, strength = shape.vanished_mm, shape.vanished_score
            self._counts.append(lift_points(self._volume, gone, strength, planned, self._crew))
        # the picture speaks also where the depth is silent
        lost, weak = registered.lost_mm, said.lost
        self._counts.append(lift_points(self._volume, lost, weak, planned, self._crew, seen=False))

    def _fuse_sensed(self, view: View, shape: Registered, planned: int) -> None:
        """What a sensor beside the camera says, on its own pixels."""
        says = np.float32(self._geometry)
        score, lost = says * shape.geometry, says * np.float32(LOST_SCORE) * shape.lost_weight
        self._counts.append(self._lift_sensed(self._volume, view, score, planned))
        self._counts.append(
            lift_points(self._volume, shape.lost_mm, lost, planned, self._crew, seen=False)
        )

    def _lift_sensed(self, volume: Volume, view: View, score: Plane, planned: int) -> LiftCounts:
        of_sensor, pose = view.shape, view.shape.part_from_camera
        assert of_sensor.depth_mm is not None  # the inspector has refused it
        return lift(volume, score, of_sensor.depth_mm, self._rays.shape, pose, planned, self._crew)

    def _fuse_channels(self, described: Described, planes: Mapping[str, Plane]) -> None:
        registered, view, planned = described.registered, described.view, described.planned
        assert view.depth_mm is not None  # the inspector has refused it
        pose = view.part_from_camera
        for name, volume in self._channels.items():
            if (plane := planes.get(name)) is not None:
                lift(volume, plane, view.depth_mm, self._rays, pose, planned, self._crew)
        if registered is not None and GEOMETRY in self._channels:
            own, shape = self._channels[GEOMETRY], registered.shape
            if registered.sensed is not None:
                self._lift_sensed(own, view, shape.geometry, planned)
            lift_points(own, shape.vanished_mm, shape.vanished_score, planned, self._crew)


def _map_of(engine: Engine, inputs: dict[str, Tensor], view: View) -> Plane:
    plane = score_map(engine, inputs).score
    if plane.shape != view.image.shape:
        raise EngineError(f"the model's map is {plane.shape}, the picture {view.image.shape}")
    return plane
