"""The method on one page: a tray of parts -> which of them differs from its neighbours.

    views -> what stands on the table -> [first views: how each stands on one of them, each further
    view is fused as it comes] -> each as a surface, on one grid -> what the majority agrees on, in
    shape and look -> who deviates from it, and where -> PASS, FAIL or INDETERMINATE

Nothing is taught and no part is golden. The task is that of Odd-One-Out (Bhunia, Li and Bilen,
2024); this detector needs depth and no weights.
"""

from __future__ import annotations

from dataclasses import replace
from math import ceil

import numpy as np

from voxgate.runtime.common.crew import Crew
from voxgate.runtime.geometry.rays import Rays
from voxgate.runtime.instances import Proven
from voxgate.runtime.nouns import Note, Outcome
from voxgate.runtime.scenes.scene import Scene, SceneView
from voxgate.runtime.transforms import Transform, apply
from voxgate.runtime.trays import doubts
from voxgate.runtime.trays.fused import Fused
from voxgate.runtime.trays.ground import Above, Ground, first_ground, ground
from voxgate.runtime.trays.neighbours.look import Look, look_differences
from voxgate.runtime.trays.neighbours.passage import Passage, passages
from voxgate.runtime.trays.neighbours.proof import proven
from voxgate.runtime.trays.neighbours.shape import Difference, differences
from voxgate.runtime.trays.oddities import judged_of
from voxgate.runtime.trays.scene_verdict import ODD_FROM, Judged, SceneVerdict
from voxgate.runtime.trays.standing import Standing, stand
from voxgate.runtime.trays.steadiness import shifts_mm
from voxgate.runtime.trays.surface import Grid, Prepared, Surface, prepare
from voxgate.runtime.trays.thin import thin_share
from voxgate.runtime.trays.tray import Instance, Tray, look

PLACED_AT = 0.6  # of the planned views: by then most have been all around
PLACED_AGAIN_AT = 0.85  # what the last views still change is settled by the comparison
OWN_VOXELS = 8.0  # from its outline: farther away nothing belongs to an instance
# The hull of a regular part differs by how the part stands to the views: of 24 regular ones without
# depth the worst reaches 2.5 times the limit of measured surfaces.
HULL_SLACK = 3.0
# Of 15 regular parts with rungs of one or two pixels the worst reaches 1.6 times the usual limit.
THIN_SLACK = 2.0


