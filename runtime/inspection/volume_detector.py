"""A detector that sees the part as a cube of voxels, and its scores on the runtime's volume."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from voxgate.runtime.common.crew import Crew
from voxgate.runtime.engines.engine import Engine, score_volume
from voxgate.runtime.geometry.rays import Rays
from voxgate.runtime.inspection.voxels import VoxelGrid
from voxgate.runtime.nouns import Note, Reason, View
from voxgate.runtime.recipe.manifest import VoxelSection
from voxgate.runtime.transforms import Transform, apply, invert
from voxgate.runtime.volume.lift import LiftCounts, lift_points
from voxgate.runtime.volume.volume import SUPPORT_SCORE, Volume

# Defect.views counts who saw a defect; what all views said together is one voice
VOICE = -1


class VolumeDetector:
    """One part at a time: take in every view, score the whole, write that into the volume."""

    def __init__(self, section: VoxelSection) -> None:
        self._voxels = VoxelGrid(section)

    def clear(self) -> None:
        """Forget the last part."""
        self._voxels.clear()

    def add(
        self, view: View, rays: Rays, reference_from_part: Transform, table_z_mm: float
    ) -> None:
        """Take in one view's points, moved to where the golden part stands."""
        self._voxels.add(view, rays, reference_from_part, table_z_mm)

    def score(self, engine: Engine) -> npt.NDArray[np.float32]:
        """(n, n, n) scores of the cells. Raises EngineError."""
        tensors = self._voxels.tensors()
        return score_volume(engine, {spec.name: tensors[spec.name] for spec in engine.inputs})

    def fuse(
        self,
        score: npt.NDArray[np.float32],
        volume: Volume,
        reference_from_part: Transform,
        crew: Crew,
    ) -> tuple[LiftCounts, Note | None]:
        """Give every measured voxel the score of its cell, and the room of every cell over the
        threshold its own: what is missing or strange need not lie on a measured surface.

        A score proves nothing seen, so coverage does not grow. Returns the counts, with the points
        that fell beside the cube as outside, and a note when something stands beside the cube or
        a defect lies beside the grid.
        """
        surface = volume.grid.centres_mm(volume.occupied().ijk)
        at_surface = self._voxels.scores_at(score, apply(reference_from_part, surface))
        room, of_room = self._over_threshold(score, volume.grid.voxel_mm)
        points = np.concatenate([surface, apply(invert(reference_from_part), room)])
        scores = np.concatenate([at_surface, of_room])
        fused = lift_points(volume, points.astype(np.float32), scores, VOICE, crew, seen=False)
        beside = self._voxels.outside
        counts = LiftCounts(0, beside, fused.invalid, fused.table, fused.dropped)
        return counts, _beside_cube(self._voxels.crowded_beside()) or _beside_grid(fused.outside)

    def _over_threshold(
        self, score: npt.NDArray[np.float32], voxel_mm: float
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float32]]:
        """Points (m, 3), golden part's frame, mm, that fill every cell at or over the threshold no
        coarser than the fine voxels; and their scores (m,)."""
        spec = self._voxels.spec
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
