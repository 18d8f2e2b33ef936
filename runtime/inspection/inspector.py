"""The method on one page: start -> add(view)* -> finish() -> Verdict.

    view -> at the recipe's resolution -> planned viewpoint -> [first views: how does the part
    stand?] -> golden view re-rendered into this view -> appearance and geometry scores -> volume
    -> coverage, what all views say together, defects -> truth table

A recipe of several models asks all of them about every view; the largest score counts, for whatever
one of them does not prove good is not PASS. One that fails takes its view with it. A volume
detector scores the part as a whole: its views only fill the volume, it speaks at the end.

What is open stands in equipment.py, what may be doubted in doubts.py, the truth table in decide.py.
No socket, clock or file in here: live service, offline inspection and replay run the same lines.
What goes wrong on the way becomes a note, and a verdict with such a note is never PASS.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType

from voxgate.runtime.common.crew import Crew
from voxgate.runtime.common.timings import Timing, Work
from voxgate.runtime.comparison.registered import Registered
from voxgate.runtime.config.limits import Limits
from voxgate.runtime.engines.backends import DEFAULT_BACKEND
from voxgate.runtime.engines.engine import Engine
from voxgate.runtime.errors import EngineError
from voxgate.runtime.fusion.host import Described, Fusion
from voxgate.runtime.geometry.calibration import Calibration
from voxgate.runtime.inspection import doubts
from voxgate.runtime.inspection.agreement import contradicted
from voxgate.runtime.inspection.decide import Findings, verdict_on
from voxgate.runtime.inspection.equipment import Equipment
from voxgate.runtime.inspection.gauges import Gauges
from voxgate.runtime.inspection.looked_at import Seen
from voxgate.runtime.inspection.open_engines import open_engines
from voxgate.runtime.inspection.part import Part
from voxgate.runtime.inspection.warm_up import warm_up
from voxgate.runtime.inspection.witnesses import Heard
from voxgate.runtime.nouns import Defect, Drift, Note, Reason, Verdict, View
from voxgate.runtime.plans.plan_cache import PlanCache
from voxgate.runtime.recipe.manifest import MODEL, described_by
from voxgate.runtime.recipe.recipe import Recipe
from voxgate.runtime.recipe.zones import Zones
from voxgate.runtime.volume.lift import outside_fraction
from voxgate.runtime.volume.segment import said_alone, segment

ALIGNMENT_VIEWS = 3  # a third of a turn on the usual ring: all six directions are seen


class Inspector:
    """Inspects one part after the other; owned and called by one thread.

    now_ns: the clock that times the stages; without one every timing is 0. further: name -> engine
    of each further model. golden_too: whether the golden scan, which is no part, may be decided.
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
        golden_too: bool = False,
    ) -> None:
        self._golden_too = golden_too
        self.recipe = recipe.at_work
        self.limits = limits
        self.equipment = Equipment.of(
            recipe, calibration, {MODEL: engine, **further}, threads, now_ns
        )
        self.engine = engine
        self.volume = self.equipment.empty_volume()
        self.scorer_score: float | None = None  # of the last part, 1.0 = threshold
        self.keeps_shape = False  # of the last part's views, what a sensor beside the camera said
        self._watch = self.equipment.watch
        self._gauges = Gauges(self.equipment.rays)
        self._looked = self.equipment.looked_at()
        self._part = Part()
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
        with open_engines(recipe, calibration, backend, threads, plans) as engines:
            further = {name: each for name, each in engines.items() if name != MODEL}
            return cls(recipe, calibration, engines[MODEL], limits, threads, now_ns, further)

    @property
    def backend(self) -> str:
        """What actually runs, of every model; it goes into every verdict."""
        return self.equipment.backend

    def listen_to(self, names: Sequence[str]) -> None:
        """Before a part: give each of these detectors a volume of its own, beside the part's."""
        self.channels = {name: self.equipment.empty_volume() for name in names}
        self.fusion = self.open_fusion()

    def open_fusion(self) -> Fusion:
        """What scores the views and puts them into the volume. Raises EngineError."""
        return self.equipment.fusion_into(self.volume, self.channels)

    def close(self) -> None:
        """End the helper threads and give the engines' memory back."""
        self.fusion.close()
        self.equipment.close()

    def warm_up(self) -> None:
        """Compile or load every kernel, so that the first part is inspected as fast as the next."""
        describes = any(described_by(each.manifest) for each in self.recipe.models)
        warm_up(self.equipment.crew, describes=describes)

    def start(self) -> None:
        """Forget the last part."""
        for volume in (self.volume, *self.channels.values()):
            volume.clear()
        self._gauges.clear()
        self._looked.clear()
        self.equipment.start()
        self.fusion.start()
        self._watch.take()
        self._part = Part()

    def reject(self, note: Note) -> None:
        """Something that should have become a view did not: the verdict cannot be PASS any more."""
        self._part.notes.append(note)

    @property
    def complete(self) -> bool:
        """Whether every planned viewpoint has arrived."""
        return len(self._part.planned) == len(self.recipe.plan.views)

    @property
    def described(self) -> Mapping[int, Described]:
        """What the detectors got of each view of the last part."""
        return self._part.described

    def take_timings(self) -> tuple[Timing, ...]:
        """How long each stage took since the last call."""
        return self._watch.take()

    def add(self, view: View) -> None:
        """Inspect one view, or keep it until enough are there to see how the part stands."""
        if self._usable(view, self.equipment.camera_px):
            with self._watch.time(Work.REDUCE):
                reduced = self.equipment.reduced(view)
            self._take(reduced)

    def finish(self) -> Verdict:
        """The verdict on everything that was added; `start` begins the next part."""
        self._inspect_waiting(at_least=0)
        self._take_fused()
        self._part.hold(
            *self._part.blindness(self.limits.blind_max, self.recipe.grid),
            self.equipment.prove_again(self.fusion, self._part.reports),
            doubts.missing(self._part.planned, len(self.recipe.plan.views)),
            None if self._golden_too else doubts.golden_again(self._part.golden_again),
        )
        self.scorer_score = (findings := self._findings()).scorer
        return verdict_on(findings, self.limits, self._part.reports)

    def add_reduced(self, view: View) -> None:
        """As `add`, of a view that is at the recipe's resolution (equipment.reduced) already."""
        if self._usable(view, self.equipment.rays.x.shape):
            self._take(view)

    def inspect(self, arrivals: Iterable[View | Note], reduced: bool = False) -> Verdict:
        """One part, whole: each view, or what speaks against it, as it comes.

        reduced: whether the views are at the recipe's resolution already.
        """
        self.start()
        add = self.add_reduced if reduced else self.add
        for arrival in arrivals:
            if isinstance(arrival, View):
                add(arrival)
            else:
                self.reject(arrival)
        return self.finish()

    # --- one private method per step, in their order -------------------------------------------

    def _usable(self, view: View, shape: tuple[int, ...]) -> bool:
        limit_mm = self.limits.uncertainty_max_voxels * self.recipe.grid.voxel_mm
        beside, coloured = self.equipment.rays.sensed is not None, self.recipe.manifest.in_colour
        problem = doubts.unusable(view, shape, limit_mm, beside, coloured)
        self._part.hold(problem)
        return problem is None

    def _take(self, view: View) -> None:
        planned = self._planned(view)
        if isinstance(planned, Note):
            self.reject(planned)
            return
        self._part.planned.add(planned)
        self._part.waiting.append((planned, view))
        self._inspect_waiting(at_least=min(ALIGNMENT_VIEWS, len(self.recipe.plan.views)))

    def _planned(self, view: View) -> int | Note:
        """The viewpoint that this is the view of, or why it is not to be inspected."""
        planned = self.recipe.plan.match(view.part_from_camera)
        if isinstance(planned, Note):
            return planned
        part = self._part
        problem = doubts.duplicate(planned, view, part.planned) or doubts.repeated(view, part.shown)
        if problem is None:
            part.shown[doubts.checksum(view.picture)] = view.frame_id
        return problem or planned

    def _inspect_waiting(self, at_least: int) -> None:
        part = self._part
        if not part.placed and len(part.waiting) >= at_least:
            part.placed = True
            self._place()
        if part.placed:
            for planned, view in part.waiting:
                self._inspect(planned, view)
            part.waiting.clear()

    def _place(self) -> None:
        """Estimate how this part stands against the golden one, from the views at hand."""
        with self._watch.time(Work.ALIGN):
            found = self.equipment.place(self._part.waiting)
        if isinstance(found, Note):
            self.reject(found)
        else:
            self._part.alignment = found

    def _inspect(self, planned: int, view: View) -> None:
        place = self._part.reference_from_part
        with self._watch.time(Work.REGISTER):
            seen = self.equipment.rerender(planned, view, place)

        def judge(crew: Crew) -> Registered | None:  # while a model looks at the picture
            registered = self.equipment.judge(seen, place, crew)
            with self._watch.time(Work.DRIFT):
                self._gauges.add(view, registered)
            return registered

        try:
            with self._watch.time(Work.DESCRIBE):
                described = self.equipment.describe(planned, view, seen, place)
            described = self.fusion.add(described, judge)
            self._part.described[planned] = described.kept(self.keeps_shape)
        except EngineError as error:
            self.reject(doubts.engine_failed(planned, error))
            return
        with self._watch.time(Work.COVERAGE):
            self._looked.add(planned, view, described.registered, place)
        if (registered := described.registered) is not None:
            self._part.hold(doubts.moved(planned, registered, self.limits.moved_max_mm))
            self._part.golden_again += self.equipment.is_golden(planned, view)
            self._part.judged(registered, self.equipment.blind(planned, registered))

    def _take_fused(self) -> None:
        """Wait for the views that are still on their way into the volume."""
        try:
            fused = self.fusion.finish()
        except EngineError as error:
            self.reject(Note(Reason.ENGINE_FAILED, f"the views are lost: {error}"))
            return
        self._part.hold(
            *(doubts.engine_failed(planned, words) for planned, words in fused.failed),
            *(doubts.unplaced(planned, peak) for planned, peak in fused.unplaced),
            doubts.beside_grid(sum(count.stray for count in fused.counts)),
            *fused.notes,
        )
        self._part.reports, self._part.counts = fused.reports, fused.counts

    def _findings(self) -> Findings:
        (seen, defects), (drift, beside) = self.equipment.crew.both(self._seen, self._drift)
        with self._watch.time(Work.SEGMENT):
            heard, defects = self._heard(defects)
        return Findings(
            score=self.volume.peak,
            defects=defects,
            coverage=seen.shape.fraction,
            hole_mm2=seen.shape.hole_mm2,
            picture=seen.picture,
            hole_max_mm2=self.equipment.hole_max_mm2(self.limits),
            unknown_mm2=self._part.unknown_mm2,
            outside=outside_fraction(self._part.counts),
            alignment=self._part.alignment,
            notes=tuple(self._part.notes),
            drift=drift,
            picture_drift=beside,
            scorer=self._scored_by_zones(),
            contradicted=contradicted(
                *(defects, self.equipment.golden, self.equipment.rays),
                *(self._part.reference_from_part, self.recipe.grid.voxel_mm),
                heard=heard.doubted,
            ),
        )

    def _seen(self) -> tuple[Seen, tuple[Defect, ...]]:
        """What all views together say, in the volume, and what that shows."""
        place, gone_mm = self._part.reference_from_part, self._part.all_gone_mm
        self._looked.fuse_vanished(self.volume, place)
        self.equipment.fuse_together(self.volume, place)
        if self.recipe.zones is not None:
            with self._watch.time(Work.SEGMENT):
                self.recipe.zones.rescale(self.volume, place)
        with self._watch.time(Work.COVERAGE):
            seen = self._looked.seen(self.volume, place, gone_mm, self.equipment.within_sight)
        with self._watch.time(Work.SEGMENT):
            return seen, self._segmented()

    def _drift(self) -> tuple[Drift | None, Drift | None]:
        with self._watch.time(Work.DRIFT):
            return self._gauges.measure(), self._gauges.measure_pictures()

    def _segmented(self) -> tuple[Defect, ...]:
        return segment(self.volume, self.equipment.calibration.mounting.part)

    def _heard(self, defects: tuple[Defect, ...]) -> tuple[Heard, tuple[Defect, ...]]:
        """What speaks against defects of one view; the defects without what that refutes."""
        try:
            alone = said_alone(self.volume, self.equipment.calibration.mounting.part)
            heard = self.equipment.hearing(self._part.described).hear(alone, self.volume)
        except EngineError as error:
            self.reject(Note(Reason.ENGINE_FAILED, f"a speck was not judged: {error}"))
            return Heard(), defects
        self._part.hold(doubts.dirty(heard.specks, self.recipe.manifest.block_px))
        refuted = any(speck.refuted for speck in heard.specks)
        return heard, self._segmented() if refuted else defects

    def _scored_by_zones(self) -> float | None:
        """What the recipe's classifier makes of every detector's own volume; None without one."""
        scorer = self.recipe.scorer
        if scorer is None or not self._part.reports:
            return None
        zones = self.recipe.zones or Zones.whole()
        with self._watch.time(Work.SEGMENT):
            return scorer.score(self.channels, zones, self._part.reference_from_part)
