"""What is open as long as a recipe is served: engines and who watches them, rays, golden views."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from itertools import chain
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from voxgate.runtime.common.crew import Crew
from voxgate.runtime.common.timings import Stopwatch, Work
from voxgate.runtime.comparison.align import align
from voxgate.runtime.comparison.expected import ExpectedView, expect
from voxgate.runtime.comparison.register import Asked, judge
from voxgate.runtime.comparison.registered import Registered
from voxgate.runtime.comparison.rerendered import Rerendered, rerender
from voxgate.runtime.comparison.surface_score import SCORE_MAX
from voxgate.runtime.config.limits import Limits
from voxgate.runtime.consensus.together import Together
from voxgate.runtime.engines.engine import Engine, score_map
from voxgate.runtime.engines.gpu_memory import taken
from voxgate.runtime.engines.tensorrt_engine import DeviceEngine
from voxgate.runtime.engines.vigil import Vigil, looks
from voxgate.runtime.errors import EngineError, RecipeError
from voxgate.runtime.fusion.device import DeviceFusion
from voxgate.runtime.fusion.host import Described, Fusion, HostFusion, Models, Plane
from voxgate.runtime.fusion.together import SetFusion, of_each_view
from voxgate.runtime.fusion.whole import Whole, WholeFusion
from voxgate.runtime.geometry.brought import with_depth
from voxgate.runtime.geometry.calibration import Calibration
from voxgate.runtime.geometry.rays import Rays
from voxgate.runtime.inspection.inputs import ViewDescriber
from voxgate.runtime.inspection.looked_at import LookedAt
from voxgate.runtime.inspection.part import Blind
from voxgate.runtime.inspection.sight import Sight
from voxgate.runtime.inspection.witnesses import Hearing
from voxgate.runtime.nouns import Alignment, Note, Picture, Reason, View, ViewReport
from voxgate.runtime.pixels.colour import by_channels
from voxgate.runtime.pixels.reduce import reduced_view
from voxgate.runtime.recipe.contents import ReferenceView
from voxgate.runtime.recipe.manifest import MODEL, OF_SETS
from voxgate.runtime.recipe.recipe import Recipe
from voxgate.runtime.transforms import Transform
from voxgate.runtime.volume.carve import carve
from voxgate.runtime.volume.coverage import REACH_VOXELS
from voxgate.runtime.volume.surface import Surface
from voxgate.runtime.volume.volume import Volume

OnHost = TypeVar("OnHost", bound=HostFusion)
Describe = Callable[[int, View, Rerendered | None, Transform], Described]
"""planned, view, rerendered, reference_from_part -> with what the detectors get of the view."""


@dataclass(frozen=True, slots=True, eq=False)
class Equipment:
    """Owned and used by one thread; `close` gives the engines back.

    rays: of the pictures that are inspected, at the recipe's resolution. calibration: the camera's.
    whole: what a volume detector sees; None for view detectors. sight: of the sensor, where the
    golden part was rendered. together: what all views of a part say together.
    """

    recipe: Recipe
    calibration: Calibration
    rays: Rays
    golden: tuple[ExpectedView, ...]
    models: Models
    whole: Whole | None
    describe: Describe
    crew: Crew
    watch: Stopwatch
    surface: Surface
    sight: Sight | None
    together: Together

    @classmethod
    def of(
        cls,
        recipe: Recipe,
        calibration: Calibration,
        engines: Mapping[str, Engine],
        threads: int,
        now_ns: Callable[[], int],
    ) -> Equipment:
        """Around `engines`, by name, the recipe's first model in front.

        Raises RecipeError when recipe, engines and calibration do not belong together.
        """
        recipe.check_calibration(calibration)
        recipe.check_detector()
        recipe.check_further([name for name in engines if name != MODEL])
        manifest = recipe.manifest
        rays = Rays.from_calibration(calibration.reduced(manifest.block_px))
        with Crew(threads) as loading:
            golden = _expected_views(recipe, rays, loading)
        crew = Crew(threads)
        whole, describe = None, ViewDescriber(of_each_view(manifest), rays, crew).describe
        if manifest.voxels is not None:
            whole = Whole(manifest.voxels, rays, manifest.grid.table_z_mm)
            describe = whole.describe
        models = _watched(recipe, engines)
        watch = Stopwatch(now_ns)
        surface = _surface(recipe, golden, rays)
        shapes = [each.shape for each in golden]
        sight = Sight(shapes, rays.shape, surface, recipe.grid) if manifest.rendered else None
        return cls(
            *(recipe.at_work, calibration, rays, golden, models, whole, describe),
            *(crew, watch, surface, sight, Together.of(recipe, surface, golden, rays)),
        )

    @property
    def engine(self) -> Engine:
        """Of the recipe's first model."""
        return self.models.engines[MODEL]

    @property
    def backend(self) -> str:
        """What actually runs, of every model."""
        return " + ".join(dict.fromkeys(each.backend for each in self.models.engines.values()))

    @property
    def gpu_memory(self) -> str | None:
        """What is taken of the GPU's, in one line; None: nothing runs there."""
        there = [each for each in self.models.engines.values() if isinstance(each, DeviceEngine)]
        return taken(there[0].device, [each.memory for each in there]) if there else None

    def close(self) -> None:
        """End the helper threads and give the engines' memory back."""
        self.crew.close()
        for engine in reversed(list(self.models.engines.values())):
            engine.close()  # the first model's is the last: the others may share its GPU

    def start(self) -> None:
        """Forget what engines and sensor said of the last part."""
        for vigil in self.models.vigils.values():
            vigil.start()
        if self.sight is not None:
            self.sight.forget()
        self.together.forget()

    def prove_again(self, fusion: Fusion, reports: Sequence[ViewReport]) -> Note | None:
        """An engine that left a doubt must give its probe's scores before the part may pass."""
        vigils = self.models.vigils
        # the ceiling is the geometry's word, and of a part that has failed
        peaks = [report.peak_score for report in reports if report.peak_score < SCORE_MAX]
        if isinstance(fusion, DeviceFusion) and len(set(peaks)) < len(peaks):
            vigils[MODEL].doubt()  # the maps stay on the GPU, their peaks are seen
        try:
            for vigil in vigils.values():
                vigil.finish()
        except EngineError as error:
            return Note(Reason.ENGINE_FAILED, str(error))
        return None

    @property
    def camera_px(self) -> tuple[int, int]:
        """(height, width) of pictures that arrive; the rays are of those inspected."""
        return self.calibration.height_px, self.calibration.width_px

    def reduced(self, view: View) -> View:
        """The view at the resolution that the recipe inspects."""
        block_px, camera_matrix = self.recipe.manifest.block_px, self.calibration.camera_matrix
        reduced = reduced_view(view, block_px, float(camera_matrix[0, 0]), self.crew)
        return with_depth(reduced, self.rays, self.crew)

    def hearing(self, described: Mapping[int, Described]) -> Hearing:
        """Of a part's views against each other; of none where no model has a say on one view alone,
        or thresholds are not 1."""
        mute = self.whole is not None or self.recipe.of_sets or self.recipe.zones is not None
        return Hearing({} if mute else described, self.scores_of, self.rays)

    def scores_of(self, described: Described, picture: Picture) -> Plane:
        """(h, w) what the models say of a view if this were its picture. Raises EngineError."""
        said, shown = [], by_channels(picture)
        for name, engine in self.models.engines.items():
            inputs = described.inputs if name == MODEL else described.further[name]
            assert inputs is not None  # a detector of the whole part has no say on one view
            if "image" in inputs:
                inputs = inputs | {"image": shown[inputs["image"].shape[1]]}
            said.append(score_map(engine, inputs).score)
        return reduce(np.maximum, said)

    def place(self, waiting: Sequence[tuple[int, View]]) -> Alignment | Note | None:
        """How the part of these views, by viewpoint, stands against the golden one; None: nothing
        to tell by. Of a part that was rendered also what the sensor that takes them can see."""
        if not self.golden or not waiting:
            return None
        expected = [self.golden[planned] for planned, _ in waiting]
        found = align([view for _, view in waiting], expected, self.rays)
        if self.sight is not None:
            self.sight.find(waiting)
        return found

    @property
    def within_sight(self) -> npt.NDArray[np.bool_] | None:
        """(n,) of the surface, what this sensor can see at all; None: all of it, for golden views
        that were taken by the sensor itself show its blind spots as they are."""
        return None if self.sight is None else self.sight.pieces

    def rerender(
        self, planned: int, view: View, reference_from_part: Transform
    ) -> Rerendered | None:
        """The golden view as this view would have seen it; None when the recipe has none."""
        if not self.golden:
            return None
        return rerender(view, planned, self.golden, self.rays, reference_from_part, self.crew)

    def judge(
        self, seen: Rerendered | None, reference_from_part: Transform, crew: Crew
    ) -> Registered | None:
        """What that says of the view's shape; None when the recipe has no golden views."""
        if seen is None:
            return None
        asked = Asked(
            self.recipe.manifest.tolerance_mm,
            narrow=bool(self.models.narrow),
            shown=bool(self.models.looking),
            blind_spots=None if self.sight is None else self.sight.blind_spots(seen.planned),
        )
        with self.watch.time(Work.JUDGE):
            registered = judge(seen, self.golden, self.rays, reference_from_part, crew, asked)
            shapes, grid = [each.shape for each in self.golden], self.recipe.grid
            carved = carve(
                *(seen.view.shape, registered.shape, shapes),
                *(self.rays.shape, reference_from_part, grid),
            )
            self.together.add(seen.planned, seen.view, registered, reference_from_part)
        return registered.with_shape(carved)

    def is_golden(self, planned: int, view: View) -> bool:
        """Whether the view's picture is the golden one's: not another exposure, but the same."""
        golden = self.golden[planned].taken
        return np.array_equal(view.image if golden.ndim == 2 else view.picture, golden)

    def blind(self, planned: int, registered: Registered) -> Blind:
        """Where the view had no return of what the golden one saw."""
        golden = self.golden[planned].shape
        each_share = 1.0 / (golden.measured_px if golden.mostly_edges else golden.steady_px)
        shape = registered.shape
        lost_mm = shape.lost_mm[shape.lost_weight > 0]
        return Blind(planned, shape.blind, lost_mm, each_share, golden.specks)

    def hole_max_mm2(self, limits: Limits) -> float:
        """The configuration's word, else what a defect of the recipe's size can hide in."""
        asked = limits.hole_max_mm2
        return self.recipe.manifest.hides_mm2 if asked is None else asked

    def looked_at(self) -> LookedAt:
        """What asks whether all of the surface was seen."""
        manifest, grid = self.recipe.manifest, self.recipe.grid
        through = manifest.geometry and bool(self.golden)
        score = min(REACH_VOXELS * grid.voxel_mm / manifest.tolerance_mm, SCORE_MAX)
        return LookedAt(self.surface, grid, self.rays, self.golden, through, score, self.crew)

    def fuse_together(self, volume: Volume, reference_from_part: Transform) -> None:
        """Put what all views say together into the volume; after the last one."""
        self.together.fuse(volume, reference_from_part, self.crew)

    def empty_volume(self) -> Volume:
        """Of the recipe's grid."""
        return Volume(self.recipe.grid, self.recipe.manifest.grid.table_z_mm)

    def fusion_into(self, volume: Volume, channels: Mapping[str, Volume]) -> Fusion:
        """Where the scores are: on the GPU once it has given the CPU's numbers there.

        On the host what needs the scores themselves: a classifier's channels, several models, and
        pixels without return that no golden view places; and a sensor beside the camera. Raises
        EngineError.
        """
        engine, several = self.engine, len(self.models.engines) > 1
        on_device = self.whole is None and self.golden and not several and not channels
        on_device = on_device and self.rays.sensed is None
        if isinstance(engine, DeviceEngine) and on_device:
            return self._on_device(engine, volume)
        return self.whole_last(self.on_host(HostFusion, volume, channels), volume)

    def on_host(self, kind: type[OnHost], volume: Volume, channels: Mapping[str, Volume]) -> OnHost:
        """Each view into the volume at once, on the CPU."""
        geometry = self.recipe.manifest.geometry
        models = self.models.without(OF_SETS) if self.recipe.of_sets else self.models
        return kind(models, volume, self.rays, geometry, self.crew, self.watch, channels)

    def whole_last(self, views: HostFusion, volume: Volume) -> Fusion:
        """With the word of a detector of the whole part after all views, where there is one."""
        if self.recipe.of_sets:
            return SetFusion(views, self.models, len(self.recipe.plan.views), self.watch)
        if self.whole is None:
            return views
        return WholeFusion(self.whole, views, self.models, volume, self.crew, self.watch)

    def _on_device(self, engine: DeviceEngine, volume: Volume) -> Fusion:
        geometry, views = self.recipe.manifest.geometry, len(self.recipe.plan.views)
        return DeviceFusion.proven(
            engine, volume, self.rays, geometry, views, self.crew, self.watch
        )


