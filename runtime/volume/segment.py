"""From voxels to defects: 26-connected groups at or above the threshold, measured in mm."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from voxgate.runtime.nouns import Defect
from voxgate.runtime.transforms import Transform, apply
from voxgate.runtime.volume.segment_kernels import label_voxels
from voxgate.runtime.volume.volume import SUPPORT_SCORE, Volume, Voxels

Numbers = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True, eq=False)
class Alone:
    """A defect that one view, `planned`, says by itself. voxels: (n,) the volume's own numbers."""

    defect: Defect
    planned: int
    voxels: Numbers


def segment(
    volume: Volume, base_from_part: Transform, threshold: float = SUPPORT_SCORE
) -> tuple[Defect, ...]:
    """The defects of a volume, largest peak first.

    Works on the list of voxels, not on a box around them: two flaws at opposite ends of a fine
    grid cost no more than two side by side. `Defect.views` counts the viewpoints that saw the
    defect at 1.0 or more. Raises ValueError for a threshold that is not positive.
    """
    voxels = volume.above(threshold)
    count, labels = label(voxels.ijk)
    views = _views(volume, voxels, labels, count)
    order = np.argsort(labels, kind="stable")
    groups = np.split(order, np.cumsum(np.bincount(labels, minlength=count))[:-1])
    defects = [
        _measure(volume, voxels, group, base_from_part, int(views[number]))
        for number, group in enumerate(groups[:count])
    ]
    return tuple(sorted(defects, key=lambda defect: -defect.peak_score))


def said_alone(volume: Volume, base_from_part: Transform) -> tuple[Alone, ...]:
    """What each view says for itself, largest peak first; nothing when two say it of one voxel.

    Two views' defects beside each other stay two, for neither confirms the other.
    """
    said = {planned: np.unique(np.concatenate(ids)) for planned, ids in volume.supports.items()}
    everybody = np.concatenate([np.zeros(0, np.int32), *said.values()])
    if not everybody.size or len(np.unique(everybody)) < len(everybody):
        return ()
    voxels = volume.above()
    if len(voxels.ids) != np.isin(voxels.ids, everybody).sum():
        return ()  # the word of no view
    found = []
    for planned, ids in said.items():
        own = np.flatnonzero(np.isin(voxels.ids, ids))
        count, labels = label(voxels.ijk[own])
        for number in range(count):
            group = own[labels == number]
            defect = _measure(volume, voxels, group, base_from_part, 1)
            found.append(Alone(defect, planned, voxels.ids[group]))
    return tuple(sorted(found, key=lambda alone: -alone.defect.peak_score))


def label(ijk: npt.NDArray[np.int32]) -> tuple[int, npt.NDArray[np.int32]]:
    """Number of 26-connected groups and the group (n,) of every voxel (n, 3), sorted by i, j, k."""
    labels = np.empty(len(ijk), np.int32)
    count = int(label_voxels(np.ascontiguousarray(ijk), labels)) if len(ijk) else 0
    return count, labels


def warm_up() -> None:
    """Compile (or load) the kernel of this file."""
    label(np.zeros((1, 3), np.int32))


def _views(
    volume: Volume, voxels: Voxels, labels: npt.NDArray[np.int32], count: int
) -> npt.NDArray[np.int64]:
    """How many viewpoints support each group."""
    group_of = np.full(int(voxels.ids.max(initial=0)) + 1, -1, np.int32)
    group_of[voxels.ids] = labels
    views = np.zeros(count, np.int64)
    for supports in volume.supports.values():
        ids = np.concatenate(supports)
        groups = group_of[ids[ids < group_of.size]]
        views[np.unique(groups[groups >= 0])] += 1
    return views


def _measure(
    volume: Volume,
    voxels: Voxels,
    group: npt.NDArray[np.intp],
    base_from_part: Transform,
    views: int,
) -> Defect:
    voxel_mm = volume.grid.voxel_mm
    ijk = voxels.ijk[group]
    centroid_mm = volume.grid.centres_mm(ijk).mean(axis=0)
    size_mm = (ijk.max(axis=0) - ijk.min(axis=0) + 1) * voxel_mm
    return Defect(
        centroid_part_mm=_three(centroid_mm),
        centroid_base_mm=_three(apply(base_from_part, centroid_mm)),
        size_mm=_three(size_mm),
        volume_mm3=len(group) * voxel_mm**3,
        peak_score=float(voxels.score[group].max()),
        voxels=len(group),
        views=views,
    )


def _three(values: npt.NDArray[np.float64]) -> tuple[float, float, float]:
    x, y, z = (float(value) for value in values)
    return x, y, z