class TrayJudge:
    """Judges one tray; owned and called by one thread.

    planned: views that are to come. table_z_mm: the table's height; None: nobody knows. measured:
    whether depth was; else it is that of a visual hull. in_colour: whether grey pictures speak
    against the tray.
    """

    def __init__(
        self,
        rays: Rays,
        planned: int,
        table_z_mm: float | None,
        crew: Crew,
        measured: bool = True,
        in_colour: bool = False,
    ) -> None:
        self._rays = rays
        first = ceil(PLACED_AT * planned)
        again = min(ceil(PLACED_AGAIN_AT * planned), planned - 1)  # not with the last one
        self._place_at = (first, max(first, again))
        self._told_mm = table_z_mm
        self._crew = crew
        self._measured = measured
        self._in_colour = in_colour
        self._waiting: list[SceneView] = []
        self._ground: Ground | None = None
        self._views: list[Prepared] = []
        self._above: list[Above] = []
        self._fused: Fused | None = None
        self._proven: Proven | None = None
        self.grid: Grid | None = None  # on which they were compared
        self.table_z_mm = 0.0 if table_z_mm is None else table_z_mm

    def add(self, view: SceneView) -> None:
        """Take in a view. Once enough of the planned ones are there, each instance's place is
        looked for, and what comes is fused there."""
        self._waiting.append(view)
        came = len(self._views) + len(self._waiting)
        if came >= self._place_at[0]:
            self._take_waiting()
        if came in self._place_at:
            self._place()

    def finish(self) -> SceneVerdict:
        """Which are odd, by everything that was added."""
        self._take_waiting()
        tray = self._tray()
        self.table_z_mm = tray.table_z_mm
        whole, apart = self._whole(tray)
        seen = [each.view for each in self._views]
        found = [
            *doubts.views(seen, tray.instances),
            *doubts.grey(seen, self._in_colour),
            *apart.values(),
            *doubts.small_things(tray.small, tray.instances),
            *doubts.too_few(len(whole), len(tray.instances)),
        ]
        compared: dict[int, Judged] = {}
        if len(whole) >= doubts.LEAST_ALIKE:
            compared, further = self._compare(*self._surfaces(whole, tray), tray)
            found += further
        judged = tuple(
            replace(compared.get(each.label, Judged(0, each, None)), number=number)
            for number, each in enumerate(tray.instances, start=1)
        )
        if not (self._measured or found or any(each.odd for each in judged)):
            found = [doubts.NO_DEPTH]
        return SceneVerdict(_outcome(judged, found), tuple(found), judged, self._proven)

    def _take_waiting(self) -> None:
        if self._ground is None:
            self._ground = first_ground(self._waiting, self._rays, self._told_mm)
        above = [Above.of(view, self._rays, self._ground) for view in self._waiting]
        views = [prepare(each.view, each.up, self._rays, self._ground) for each in above]
        self._waiting = []
        self._above += above
        self._views += views
        if self._fused is not None:
            self._fused.add(views)

    def _place(self) -> None:
        """Look for each instance's place, and fuse what came of it; nothing where too few stand."""
        tray = self._tray()
        whole, _ = self._whole(tray)
        if len(whole) >= doubts.LEAST_ALIKE:
            self._fused = self._stand(whole, tray)

    def _tray(self) -> Tray:
        """By all views: where the table ends is a little clearer by more of them."""
        below = ground(self._above, self._rays, self._told_mm)
        return look(self._above, self._numbered, below)

    @property
    def _numbered(self) -> int:
        return 1 + max((each.view.number for each in self._views), default=0)

    def _whole(self, tray: Tray) -> tuple[list[Instance], dict[int, Note]]:
        """What can be compared, and by label why the rest cannot."""
        seen = len(self._views)
        apart = doubts.touching(tray.instances) | doubts.partly_seen(tray.instances, seen)
        return [each for each in tray.instances if each.label not in apart], apart

    def _stand(self, whole: list[Instance], tray: Tray) -> Fused:
        before = None if self._fused is None else self._fused.standing
        views, crew = self._views, self._crew
        standing = stand(whole, views, self._rays, tray.table_z_mm, crew, before)
        return Fused(standing, views, self._rays, crew)

    def _surfaces(self, whole: list[Instance], tray: Tray) -> tuple[Standing, list[Surface]]:
        """Where each stands, and its surface by all views; where other things stand than when their
        places were looked for, all is done anew."""
        standing = None if self._fused is None else self._fused.standing.of(whole)
        if self._fused is None or standing is None:
            self._fused = self._stand(whole, tray)
            standing = self._fused.standing
        return standing, self._fused.surfaces(standing)

    def _compare(
        self, standing: Standing, surfaces: list[Surface], tray: Tray
    ) -> tuple[dict[int, Judged], list[Note]]:
        """Each against the others: by label, and what was doubtful about it."""
        grid, whole, worlds = standing.grid, standing.whole, standing.worlds
        self.grid = grid
        fused = [
            _own(surface, world, each, tray, grid)
            for surface, world, each in zip(surfaces, worlds, whole, strict=True)
        ]
        shifts = shifts_mm(whole, fused, worlds, grid, self._numbered)
        found = [*doubts.disagreeing(shifts, whole, grid.voxel_mm)]
        compared = {}
        thin = self._thin_share()
        (shapes, passed), looks = self._crew.both(
            lambda: self._by_depth(fused, grid, THIN_SLACK if thin > doubts.MOST_THIN else 1.0),
            lambda: self._by_look(fused, worlds, grid),
        )
        for instance, stands, world, shape, through, seen in zip(
            whole, standing.placed, worlds, shapes, passed, looks, strict=True
        ):
            compared[instance.label] = judged_of(instance, world, shape, through, seen, grid)
            if max(shape.score, through.score) >= ODD_FROM:
                found += doubts.turned_over(instance, whole[standing.first], stands.alike)
            found += doubts.coverage(instance, shape)
            found += doubts.dim(instance, seen.compared)
        found += doubts.two_kinds([each.levels for each in looks])
        odd = sum(bool(each.odd) for each in compared.values())
        if self._measured:
            self._proven = proven(grid, len(self._views), shapes, looks)
            found += doubts.too_thin(thin)
            found += [] if odd else doubts.blind(self._proven)
        by_look = sum(each.score >= ODD_FROM for each in looks)
        return compared, [*found, *doubts.no_majority(odd, by_look, len(compared))]

    def _thin_share(self) -> float:
        """Of a hull nothing is thinner than its views see."""
        if self._ground is None or not self._measured:
            return 0.0
        return thin_share(self._above, self._ground.surely_mm)

    def _by_depth(
        self, surfaces: list[Surface], grid: Grid, slack: float
    ) -> tuple[tuple[Difference, ...], tuple[Passage, ...]]:
        """Of a hull no ray is known to have passed anything."""
        if self._measured:
            return differences(surfaces, grid, slack), passages(surfaces)
        return differences(surfaces, grid, HULL_SLACK), tuple(
            Passage.unknown(grid) for _ in surfaces
        )

    def _by_look(
        self, surfaces: list[Surface], worlds: list[Transform], grid: Grid
    ) -> tuple[Look, ...]:
        measured = self._measured
        return look_differences(surfaces, worlds, self._views, self._rays, grid, measured)


def judge(scene: Scene, crew: Crew) -> SceneVerdict:
    """Find the instances of a tray and tell which are odd."""
    rays, planned = scene.rays(), len(scene.views)
    judging = TrayJudge(rays, planned, scene.table_z_mm, crew, scene.measured)
    for view in scene.views:
        judging.add(view)
    return judging.finish()


def _outcome(judged: tuple[Judged, ...], found: list[Note]) -> Outcome:
    if found:
        return Outcome.INDETERMINATE
    return Outcome.FAIL if any(each.odd for each in judged) else Outcome.PASS


def _own(
    surface: Surface, world_from_grid: Transform, instance: Instance, tray: Tray, grid: Grid
) -> Surface:
    """Without what belongs to a neighbour that stands close, and without the table around."""
    cells = np.moveaxis(np.indices(grid.shape[:2]), 0, -1)
    level = np.concatenate([cells, np.full((*cells.shape[:2], 1), grid.shape[2] // 2)], axis=-1)
    centres = grid.centres_mm(level).reshape(-1, 3)
    world = apply(world_from_grid, centres).reshape(*cells.shape[:2], 3)
    own = tray.belongs(world, instance.label, OWN_VOXELS * grid.voxel_mm)[..., None]
    return replace(
        surface,
        distance_mm=np.where(own, surface.distance_mm, np.nan).astype(np.float32),
        average_mm=np.where(own, surface.average_mm, np.nan).astype(np.float32),
        steady=surface.steady & own,
    )