def _watched(recipe: Recipe, engines: Mapping[str, Engine]) -> Models:
    narrow = {each.name for each in recipe.manifest.detectors if each.narrow}
    if recipe.manifest.narrow:
        narrow.add(MODEL)
    vigils = {
        name: Vigil(each, own.probes, own.manifest.probe_tolerance)
        for (name, each), own in zip(engines.items(), recipe.models, strict=True)
    }
    judging = [name for name in engines if not (recipe.of_sets and name in OF_SETS)]
    looking = {name for name in judging if looks(engines[name].inputs)}
    return Models(engines, frozenset(narrow), frozenset(looking), vigils)


def _surface(recipe: Recipe, golden: tuple[ExpectedView, ...], rays: Rays) -> Surface:
    if not golden:
        return Surface.of_voxels(recipe.grid, recipe.expected_ijk)
    shapes = [each.shape for each in golden]
    return Surface.of_views(recipe.grid, recipe.expected_ijk, shapes, rays.shape)


def _expected_views(recipe: Recipe, rays: Rays, crew: Crew) -> tuple[ExpectedView, ...]:
    table_z_mm, views = recipe.manifest.grid.table_z_mm, recipe.reference

    def share(index: int) -> list[ExpectedView]:
        first, end = crew.span(index, len(views))
        return [_expected_view(golden, rays, table_z_mm) for golden in views[first:end]]

    try:
        return tuple(chain.from_iterable(crew.run(share)))
    except ValueError as error:
        raise RecipeError(f"recipe {recipe.label}: {error}: export it again") from error


def _expected_view(golden: ReferenceView, rays: Rays, table_z_mm: float) -> ExpectedView:
    expected = expect(
        golden.compared,
        golden.depth_mm,
        rays,
        golden.part_from_camera,
        table_z_mm,
        golden.gloss,
        golden.shown_mm,
        golden.spread,
    )
    if golden.evened is not None:
        expected = replace(expected, as_taken=golden.image)
    if golden.sensed is None:
        return expected
    return replace(expected, sensed=_expected_view(golden.sensed, rays.shape, table_z_mm))
