"""A job on a tray: start -> add(view)* -> finish() -> Verdict, as of a single part.

The world of a tray is the part's frame: z up from the table. Views come by the recipe's plan; what
goes wrong on the way becomes a note, and a verdict with such a note is never PASS.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import replace

import numpy as np

from voxgate.runtime.common.crew import Crew
from voxgate.runtime.common.timings import Stopwatch, Timing, Work
from voxgate.runtime.config.limits import Limits
from voxgate.runtime.errors import RecipeError
from voxgate.runtime.geometry.calibration import Calibration
from voxgate.runtime.geometry.rays import Rays
from voxgate.runtime.inspection import doubts
from voxgate.runtime.instances import Wanted
from voxgate.runtime.nouns import Note, Reason, Verdict, View, ViewReport
from voxgate.runtime.recipe.manifest import Manifest
from voxgate.runtime.recipe.recipe import Recipe
from voxgate.runtime.recipe.sections.trays import FaintestSection
from voxgate.runtime.scenes.camera_alone import views_of
from voxgate.runtime.scenes.scene import Scene, SceneView
from voxgate.runtime.trays import doubts as tray_doubts
from voxgate.runtime.trays.judge import TrayJudge
from voxgate.runtime.trays.network.graphs import Graphs
from voxgate.runtime.trays.network.judge import NetworkJudge
from voxgate.runtime.trays.probe import prove
from voxgate.runtime.trays.scene_verdict import SceneVerdict
from voxgate.runtime.trays.told import verdict_on

BACKEND = "neighbours"
"""What a verdict names in place of an engine: the detector without weights."""


class TrayInspector:
    """Inspects one tray after the other; owned and called by one thread.

    now_ns: the clock that times the stages. graphs: of a recipe with a network, which this closes.
    Raises RecipeError when recipe and calibration do not belong together.
    """

    def __init__(
        self,
        recipe: Recipe,
        calibration: Calibration,
        limits: Limits,
        threads: int = 2,
        now_ns: Callable[[], int] = lambda: 0,
        graphs: Graphs | None = None,
    ) -> None:
        recipe.check_calibration(calibration)
        if calibration.sensor is not None:
            raise RecipeError(
                f"recipe {recipe.label}: the parts of a tray are compared by depth on the camera's "
                "own pixels: this cell's sensor stands beside the camera"
            )
        self.recipe = recipe
        self.calibration = calibration
        self.limits = limits
        self._graphs = graphs
        self._rays = Rays.from_calibration(calibration)
        self._crew = Crew(threads)
        self._watch = Stopwatch(now_ns)
        self.start()

    @classmethod
    def open(
        cls,
        recipe: Recipe,
        calibration: Calibration,
        limits: Limits,
        threads: int = 2,
        now_ns: Callable[[], int] = lambda: 0,
        graphs: Graphs | None = None,
    ) -> TrayInspector:
        """Proven by the recipe's own tray; a network was when its graphs were opened. Raises
        RecipeError."""
        with ExitStack() as undo:
            if graphs is not None:
                undo.callback(graphs.close)
            made = cls(recipe, calibration, limits, threads, now_ns, graphs)
            undo.pop_all()
            undo.callback(made.close)
            if graphs is None:
                prove(recipe, made._rays, made._crew)
            undo.pop_all()
        return made

    @property
    def backend(self) -> str:
        """What a verdict names."""
        return BACKEND if self._graphs is None else self._graphs.backend

    def start(self) -> None:
        """Forget the last tray."""
        below = self.recipe.manifest.grid.table_z_mm
        self._judge = self._new_judge(len(self.recipe.plan.views), below)
        self._notes: list[Note] = []
        self._seen: dict[int, View] = {}
        self._shown: dict[int, int] = {}
        self._watch.take()

    def reject(self, note: Note) -> None:
        """Something that should have become a view did not: the verdict cannot be PASS any more."""
        self._notes.append(note)

    @property
    def complete(self) -> bool:
        """Whether every planned viewpoint has arrived."""
        return len(self._seen) == len(self.recipe.plan.views)

    def take_timings(self) -> tuple[Timing, ...]:
        """How long each stage took since the last call."""
        return self._watch.take()

    def add(self, view: View) -> None:
        """Take in one view; from most of them on it is told how each instance stands."""
        planned = self._planned(view)
        if isinstance(planned, Note):
            self.reject(planned)
            return
        assert view.depth_mm is not None  # it is usable
        self._seen[planned] = view
        self._shown[doubts.checksum(view.picture)] = view.frame_id
        with self._watch.time(Work.FUSE):
            seen = SceneView(planned, view.image, view.depth_mm, view.part_from_camera, view.colour)
            self._judge.add(self._as_taught(seen))

    def finish(self) -> Verdict:
        """The verdict on everything that was added; `start` begins the next tray."""
        if not self._seen:
            words = "no view of the tray came: was the camera triggered?"
            return Verdict(notes=(Note(Reason.NO_VIEWS, words), *self._notes))
        missing = doubts.missing(set(self._seen), len(self.recipe.plan.views))
        with self._watch.time(Work.SEGMENT):
            found = self._fine_enough(self._judge.finish())
        return verdict_on(
            found,
            self._notes if missing is None else [*self._notes, missing],
            [_report(planned, view, found) for planned, view in self._seen.items()],
            self.calibration.mounting.part,
        )

    def inspect(self, arrivals: Iterable[View | Note]) -> Verdict:
        """One tray, whole: each view, or what speaks against it, as it comes."""
        self.start()
        for arrival in arrivals:
            if isinstance(arrival, View):
                self.add(arrival)
            else:
                self.reject(arrival)
        return self.finish()

    def judge_scene(self, scene: Scene) -> SceneVerdict:
        """Of a scene by the recipe's camera, whose views were taken from wherever: as many as the
        recipe plans, or it is not PASS."""
        judging = self._new_judge(len(scene.views), scene.table_z_mm)
        for view in scene.views:
            judging.add(self._as_taught(view))
        found = self._fine_enough(judging.finish())
        came, planned = len(scene.views), len(self.recipe.plan.views)
        if came >= planned:
            return found
        few = Note(Reason.MISSING_VIEW, f"{came} views, recipe {self.recipe.label} plans {planned}")
        return found.doubted([few])

    def inspect_scene(self, scene: Scene) -> Verdict:
        """The same as a verdict; the world is the part's frame."""
        found = self.judge_scene(scene)
        reports = [_report(view.frame_id, view, found) for view in views_of(scene)]
        return verdict_on(found, (), reports, self.calibration.mounting.part)

    def close(self) -> None:
        """End the helper threads, give back what runs a network."""
        self._crew.close()
        if self._graphs is not None:
            self._graphs.close()

    def _as_taught(self, view: SceneView) -> SceneView:
        """A recipe that was taught in grey compares no hues."""
        return view if self.recipe.in_colour else replace(view, colour=None)

    def _fine_enough(self, found: SceneVerdict) -> SceneVerdict:
        return found.doubted(tray_doubts.too_coarse(found.proven, _wanted(self.recipe.manifest)))

    def _new_judge(self, planned: int, table_z_mm: float | None) -> TrayJudge | NetworkJudge:
        if self._graphs is None:
            in_colour = self.recipe.in_colour
            return TrayJudge(self._rays, planned, table_z_mm, self._crew, in_colour=in_colour)
        manifest = self.recipe.manifest
        return NetworkJudge(self._graphs, manifest, self._rays, planned, table_z_mm, self._crew)

    def _planned(self, view: View) -> int | Note:
        """The viewpoint that this is the view of, or why it is not to be looked at."""
        limit_mm = self.limits.uncertainty_max_voxels * self.recipe.manifest.grid.voxel_mm
        problem = doubts.unusable(view, self._rays.x.shape, limit_mm)
        if problem is not None:
            return problem
        planned = self.recipe.plan.match(view.part_from_camera)
        if isinstance(planned, Note):
            return planned
        again = doubts.duplicate(planned, view, self._seen) or doubts.repeated(view, self._shown)
        return again or planned


def _wanted(manifest: Manifest) -> Wanted:
    faintest = manifest.faintest or FaintestSection()
    return Wanted(manifest.smallest_mm, faintest.contrast, faintest.depth_mm)


def _report(planned: int, view: View, found: SceneVerdict) -> ViewReport:
    """Its peak is that of the oddest instance in sight."""
    scores = [
        each.score
        for each in found.judged
        if each.score is not None and planned in each.instance.seen_by
    ]
    peak = float(np.max(scores)) if scores else 0.0
    return ViewReport(planned, view.frame_id, view.uncertainty_mm, peak)
