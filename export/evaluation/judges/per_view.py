"""The runtime's inspector, listening in: what each view alone gave each voxel."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from voxgate.export.evaluation.judges.fusion_rules import Scores, Votes
from voxgate.runtime.fusion.host import Described, Fusion, HostFusion, Said
from voxgate.runtime.inspection.inspector import Inspector
from voxgate.runtime.nouns import Verdict
from voxgate.runtime.volume.volume import Volume


@dataclass(frozen=True, slots=True, eq=False)
class ViewVoxels:
    """Voxels (n, 3) that one view measured or scored, and their scores (n,)."""

    ijk: npt.NDArray[np.int32]
    score: npt.NDArray[np.float32]


class _Listening(HostFusion):
    """Fuses as the box does, and keeps what was fused of each view."""

    heard: list[tuple[Described, Said]]

    def start(self) -> None:
        super().start()
        self.heard = []

    def fuse(self, described: Described, said: Said) -> None:
        super().fuse(described, said)
        self.heard.append((described, said))


class ListeningInspector(Inspector):
    """Inspects as the box does, and keeps every view's own voxels of the last part.

    The views are fused once more, alone, at the end, so that the stages' times are the box's. A
    volume detector speaks once, for all views together: then no view has a voice of its own.
    together: what only all views say together; no view has a vote on it.
    """

    views: list[ViewVoxels]
    together: ViewVoxels
    _listening: _Listening

    def start(self) -> None:
        """Forget the last part."""
        super().start()
        self.views = []

    def finish(self) -> Verdict:
        """As the box's, and `views` and `together`."""
        verdict = super().finish()
        self.views = [self._alone(*heard) for heard in self._listening.heard]
        self.together = self._said_together()
        return verdict

    def open_fusion(self) -> Fusion:
        """On the host, where the scores of every view can be heard."""
        self._listening = self.equipment.on_host(_Listening, self.volume, self.channels)
        return self.equipment.whole_last(self._listening, self.volume)

    def _alone(self, described: Described, said: Said) -> ViewVoxels:
        volume = self._empty()
        self.equipment.on_host(HostFusion, volume, {}).fuse(described, said)
        return self._rescaled(volume)

    def _said_together(self) -> ViewVoxels:
        volume, reference_from_part = self._empty(), self._part.reference_from_part
        self._looked.fuse_vanished(volume, reference_from_part)
        self.equipment.fuse_together(volume, reference_from_part)
        return self._rescaled(volume)

    def _empty(self) -> Volume:
        return Volume(self.volume.grid, self.volume.table_z_mm)

    def _rescaled(self, volume: Volume) -> ViewVoxels:
        if self.recipe.zones is not None:
            self.recipe.zones.rescale(volume, self._part.reference_from_part)
        occupied = volume.occupied()
        return ViewVoxels(occupied.ijk, occupied.score)


def votes_on(
    ijk: npt.NDArray[np.int32], views: list[ViewVoxels], shape: tuple[int, int, int]
) -> Votes:
    """The views' votes on voxels (n, 3), in the order in which a volume gives them."""
    nobody = ViewVoxels(np.zeros((0, 3), np.int32), np.zeros(0, np.float32))
    placed = [onto_voxels(ijk, view, shape) for view in views or [nobody]]
    return Votes.of([score for score, _ in placed], [seen for _, seen in placed])


def onto_voxels(
    ijk: npt.NDArray[np.int32], said: ViewVoxels, shape: tuple[int, int, int]
) -> tuple[Scores, npt.NDArray[np.bool_]]:
    """What is said of voxels (n, 3), sorted by i, j, k, 0 where nothing is, and where something is;
    each (n,)."""
    numbers = _numbers(ijk, shape)
    place = np.searchsorted(numbers, own := _numbers(said.ijk, shape))
    place = np.minimum(place, max(len(numbers) - 1, 0))
    hit = numbers[place] == own
    score, known = np.zeros(len(ijk), np.float32), np.zeros(len(ijk), np.bool_)
    score[place[hit]] = said.score[hit]
    known[place[hit]] = True
    return score, known


def _numbers(ijk: npt.NDArray[np.int32], shape: tuple[int, int, int]) -> npt.NDArray[np.int64]:
    i, j, k = ijk.astype(np.int64).T
    numbers: npt.NDArray[np.int64] = (i * shape[1] + j) * shape[2] + k
    return numbers
