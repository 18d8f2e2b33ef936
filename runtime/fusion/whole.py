"""A detector that sees the part as a cube of voxels: the views fill it, it speaks at the end."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from voxgate.runtime.common.crew import Crew
from voxgate.runtime.common.timings import Stopwatch, Work
from voxgate.runtime.comparison.rerendered import Rerendered
from voxgate.runtime.engines.engine import score_volume
from voxgate.runtime.errors import EngineError
from voxgate.runtime.fusion.host import Described, Fused, HostFusion, Judge, Models
from voxgate.runtime.fusion.voxels import VoxelGrid
from voxgate.runtime.geometry.rays import Rays
from voxgate.runtime.nouns import Note, Reason, View
from voxgate.runtime.recipe.manifest import MODEL, VoxelSection
from voxgate.runtime.transforms import Transform, apply, invert
from voxgate.runtime.volume.lift import LiftCounts, lift_points
from voxgate.runtime.volume.volume import SUPPORT_SCORE, Volume

# Defect.views counts who saw a defect; what all views said together is one voice
VOICE = -1

Score = npt.NDArray[np.float32]


class Whole:
    """The part under inspection as its detector will see it; filled view by view."""

    def __init__(self, section: VoxelSection, rays: Rays, table_z_mm: float) -> None:
        self.voxels = VoxelGrid(section)
        self.reference_from_part: Transform = np.eye(4)  # as the first views found it
        self._rays = rays
        self._table_z_mm = table_z_mm

    def clear(self) -> None:
        """Forget the last part."""
        self.voxels.clear()

    def describe(
        self,
        planned: int,
        view: View,
        rerendered: Rerendered | None,
        reference_from_part: Transform,
    ) -> Described:
        """Take in one view's points, moved to where the golden part stands."""
        self.reference_from_part = reference_from_part
        self.voxels.add(view, self._rays, reference_from_part, self._table_z_mm)
        return Described(planned, view, None)


class WholeFusion:
    """What each view saw goes into the volume at once, the detector's word on all of it last."""

    def __init__(
        self,
        whole: Whole,
        views: HostFusion,
        models: Models,
        volume: Volume,
        crew: Crew,
        watch: Stopwatch,
    ) -> None:
        self._whole = whole
        self._views = views
        self._engine = models.engines[MODEL]
        self._vigil = models.vigils[MODEL]
        self._volume = volume
        self._crew = crew
        self._watch = watch

    def start(self) -> None:
        self._whole.clear()
        self._views.start()

    def add(self, described: Described, judge: Judge) -> Described:
        return self._views.add(described, judge)

    def finish(self) -> Fused:
        fused = self._views.finish()
        if not fused.reports:
            return fused
        try:
            with self._watch.time(Work.ENGINE):
                score = self._score()
        except EngineError as error:
            return replace(fused, notes=(Note(Reason.ENGINE_FAILED, str(error)),))
        with self._watch.time(Work.FUSE):
            counts, notes = self._fuse(score)
        return replace(fused, counts=(*fused.counts, counts), notes=notes)

    def close(self) -> None:
        self._views.close()

    def _score(self) -> Score:
        """(n, n, n) scores of the cells. Raises EngineError."""
        tensors = self._whole.voxels.tensors()
        wanted = {spec.name: tensors[spec.name] for spec in self._engine.inputs}
        score = score_volume(self._engine, wanted)
        self._vigil.watch((), score)
        return score

    def _fuse(self, score: Score) -> tuple[LiftCounts, tuple[Note, ...]]:
        """Give every measured voxel the score of its cell, and the room of every cell over the
        threshold its own: what is missing or strange need not lie on a measured surface.

        A score proves nothing seen, so coverage does not grow. Returns the counts, with the points
        that fell beside the cube as outside, and a note when something stands beside the cube or
        a defect lies beside the grid.
        """
        voxels, reference_from_part = self._whole.voxels, self._whole.reference_from_part
        surface = self._volume.grid.centres_mm(self._volume.occupied().ijk)
        at_surface = voxels.scores_at(score, apply(reference_from_part, surface))
        room, of_room = _over_threshold(voxels, score, self._volume.grid.voxel_mm)
        points = np.concatenate([surface, apply(invert(reference_from_part), room)])
        scores = np.concatenate([at_surface, of_room])
        fused = lift_points(
            self._volume, points.astype(np.float32), scores, VOICE, self._crew, seen=False
        )
        counts = LiftCounts(
            0, voxels.outside, fused.invalid, fused.table, fused.dropped, fused.stray
        )
        note = _beside_cube(voxels.crowded_beside()) or _beside_grid(fused.outside)
        return counts, () if note is None else (note,)


def _over_threshold(
    voxels: VoxelGrid, score: Score, voxel_mm: float
) -> tuple[npt.NDArray[np.float64], Score]:
    """Points (m, 3), golden part's frame, mm, that fill every cell at or over the threshold no
    coarser than the fine voxels; and their scores (m,)."""
    spec = voxels.spec
    cells = np.argwhere(score >= np.float32(SUPPORT_SCORE))
    steps = int(np.ceil(spec.voxel_mm / voxel_mm)) + 1
    within = (np.arange(steps) + 0.5) / steps
    offsets = np.stack(np.meshgrid(within, within, within), axis=-1).reshape(-1, 3)
    corners = (cells[:, None, :] + offsets).reshape(-1, 3)
    points = np.asarray(spec.origin_mm) + spec.voxel_mm * corners
    scores = np.repeat(score[tuple(cells.T)], len(offsets))
    return points, scores.astype(np.float32)


def _beside_cube(cells: int) -> Note | None:
    if not cells:
        return None
    return Note(
        Reason.OUT_OF_GRID,
        f"something fills {cells} cells beside the cube that the detector sees, where the golden "
        "part had nothing",
    )


def _beside_grid(outside: int) -> Note | None:
    if not outside:
        return None
    return Note(
        Reason.OUT_OF_GRID,
        "the detector finds something beside the recipe's grid: export it with a larger one",
    )
