"""Other places where the part could stand as well: turned about its height, or on its head."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from voxgate.calib.numerics.least_squares import Array
from voxgate.calib.numerics.twist import inverse
from voxgate.calib.place.likeness import Likeness
from voxgate.calib.place.surface import Surface
from voxgate.runtime.transforms import Transform, apply

TURNS = 24
FLIPPED_TURNS = 8
OTHER_MM, OTHER_DEG = 5.0, 5.0  # nearer ones are the same place
SYMMETRIC_MM, SYMMETRIC = 0.5, 0.99  # so much of the mesh falls onto itself
SOME, NEIGHBOURS = 4000, 8


@dataclass(frozen=True, slots=True, eq=False)
class Rival:
    """base_from_part of another place, how like it is there, and whether the mesh itself falls onto
    itself by that motion, so that no scan can tell the two apart."""

    base_from_part: Transform
    like: Likeness
    turn: Array
    symmetric: bool

    def __str__(self) -> str:
        angle = float(np.degrees(np.linalg.norm(self.turn)))
        axis = self.turn / max(1e-9, float(np.linalg.norm(self.turn)))
        return f"turned by {angle:.0f} deg about ({', '.join(f'{v:+.1f}' for v in axis)})"


def turned_about_itself(base_from_part: Transform, mesh: Surface) -> list[Transform]:
    """The pose turned in equal steps about the part's height, and the same upside down."""
    centre = (mesh.points.min(axis=0) + mesh.points.max(axis=0)) / 2
    turns = [Rotation.from_rotvec([0, 0, a]) for a in _steps(TURNS)[1:]]
    on_head = Rotation.from_rotvec([np.pi, 0, 0])
    turns += [Rotation.from_rotvec([0, 0, a]) * on_head for a in _steps(FLIPPED_TURNS)]
    return [base_from_part @ _about(turn, centre) for turn in turns]


def is_another(one: Transform, other: Transform, mesh: Surface) -> bool:
    """Whether the part's samples stand elsewhere."""
    points = mesh.points[:: max(1, len(mesh.points) // 500)]
    turn = Rotation.from_matrix(one[:3, :3].T @ other[:3, :3]).magnitude()
    off = np.linalg.norm(apply(one, points) - apply(other, points), axis=1)
    return bool(off.max() > OTHER_MM and (np.degrees(turn) > OTHER_DEG or off.min() > OTHER_MM))


def rival(best: Transform, other: Transform, like: Likeness, mesh: Surface, tree: cKDTree) -> Rival:
    """Named by the motion, in the part's frame, that takes one place to the other."""
    between = inverse(best[None])[0] @ other
    turn = np.asarray(Rotation.from_matrix(between[:3, :3]).as_rotvec())
    return Rival(other, like, turn, _falls_onto_itself(between, mesh, tree))


def _falls_onto_itself(between: Transform, mesh: Surface, tree: cKDTree) -> bool:
    every = max(1, len(mesh.points) // SOME)
    points, normals = mesh.points[::every], mesh.normals[::every] @ between[:3, :3].T
    moved = apply(between, points)
    _, nearest = tree.query(moved, k=NEIGHBOURS)  # at an edge the nearest is of the other face
    normal = mesh.normals[nearest]
    off = np.abs(((moved[:, None] - mesh.points[nearest]) * normal).sum(axis=2))
    same = (off < SYMMETRIC_MM) & ((normals[:, None] * normal).sum(axis=2) > 0.9)
    return bool(same.any(axis=1).mean() > SYMMETRIC)


def _about(turn: Rotation, centre: Array) -> Transform:
    moved = np.eye(4)
    moved[:3, :3] = turn.as_matrix()
    moved[:3, 3] = centre - moved[:3, :3] @ centre
    return moved


def _steps(count: int) -> list[float]:
    return [2 * np.pi * number / count for number in range(count)]
