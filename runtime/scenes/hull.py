"""Depth where none was measured: the visual hull of what stands on the table.

What lies in the silhouettes of all views (Laurentini, 1994). Hollows are not in any silhouette, so
the hull never proves that a part is as its neighbours; that one sticks out or lacks something it
shows as far as it goes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from voxgate.runtime.geometry.rays import Rays
from voxgate.runtime.nouns import DepthMap
from voxgate.runtime.scenes.hull_kernels import TABLE, carve, meet
from voxgate.runtime.scenes.scene import Scene, SceneView, camera_rays
from voxgate.runtime.scenes.silhouettes import PART, Area, Outline, Picture, silhouettes
from voxgate.runtime.transforms import invert

COARSE = 4  # fine voxels along a coarse one's edge
HEIGHT = 0.35  # of the area's side: nothing on a tray stands taller
MISSED_SHARE = 0.1  # of the views, whose silhouettes may lack a place: by look they have holes
LEAST_SHARE = 0.5  # of the views, that see a place that is kept
LOWEST_VOXELS = 3  # above the table: a part stands on it
SMOOTH_VOXELS = 0.8


@dataclass(frozen=True, slots=True, eq=False)
class Hull:
    """solid (k, m, n): share of a voxel that is inside; from corner_mm, world frame."""

    solid: npt.NDArray[np.float32]
    corner_mm: npt.NDArray[np.float64]
    voxel_mm: float


def scene_by_hull(
    folder: Path,
    camera_matrix: npt.NDArray[np.float64],
    distortion: tuple[float, ...],
    pictures: Sequence[Picture],
    table_z_mm: float,
) -> Scene:
    """A scene whose depth is that of the hull. Raises CalibrationError."""
    rays = camera_rays(pictures[0].image.shape, camera_matrix, distortion)
    masks = silhouettes(pictures, rays, table_z_mm)
    told = all(each.mask is not None for each in pictures)
    hull = _hull(pictures, masks, rays, table_z_mm, told)
    views = tuple(
        SceneView(
            each.number,
            each.image,
            _depth(each, mask, hull, rays, table_z_mm),
            each.world_from_camera,
            each.colour,
        )
        for each, mask in zip(pictures, masks, strict=True)
    )
    return Scene(folder, camera_matrix, views, table_z_mm, distortion, measured=False)


def _hull(
    pictures: Sequence[Picture],
    masks: Sequence[Outline],
    rays: Rays,
    table_z_mm: float,
    told: bool,
) -> Hull:
    """Coarse first, then what is left of it with voxels of a pixel."""
    area = Area.of(pictures, rays, table_z_mm)
    side_mm = area.cells * area.cell_mm
    fine_mm = area.pixel_mm
    coarse_mm = COARSE * fine_mm
    views = _Views.of(pictures, masks, rays, 0 if told else int(MISSED_SHARE * len(pictures)))
    across = max(1, int(side_mm / coarse_mm))
    corner = np.array([*area.corner_mm, table_z_mm])
    # a coarse voxel's middle lies up to two fine ones off what it holds
    shape = (across, across, max(1, int(HEIGHT * across)))
    coarse = views.wide(COARSE).inside(np.ones((1, 1, 1), np.bool_), shape, corner, coarse_mm)
    at = np.argwhere(coarse)
    if not len(at):
        return Hull(np.zeros((2, 2, 2), np.float32), corner, fine_mm)
    low, high = at.min(axis=0), at.max(axis=0) + 1
    kept = coarse[low[0] : high[0], low[1] : high[1], low[2] : high[2]]
    corner = corner + coarse_mm * low
    k, m, n = (COARSE * (high - low)).tolist()
    fine = _standing(views.inside(kept, (k, m, n), corner, fine_mm))
    # air around, but below: it stands on the table
    padded = np.pad(fine.astype(np.float32), ((3, 3), (3, 3), (0, 3)))
    solid = ndimage.gaussian_filter(padded, SMOOTH_VOXELS, mode="nearest")
    return Hull(solid, corner - fine_mm * np.array([3, 3, 0]), fine_mm)


def _standing(inside: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Without what hangs in the air: there silhouettes of different parts meet."""
    labels, _ = ndimage.label(inside)
    below = np.unique(labels[..., :LOWEST_VOXELS])
    return np.asarray(np.isin(labels, below[below > 0]))


@dataclass(frozen=True, slots=True, eq=False)
class _Views:
    cameras_from_world: npt.NDArray[np.float64]
    masks: npt.NDArray[np.uint8]
    lens: npt.NDArray[np.float64]
    misses: int

    @classmethod
    def of(
        cls, pictures: Sequence[Picture], masks: Sequence[Outline], rays: Rays, misses: int
    ) -> _Views:
        poses = np.stack([invert(each.world_from_camera) for each in pictures])
        return cls(poses, np.stack(masks), rays.lens, misses)

    def wide(self, pixels: int) -> _Views:
        """With wider silhouettes."""
        size = (1, 2 * pixels + 1, 2 * pixels + 1)
        wide = np.where(ndimage.maximum_filter(self.masks == PART, size), PART, self.masks)
        return _Views(self.cameras_from_world, wide, self.lens, self.misses)

    def inside(
        self,
        todo: npt.NDArray[np.bool_],
        shape: tuple[int, int, int],
        corner_mm: npt.NDArray[np.float64],
        voxel_mm: float,
    ) -> npt.NDArray[np.bool_]:
        found = np.zeros(shape, np.uint8)
        least = int(np.ceil(LEAST_SHARE * len(self.masks)))
        carve(
            todo,
            corner_mm,
            voxel_mm,
            self.cameras_from_world,
            self.lens,
            self.masks,
            self.misses,
            least,
            found,
        )
        return found.astype(np.bool_)


def _depth(picture: Picture, mask: Outline, hull: Hull, rays: Rays, table_z_mm: float) -> DepthMap:
    """(h, w) of the hull, or of the table behind; NaN where a silhouette holds nothing."""
    depth = picture.on_plane(rays, table_z_mm).astype(np.float32)
    meet(
        hull.solid,
        hull.corner_mm,
        hull.voxel_mm,
        picture.world_from_camera,
        rays.x,
        rays.y,
        mask != TABLE,
        depth,
    )
    return depth
