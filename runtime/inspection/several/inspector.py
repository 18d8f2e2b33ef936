"""Each camera's views are inspected as if it were the cell's only one; then one verdict is said.

Whatever one camera does not prove good is not PASS because another one likes it. What speaks
against a camera bears its name. Where the cameras see the part must be one place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from itertools import accumulate

from voxgate.runtime.common.timings import Timing
from voxgate.runtime.config.limits import Limits
from voxgate.runtime.engines.backends import DEFAULT_BACKEND
from voxgate.runtime.geometry.calibration import Calibration
from voxgate.runtime.inspection.inspector import Inspector
from voxgate.runtime.inspection.several.verdict import apart, one_verdict
from voxgate.runtime.inspection.several.volume import Together
from voxgate.runtime.nouns import Note, Reason, Verdict, View
from voxgate.runtime.plans.plan_cache import PlanCache
from voxgate.runtime.recipe.recipe import Recipe
from voxgate.runtime.volume.volume import Volume


class CellInspector:
    """Inspects one part after the other; owned and called by one thread.

    inspectors: of each camera, by its name, in the recipe's order. Each counts its own views.
    """

    def __init__(self, recipe: Recipe, inspectors: Mapping[str, Inspector], limits: Limits) -> None:
        self.recipe = recipe.at_work
        self._inspectors = dict(inspectors)
        self._limits = limits
        counts = (len(each.recipe.plan.views) for each in inspectors.values())
        starts = accumulate(counts, initial=0)
        self._first_view = dict(zip(inspectors, starts, strict=False))
        self._notes: list[Note] = []
        self._together = Together(recipe.grid)

    @classmethod
    def open(
        cls,
        recipe: Recipe,
        calibrations: Mapping[str, Calibration],
        limits: Limits,
        backend: str = DEFAULT_BACKEND,
        threads: int = 2,
        now_ns: Callable[[], int] = lambda: 0,
        plans: PlanCache | None = None,
    ) -> CellInspector:
        """With every camera's engines, proven; nothing is left open when one of them refuses.

        Raises RecipeError, EngineError or CalibrationError.
        """
        recipe.check_cameras(calibrations)
        with ExitStack() as undo:
            opened = {}
            for name, own in recipe.cameras.items():
                known = calibrations[name]
                opened[name] = Inspector.open(own, known, limits, backend, threads, now_ns, plans)
                undo.callback(opened[name].close)
            inspector = cls(recipe, opened, limits)
            undo.pop_all()
            return inspector

    @property
    def each(self) -> tuple[Inspector, ...]:
        """Of each camera, in the recipe's order."""
        return tuple(self._inspectors.values())

    @property
    def backend(self) -> str:
        """What actually runs, of every camera's models."""
        return " + ".join(dict.fromkeys(each.backend for each in self._inspectors.values()))

    @property
    def volume(self) -> Volume:
        """Of the last part, as all cameras saw it."""
        return self._together.volume

    def close(self) -> None:
        """Give everything back."""
        for inspector in self._inspectors.values():
            inspector.close()
        self._together.close()

    def warm_up(self) -> None:
        """Compile or load every kernel, so that the first part is inspected as fast as the next."""
        for inspector in self._inspectors.values():
            inspector.warm_up()

    def start(self) -> None:
        """Forget the last part."""
        self._notes.clear()
        for inspector in self._inspectors.values():
            inspector.start()

    def add(self, view: View) -> None:
        """Inspect one view, by its camera."""
        inspector = self._inspectors.get(view.camera)
        if inspector is not None:
            inspector.add(view)
            return
        what = f"frame {view.frame_id}: of camera {view.camera or 'without a name'}: the recipe "
        self.reject(Note(Reason.FRAME_INVALID, what + f"knows {', '.join(self._inspectors)}"))

    def reject(self, note: Note) -> None:
        """Something that should have become a view did not: the verdict cannot be PASS any more."""
        self._notes.append(note)

    @property
    def complete(self) -> bool:
        """Whether every planned viewpoint of every camera has arrived."""
        return all(inspector.complete for inspector in self._inspectors.values())

    def take_timings(self) -> tuple[Timing, ...]:
        """How long each stage took since the last call."""
        return tuple(timing for each in self._inspectors.values() for timing in each.take_timings())

    def finish(self) -> Verdict:
        """The verdict on everything that was added; `start` begins the next part."""
        said = {name: inspector.finish() for name, inspector in self._inspectors.items()}
        volumes = {
            self._first_view[name]: inspector.volume for name, inspector in self._inspectors.items()
        }
        part = next(iter(self._inspectors.values())).equipment.calibration.mounting.part
        defects = self._together.defects(volumes, part)
        elsewhere = apart(said, self.recipe.grid, self._limits.moved_max_mm)
        against = (*self._notes, *(() if elsewhere is None else (elsewhere,)))
        return one_verdict(said, against, defects)

    def inspect(self, arrivals: Iterable[View | Note]) -> Verdict:
        """One part, whole: each view, or what speaks against it, as it comes."""
        self.start()
        for arrival in arrivals:
            if isinstance(arrival, View):
                self.add(arrival)
            else:
                self.reject(arrival)
        return self.finish()


AnyInspector = Inspector | CellInspector


def every(inspector: AnyInspector) -> tuple[Inspector, ...]:
    """Of each camera."""
    return inspector.each if isinstance(inspector, CellInspector) else (inspector,)


def open_inspector(
    recipe: Recipe,
    calibrations: Mapping[str, Calibration],
    limits: Limits,
    backend: str = DEFAULT_BACKEND,
    threads: int = 2,
    now_ns: Callable[[], int] = lambda: 0,
    plans: PlanCache | None = None,
) -> AnyInspector:
    """Of a cell of one camera, or of several. Raises RecipeError where recipe and cell differ in
    it, EngineError or CalibrationError."""
    recipe.check_cameras(calibrations)  # before the seconds that a proof takes
    if recipe.manifest.cameras:
        return CellInspector.open(recipe, calibrations, limits, backend, threads, now_ns, plans)
    (known,) = calibrations.values()
    return Inspector.open(recipe, known, limits, backend, threads, now_ns, plans)
