"""SiM3D's removal of the background: the table is found in a mesh, and what lies below it is cut.

Section 4.2: planes through ten random points each, a thousand times; the one that most points lie
within tau of is moved by alpha, and all below it is left out. Table A has both for six classes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from voxgate.export.evaluation.layouts.mesh import Mesh

DRAWS, OF_POINTS = 1000, 10
JUDGED = 20_000  # points that a plane is judged by
AT_ONCE = 50  # planes: their distances stay in the cache
SEED = 7

Points = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Background:
    """tau_mm: how far from its plane the table may lie. alpha_mm: from where above it the part
    begins."""

    tau_mm: float
    alpha_mm: float


TABLE_A = {
    "plastic_stool": Background(30, -2),
    "rubbish_bin": Background(30, -2),
    "wicker_vase": Background(60, 10),
    "bathroom_furniture": Background(20, 10),
    "container": Background(30, 2),
    "plastic_vase": Background(60, 2),
}
"""The paper's; of the other two classes nothing is removed."""


def without_background(mesh: Mesh, background: Background) -> Mesh:
    """What lies above the table. The frame is the first sensor's, which looks at it from above."""
    normal, offset_mm = table_plane(mesh.points, background.tau_mm)
    return mesh.only(mesh.points @ normal - offset_mm > background.alpha_mm)


def table_plane(points: Points, tau_mm: float) -> tuple[Points, float]:
    """The plane normal @ point = offset that most of the points (n, 3), mm, lie within tau_mm of;
    the frame's origin is on its upper side."""
    rng = np.random.default_rng(SEED)
    drawn = points[rng.integers(len(points), size=(DRAWS, OF_POINTS))]
    centres = drawn.mean(axis=1)
    off = drawn - centres[:, None]
    normals = np.linalg.eigh(np.einsum("dpi,dpj->dij", off, off))[1][:, :, 0]
    offsets_mm = (normals * centres).sum(axis=1)
    judged = points[rng.permutation(len(points))[:JUDGED]]
    best = int(np.argmax(_votes(judged, normals, offsets_mm, tau_mm)))
    normal, offset_mm = normals[best], float(offsets_mm[best])
    return (normal, offset_mm) if offset_mm < 0 else (-normal, -offset_mm)


def _votes(points: Points, normals: Points, offsets_mm: Points, tau_mm: float) -> list[int]:
    found: list[int] = []
    for first in range(0, len(normals), AT_ONCE):
        own = slice(first, first + AT_ONCE)
        away_mm = np.abs(points @ normals[own].T - offsets_mm[own])
        found += (away_mm <= tau_mm).sum(axis=0).tolist()
    return found
