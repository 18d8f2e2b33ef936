"""Where the network sees instances: voxels over a density, in clusters (section 3.3 of the paper).

The clusters are DBSCAN's (Ester et al. 1996): a voxel with LEAST others is the core of one, and
what touches a core belongs to it. The paper takes the default parameters and names none; a voxel's
neighbours are here those that it touches, 26, and five voxels are needed, itself among them.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage

Density = npt.NDArray[np.float32]
Field = npt.NDArray[np.float32]
Boxes = npt.NDArray[np.float32]
"""(n, 6) lowest and highest corner in voxels; voxel i reaches from i to i + 1."""

DENSE_FROM = 0.2  # section 4.2
LEAST = 5  # voxels around and including a core: scikit-learn's default
AROUND = np.ones((3, 3, 3), np.int32)
LEAST_SHARE = 0.1  # of the largest cluster's voxels: smaller is a crumb of density


def density_of(field: Field, voxels: tuple[int, int, int]) -> Density:
    """(x, y, z) of what the first graph gives."""
    found: Density = field[0, 0, 0].reshape(voxels)
    return found


def clusters(dense: npt.NDArray[np.bool_]) -> npt.NDArray[np.int32]:
    """(x, y, z) number of each voxel's cluster from 1, 0 where there is none or it is noise."""
    count = ndimage.convolve(dense.astype(np.int32), AROUND, mode="constant")
    core = dense & (count >= LEAST)
    labels, _ = ndimage.label(core, AROUND)
    # a border voxel that two clusters touch goes to the one of the higher number
    touched = ndimage.maximum_filter(labels, footprint=AROUND, mode="constant")
    return np.where(core, labels, np.where(dense, touched, 0)).astype(np.int32)


def boxes_of(density: Density) -> Boxes:
    """The largest first, crumbs left out."""
    labels = clusters(density > DENSE_FROM)
    sizes = np.bincount(labels.ravel())[1:]
    places = ndimage.find_objects(labels)
    order = [i for i in np.argsort(-sizes, kind="stable") if sizes[i] >= LEAST_SHARE * sizes.max()]
    found = [
        [*(each.start for each in places[i]), *(each.stop for each in places[i])] for i in order
    ]
    return np.array(found, np.float32).reshape(-1, 6)


def in_front(boxes: Boxes, most: int) -> Boxes:
    """(1, 1, most, 6) as the second graph takes them: zeros where there is none."""
    given = np.zeros((1, 1, most, 6), np.float32)
    given[0, 0, : len(boxes)] = boxes
    return given
