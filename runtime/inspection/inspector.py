"""The method on one page: start -> add(view)* -> finish() -> Verdict.

    view -> planned viewpoint -> [first views: how does the part stand?] -> golden view re-rendered
    into this view -> appearance and geometry scores -> volume -> coverage, defects -> truth table

A recipe of several models asks all of them about every view; the largest score counts, for whatever
one of them does not prove good is not PASS. One that fails takes its view with it.

A volume detector scores the part as a whole: its views only fill the volume, it speaks at the end.

No thread, socket, clock or file in here: live service, offline inspection and replay run the same
lines. What goes wrong on the way becomes a note, and a verdict with such a note is never PASS.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TypeVar

import numpy as np

from voxgate.runtime.common.crew import Crew
from voxgate.runtime.common.timings import Stopwatch, Timing, Work
from voxgate.runtime.config.limits import Limits
from voxgate.runtime.engines.backends import DEFAULT_BACKEND
from voxgate.runtime.engines.engine import Engine, open_engine, open_further
from voxgate.runtime.engines.plan_cache import PlanCache
from voxgate.runtime.engines.tensorrt_engine import DeviceEngine
from voxgate.runtime.engines.vigil import Vigil
from voxgate.runtime.errors import EngineError, RecipeError
from voxgate.runtime.fusion.device import DeviceFusion
from voxgate.runtime.fusion.host import Fusion, HostFusion, Models, Scored
from voxgate.runtime.geometry.align import align
from voxgate.runtime.geometry.calibration import Calibration
from voxgate.runtime.geometry.drift import DriftGauge
from voxgate.runtime.geometry.expected import ExpectedView, expect
from voxgate.runtime.geometry.rays import Rays
from voxgate.runtime.geometry.register import Registered, register
from voxgate.runtime.inspection.decide import Evidence, decide
from voxgate.runtime.inspection.inputs import ViewInputs
from voxgate.runtime.inspection.volume_detector import VolumeDetector
from voxgate.runtime.inspection.warm_up import warm_up
from voxgate.runtime.nouns import Alignment, Note, Reason, Verdict, View, ViewReport
from voxgate.runtime.recipe.manifest import MODEL
from voxgate.runtime.recipe.recipe import Recipe
from voxgate.runtime.recipe.zones import Zones
from voxgate.runtime.transforms import Transform
from voxgate.runtime.volume.coverage import coverage
from voxgate.runtime.volume.lift import LiftCounts
from voxgate.runtime.volume.segment import segment
from voxgate.runtime.volume.volume import SUPPORT_SCORE, Volume

# A rendering has a return everywhere; a real sensor has none at grazing angles and in its
# projector's shadow, an eighth of a view here and there. What no view sees, coverage tells.
RENDERED_BLIND_MAX = 0.3
OnHost = TypeVar("OnHost", bound=HostFusion)
ALIGNMENT_VIEWS = 3  # a third of a turn on the usual ring: all six directions are seen


@dataclass(slots=True)
class _Part:
    """What is known of the part under inspection so far."""

    notes: list[Note] = field(default_factory=list)
    planned: set[int] = field(default_factory=set)  # viewpoints that arrived
    waiting: list[tuple[int, View]] = field(default_factory=list)  # until the part is aligned
    reports: list[ViewReport] = field(default_factory=list)
    counts: list[LiftCounts] = field(default_factory=list)
    alignment: Alignment | None = None
    placed: bool = False


class Inspector:
    """Inspects one part after the other; owned and called by one thread.

    now_ns: the clock that times the stages; without one every timing is 0. further: name -> engine
    of each further model of the recipe.
    Raises RecipeError when recipe, engines and calibration do not belong together.
    """

    def __init__(
        self,
        recipe: Recipe,
        calibration: Calibration,
        engine: Engine,
        limits: Limits,
        threads: int = 2,
        now_ns: Callable[[], int] = lambda: 0,
        further: Mapping[str, Engine] = MappingProxyType({}),
    ) -> None:
        recipe.check_calibration(calibration)
        recipe.check_detector()
        recipe.check_further(further)
        self.recipe = recipe
        self.engine = engine
        self._further = further
        self.limits = limits
        self.volume = Volume(recipe.grid, recipe.manifest.grid.table_z_mm)
        self._base_from_part = calibration.base_from_part
        self.channels: dict[str, Volume] = {}
        self.scorer_score: float | None = None  # of the last part, 1.0 = threshold
        self._expected_mm = recipe.grid.centres_mm(recipe.expected_ijk).astype(np.float32)
        self._rays = Rays.from_calibration(calibration)
        self._golden = _expected_views(recipe, self._rays)
        self._crew = Crew(threads)
        self._watch = Stopwatch(now_ns)
        self._part = _Part()
        self._gauge = DriftGauge(self._rays)
        section = recipe.manifest.voxels
        self._whole = None if section is None else VolumeDetector(section)
        narrow = {each.name for each in recipe.manifest.detectors if each.narrow}
        if recipe.manifest.narrow:
            narrow.add(MODEL)
        engines = {MODEL: engine, **further}
        self._vigils = {
            name: Vigil(each, own.probes, own.manifest.probe_tolerance)
            for (name, each), own in zip(engines.items(), recipe.models, strict=True)
        }
        self._models = Models(engines, frozenset(narrow), self._vigils)
        self.fusion: Fusion
        self.listen_to(() if recipe.scorer is None else recipe.scorer.channels)

    @classmethod
    def open(
        cls,
        recipe: Recipe,
        calibration: Calibration,
        limits: Limits,
        backend: str = DEFAULT_BACKEND,
        threads: int = 2,
        now_ns: Callable[[], int] = lambda: 0,
        plans: PlanCache | None = None,
    ) -> Inspector:
        """With the recipe's engine, proven; nothing is left open when one of them refuses.

        Raises RecipeError, EngineError or CalibrationError.
        """
        recipe.check_calibration(calibration)  # before the seconds that a proof takes
        recipe.check_detector()
        with ExitStack() as undo:
            engine = open_engine(recipe, backend, threads, plans)
            undo.callback(engine.close)
            further = open_further(recipe, backend, threads, plans, engine)
            undo.callback(_close, further)
            inspector = cls(recipe, calibration, engine, limits, threads, now_ns, further)
            undo.pop_all()
        return inspector

    def listen_to(self, names: Sequence[str]) -> None:
        """Before a part: give each of these detectors a volume of its own, beside the part's."""
        table_z_mm = self.recipe.manifest.grid.table_z_mm
        self.channels = {name: Volume(self.recipe.grid, table_z_mm) for name in names}
        self.fusion = self._fuse_where_the_scores_are()

    def close(self) -> None:
        """End the helper threads and give the engines' memory back."""
        self._crew.close()
        self.fusion.close()
        _close(self._further)
        self.engine.close()  # the last: the others may share its GPU

    @property
    def backend(self) -> str:
        """What actually runs, of every model; it goes into every verdict."""
        return " + ".join(dict.fromkeys(each.backend for each in self._models.engines.values()))

    def warm_up(self) -> None:
        """Compile or load every kernel, so that the first part is inspected as fast as the next."""
        describes = any(each.manifest.fpfh is not None for each in self.recipe.models)
        warm_up(self._crew, describes=describes)

    def start(self) -> None:
        """Forget the last part."""
        for volume in (self.volume, *self.channels.values()):
            volume.clear()
        self._gauge.clear()
        if self._whole is not None:
            self._whole.clear()
        for vigil in self._vigils.values():
            vigil.start()
        self.fusion.start()
        self._watch.take()
        self._part = _Part()

    def reject(self, note: Note) -> None:
        """Something that should have become a view did not: the verdict cannot be PASS any more."""
        self._part.notes.append(note)

    @property
    def complete(self) -> bool:
        """Whether every planned viewpoint has arrived."""
        return len(self._part.planned) == len(self.recipe.plan.views)

    def add(self, view: View) -> None:
        """Inspect one view, or keep it until enough are there to see how the part stands."""
        problem = self._unusable(view)
        if problem is not None:
            self.reject(problem)
            return
        planned = self.recipe.plan.match(view.part_from_camera)
        if isinstance(planned, Note):
            self.reject(planned)
        elif planned in self._part.planned:
            self.reject(_duplicate(planned, view))
        else:
            self._part.planned.add(planned)
            self._part.waiting.append((planned, view))
            self._inspect_waiting()

    def finish(self) -> Verdict:
        """The verdict on everything that was added; `start` begins the next part."""
        self._inspect_waiting(last=True)
        self._take_fused()
        self._inspect_whole()
        self._prove_again()
        self._note_missing_views()
        evidence = self._evidence()
        self.scorer_score = evidence.scorer
        outcome, notes = decide(evidence, self.limits)
        return Verdict(
            outcome=outcome,
            notes=notes,
            score=_largest(evidence.score, evidence.scorer),
            coverage=evidence.coverage,
            defects=evidence.defects,
            views=tuple(self._part.reports),
            alignment=evidence.alignment,
            drift=evidence.drift,
        )

    def take_timings(self) -> tuple[Timing, ...]:
        """How long each stage took since the last call; `start` forgets what nobody took."""
        return self._watch.take()

    # --- one private method per step, in their order -------------------------------------------

    def _unusable(self, view: View) -> Note | None:
        limit_mm = self.limits.uncertainty_max_voxels * self.recipe.grid.voxel_mm
        if view.uncertainty_mm > limit_mm:
            return Note(
                Reason.POSE_UNCERTAIN,
                f"frame {view.frame_id}: the camera may have moved {view.uncertainty_mm:.3f} mm "
                f"within the clocks' residual, at most {limit_mm:.3f}: slow down or stop to expose",
            )
        if view.image.shape != self._rays.x.shape:
            return Note(
                Reason.FRAME_INVALID,
                f"frame {view.frame_id}: image is {view.image.shape}, "
                f"the calibration is for {self._rays.x.shape}",
            )
        if view.depth_mm is None:
            return Note(Reason.DEPTH_MISSING, f"frame {view.frame_id}: came without depth")
        return None

    def _inspect_waiting(self, last: bool = False) -> None:
        part = self._part
        enough = min(ALIGNMENT_VIEWS, len(self.recipe.plan.views))
        if not part.placed and (last or len(part.waiting) >= enough):
            self._place()
        if part.placed:
            for planned, view in part.waiting:
                self._inspect(planned, view)
            part.waiting.clear()

    def _place(self) -> None:
        """Estimate how this part stands against the golden one, from the views at hand."""
        self._part.placed = True
        if not self._golden or not self._part.waiting:
            return
        with self._watch.time(Work.ALIGN):
            found = align(
                [view for _, view in self._part.waiting],
                [self._golden[planned] for planned, _ in self._part.waiting],
                self._rays,
            )
        if isinstance(found, Note):
            self.reject(found)
        else:
            self._part.alignment = found

    def _inspect(self, planned: int, view: View) -> None:
        with self._watch.time(Work.REGISTER):
            registered = self._register(planned, view)
        try:
            with self._watch.time(Work.DESCRIBE):
                scored = self._scored(planned, view, registered)
            self.fusion.add(scored)
        except EngineError as error:
            self.reject(Note(Reason.ENGINE_FAILED, f"view {planned}: {error}"))
            return
        with self._watch.time(Work.DRIFT):
            self._gauge.add(view)
        self._note_doubts(planned, registered)

    def _scored(self, planned: int, view: View, registered: Registered | None) -> Scored:
        """With what each model gets of this view; a volume detector only takes it in."""
        manifest = self.recipe.manifest
        if self._whole is None:
            inputs = ViewInputs(planned, view, registered, self._rays, self._crew)
            further = {each.name: inputs.of(each) for each in manifest.detectors}
            return Scored(planned, view, inputs.of(manifest), registered, further)
        reference_from_part = self._reference_from_part()
        self._whole.add(view, self._rays, reference_from_part, manifest.grid.table_z_mm)
        return Scored(planned, view, None, registered)

    def _take_fused(self) -> None:
        """Wait for the views that are still on their way into the volume."""
        try:
            fused = self.fusion.finish()
        except EngineError as error:
            self.reject(Note(Reason.ENGINE_FAILED, f"the views are lost: {error}"))
            return
        for planned, words in fused.failed:
            self.reject(Note(Reason.ENGINE_FAILED, f"view {planned}: {words}"))
        for planned, peak in fused.unplaced:
            self._note_unplaced(planned, peak)
        self._part.reports += fused.reports
        self._part.counts += fused.counts

    def _note_unplaced(self, planned: int, peak: float) -> None:
        """Without golden views nothing tells where a pixel without return lies."""
        if peak >= SUPPORT_SCORE:
            self.reject(
                Note(
                    Reason.DEPTH_MISSING,
                    f"view {planned}: the model scores {peak:.2f} where the sensor gave no "
                    "return, and the recipe holds no golden views to place it by: export it again",
                )
            )

    def _inspect_whole(self) -> None:
        """The volume detector's word on all views together."""
        if self._whole is None or not self._part.reports:
            return
        try:
            with self._watch.time(Work.ENGINE):
                score = self._whole.score(self.engine)
                self._vigils[MODEL].watch((), score)
        except EngineError as error:
            self.reject(Note(Reason.ENGINE_FAILED, str(error)))
            return
        with self._watch.time(Work.FUSE):
            reference_from_part = self._reference_from_part()
            counts, note = self._whole.fuse(score, self.volume, reference_from_part, self._crew)
        self._part.counts.append(counts)
        if note is not None:
            self.reject(note)

    def _prove_again(self) -> None:
        """An engine that left a doubt must give its probe's scores before the part may pass."""
        peaks = [report.peak_score for report in self._part.reports]
        if isinstance(self.fusion, DeviceFusion) and len(set(peaks)) < len(peaks):
            self._vigils[MODEL].doubt()  # the maps stay on the GPU, their peaks are seen
        try:
            for vigil in self._vigils.values():
                vigil.finish()
        except EngineError as error:
            self.reject(Note(Reason.ENGINE_FAILED, str(error)))

    def _register(self, planned: int, view: View) -> Registered | None:
        """The golden view as this view would have seen it; None when the recipe has none."""
        if not self._golden:
            return None
        return register(
            view,
            planned,
            self._golden,
            self._rays,
            self._reference_from_part(),
            self._crew,
            self.recipe.manifest.tolerance_mm,
            narrow=bool(self._models.narrow),
        )

    def _note_doubts(self, planned: int, registered: Registered | None) -> None:
        """A view that came but saw nothing, or saw the part elsewhere, is no proof."""
        if registered is None:
            return
        blind_max = self.limits.blind_max
        if self.recipe.manifest.rendered:
            blind_max = max(blind_max, RENDERED_BLIND_MAX)
        if registered.blind > blind_max:
            self.reject(
                Note(
                    Reason.DEPTH_MISSING,
                    f"view {planned}: {registered.blind:.0%} of the surface gave no return, "
                    f"at most {blind_max:.0%}: is the sensor covered or dazzled?",
                )
            )
        if registered.moved_mm > self.limits.moved_max_mm:
            self.reject(
                Note(
                    Reason.MISALIGNED,
                    f"view {planned}: the part seems {registered.moved_mm:.2f} mm from where the "
                    f"first views saw it, at most {self.limits.moved_max_mm:.2f}: was it pushed?",
                )
            )

    def _note_missing_views(self) -> None:
        missing = sorted(set(range(len(self.recipe.plan.views))) - self._part.planned)
        if missing:
            self.reject(
                Note(
                    Reason.MISSING_VIEW,
                    f"{len(missing)} of {len(self.recipe.plan.views)} views did not come: "
                    + ", ".join(map(str, missing)),
                )
            )

    def _evidence(self) -> Evidence:
        scorer = self._scored_by_zones()
        if self.recipe.zones is not None:
            with self._watch.time(Work.SEGMENT):
                self.recipe.zones.rescale(self.volume, self._reference_from_part())
        with self._watch.time(Work.COVERAGE):
            seen = coverage(self.volume, self._expected_mm, self._reference_from_part())
        with self._watch.time(Work.SEGMENT):
            defects = segment(self.volume, self._base_from_part)
        with self._watch.time(Work.DRIFT):
            drift = self._gauge.measure()
        return Evidence(
            score=self.volume.peak,
            defects=defects,
            coverage=seen.fraction,
            hole_mm2=seen.largest_unseen * self.recipe.grid.voxel_mm**2,
            outside=_outside(self._part.counts),
            alignment=self._part.alignment,
            notes=tuple(self._part.notes),
            drift=drift,
            scorer=scorer,
        )

    def _scored_by_zones(self) -> float | None:
        """What the recipe's classifier makes of every detector's own volume; None without one."""
        scorer = self.recipe.scorer
        if scorer is None or not self._part.reports:
            return None
        zones = self.recipe.zones or Zones.whole()
        with self._watch.time(Work.SEGMENT):
            return scorer.score(self.channels, zones, self._reference_from_part())

    def _fuse_where_the_scores_are(self) -> Fusion:
        """On the GPU when they are there already, and it has given the CPU's numbers.

        On the host what needs the scores themselves: a classifier's channels, several models, and
        pixels without return that no golden view places.
        """
        engine, geometry = self.engine, self.recipe.manifest.geometry
        alone = not self.channels and not self._further
        on_device = self._whole is None and self._golden and alone
        if isinstance(engine, DeviceEngine) and on_device:
            views = len(self.recipe.plan.views)
            return DeviceFusion.proven(
                engine, self.volume, self._rays, geometry, views, self._crew, self._watch
            )
        return self._on_host(HostFusion, self.volume, self.channels)

    def _on_host(
        self, kind: type[OnHost], volume: Volume, channels: Mapping[str, Volume]
    ) -> OnHost:
        geometry = self.recipe.manifest.geometry
        return kind(self._models, volume, self._rays, geometry, self._crew, self._watch, channels)

    def _reference_from_part(self) -> Transform:
        found = self._part.alignment
        return np.eye(4) if found is None else found.reference_from_part


def _expected_views(recipe: Recipe, rays: Rays) -> tuple[ExpectedView, ...]:
    table_z_mm = recipe.manifest.grid.table_z_mm
    try:
        return tuple(
            expect(
                golden.image,
                golden.depth_mm,
                rays,
                golden.part_from_camera,
                table_z_mm,
                gloss=golden.gloss,
            )
            for golden in recipe.reference
        )
    except ValueError as error:
        raise RecipeError(f"recipe {recipe.label}: {error}: export it again") from error


def _close(engines: Mapping[str, Engine]) -> None:
    for engine in engines.values():
        engine.close()


def _duplicate(planned: int, view: View) -> Note:
    return Note(
        Reason.DUPLICATE_VIEW,
        f"frame {view.frame_id}: view {planned} had already come",
    )


def _largest(score: float | None, scorer: float | None) -> float | None:
    """A part is as bad as its worst witness says."""
    return score if score is None or scorer is None else max(score, scorer)


def _outside(counts: Sequence[LiftCounts]) -> float:
    """Fraction of the points on the part that fell outside the grid or found no memory."""
    outside = sum(count.outside + count.dropped for count in counts)
    return outside / max(1, outside + sum(count.lifted for count in counts))
