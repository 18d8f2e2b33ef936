"""The voxels of a scan that hold matter, with what was said and what is true of each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Shape = tuple[int, int, int]


@dataclass(frozen=True, slots=True, eq=False)
class LabelledVolume:
    """The non-empty voxels (surface or ground truth) of one test scan, in any order.

    scores: (n,) float32, what the detector says; an unseen voxel scores 0.
    defect_ids: (n,) int16, 0 where the voxel is no defect, else which defect of this scan.
    """

    scores: npt.NDArray[np.float32]
    defect_ids: npt.NDArray[np.int16]

    def __post_init__(self) -> None:
        if self.scores.ndim != 1 or self.scores.shape != self.defect_ids.shape:
            raise ValueError(
                f"expected scores and defect_ids of one shape (n,), "
                f"got {self.scores.shape} and {self.defect_ids.shape}"
            )
        if not np.isfinite(self.scores).all():
            raise ValueError("expected finite scores, got NaN or infinity")
        if self.defect_ids.min(initial=0) < 0:
            raise ValueError("expected defect ids >= 0, got a negative one")

    @property
    def defect_sizes(self) -> npt.NDArray[np.int64]:
        """Voxels by id; of id 0, what is no defect."""
        return np.bincount(self.defect_ids, minlength=1)

    @property
    def defects(self) -> npt.NDArray[np.intp]:
        """The ids of the defects, ascending."""
        return np.flatnonzero(self.defect_sizes[1:]) + 1

    def peak(self, defect_id: int) -> float:
        """The highest score on one defect."""
        return float(self.scores[self.defect_ids == defect_id].max())


@dataclass(frozen=True, slots=True, eq=False)
class VoxelTruth:
    """What is true of a scan: voxels of the grid (n, 3) int32, part frame.

    surface_ijk: where this part has surface; defect_ijk, defect_ids (m,): a voxel in both is a
    defect.
    """

    surface_ijk: npt.NDArray[np.int32]
    defect_ijk: npt.NDArray[np.int32]
    defect_ids: npt.NDArray[np.int16]

    @property
    def anomalous(self) -> bool:
        """Whether the part has a defect."""
        return len(self.defect_ids) > 0


def label_volume(
    ijk: npt.NDArray[np.int32],
    score: npt.NDArray[np.float32],
    truth: VoxelTruth,
    shape: Shape,
) -> tuple[LabelledVolume, npt.NDArray[np.int32]]:
    """Give every non-empty voxel of the truth its score, and say where each lies, (m, 3) int32.

    ijk (n, 3), score (n,): a voxel that is not named scores 0. Memory grows with the voxels named,
    not with the grid. Raises ValueError for truth outside it.
    """
    numbers, ids = _non_empty(truth, shape)
    own = _numbers(ijk, shape)
    order = np.argsort(own)
    place = np.minimum(np.searchsorted(own[order], numbers), max(own.size - 1, 0))
    found = own[order][place] == numbers if own.size else np.zeros(numbers.size, np.bool_)
    scores = np.zeros(numbers.size, np.float32)
    scores[found] = score[order][place[found]]
    where = np.stack(np.unravel_index(numbers, shape), axis=1).astype(np.int32)
    return LabelledVolume(scores, ids), where


def from_dense(
    scores: npt.NDArray[np.float32], defect_ids: npt.NDArray[np.int16]
) -> LabelledVolume:
    """Both (X, Y, Z); defect_ids -1 where the voxel is empty, 0 sound surface, else the defect."""
    if scores.shape != defect_ids.shape:
        raise ValueError(f"expected one shape, got {scores.shape} and {defect_ids.shape}")
    filled = defect_ids.reshape(-1) >= 0
    return LabelledVolume(scores.reshape(-1)[filled], defect_ids.reshape(-1)[filled])


def _non_empty(
    truth: VoxelTruth, shape: Shape
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int16]]:
    """Number in the grid and defect id of every voxel of the truth, each once."""
    defect, first = np.unique(_numbers(truth.defect_ijk, shape), return_index=True)
    sound = np.setdiff1d(_numbers(truth.surface_ijk, shape), defect)
    ids = np.zeros(defect.size + sound.size, np.int16)
    ids[: defect.size] = truth.defect_ids[first]
    return np.concatenate([defect, sound]), ids


def _numbers(ijk: npt.NDArray[np.int32], shape: Shape) -> npt.NDArray[np.int64]:
    if len(ijk) and ((ijk < 0).any() or (ijk >= shape).any()):
        raise ValueError(f"voxels lie outside the grid of {shape}")
    _, ny, nz = shape
    i, j, k = ijk.astype(np.int64).T
    numbers: npt.NDArray[np.int64] = (i * ny + j) * nz + k
    return numbers
