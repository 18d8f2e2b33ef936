"""Scores evened out along the surface, for whoever looks at a finished volume or ranks its places.

Below the threshold a single voxel is mostly noise, and what its neighbours on the surface say with
it is not: a face that lies 0.2 mm off is told from one that is only noisy. At the threshold and
above nothing changes: the verdict and its defects are those of the volume as it was fused.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from voxgate.runtime.volume.grid import GridSpec
from voxgate.runtime.volume.smooth_kernels import smooth_scores
from voxgate.runtime.volume.volume import SUPPORT_SCORE, Voxels

SIGMA_VOXELS = 0.7  # a third of the weight on the voxel itself and its faces, the rest around it
# Through a voxel that no point fell into the surface passes the likelier, the more of its
# neighbours are surface: a plane through a neighbourhood fills a third of it.
PLANE_SHARE = 1 / 3
LEAST_FILLED = 0.2  # a filled voxel that says less says nothing, and costs memory
NO_ID = -1  # of a voxel that the fused volume does not hold


def smooth(voxels: Voxels, grid: GridSpec) -> Voxels:
    """Every voxel's root mean square with its 26 neighbours, and those that the surface grazes
    unmeasured. A score is a deviation in tolerances, and of deviations the squares add up.

    A voxel at the threshold keeps its score; others stay below it. So does the loudest one: a part
    is as bad as its volume's largest score. Added voxels have no hits, and NO_ID.
    """
    if not len(voxels.ijk):
        return voxels
    below = np.nextafter(np.float32(SUPPORT_SCORE), np.float32(0.0))
    score, ijk, filled = smooth_scores(
        np.ascontiguousarray(voxels.ijk),
        voxels.score,
        grid.shape,
        _weights(),
        PLANE_SHARE,
        LEAST_FILLED,
    )
    kept = voxels.score >= SUPPORT_SCORE
    kept[np.argmax(voxels.score)] = True
    score = np.where(kept, voxels.score, np.minimum(score, below))
    loud = filled >= LEAST_FILLED
    ijk = np.concatenate([voxels.ijk, ijk[loud]])
    order = np.lexsort(ijk.T[::-1])
    return Voxels(
        ijk[order],
        np.concatenate([score, np.minimum(filled[loud], below)])[order],
        np.concatenate([voxels.hits, np.zeros(loud.sum(), np.int32)])[order],
        np.concatenate([voxels.ids, np.full(loud.sum(), NO_ID, np.int32)])[order],
    )


def _weights() -> npt.NDArray[np.float32]:
    """(3, 3, 3) of a voxel and its neighbours."""
    profile = np.exp(-0.5 * (np.arange(-1, 2) / SIGMA_VOXELS) ** 2)
    return np.asarray(np.einsum("i,j,k->ijk", profile, profile, profile), np.float32)


def warm_up() -> None:
    """Compile (or load) the kernel of this file."""
    grid = GridSpec((0.0, 0.0, 0.0), (2, 2, 2), 1.0)
    one = np.zeros(1, np.int32)
    smooth(Voxels(np.zeros((1, 3), np.int32), np.ones(1, np.float32), one, one), grid)
