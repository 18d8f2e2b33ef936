"""Zones of a part with thresholds of their own: boxes, or labels on the golden surface.

A seat is held tighter than a rough casting. Zones lie in the frame of the golden part and move with
the part under inspection. Scores are divided by the zone's threshold, so that 1.0 stays the
threshold everywhere; where zones overlap, the first one listed counts.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from voxgate.runtime.common.npz import typed
from voxgate.runtime.transforms import Transform, apply
from voxgate.runtime.volume.grid import BLOCK_CELLS
from voxgate.runtime.volume.volume import LOST_SCORE, Volume

if TYPE_CHECKING:
    from scipy.spatial import cKDTree

REST = 0  # number of what lies in no zone
LEAST_THRESHOLD = LOST_SCORE + 0.05  # below, surface without a return would be a defect
MOST_THRESHOLD = 100.0
LABEL_REACH_VOXELS = 1.75  # a measured voxel and its diagonal neighbours belong to a labelled one
MOST_ZONES = 255
# scores below this share of every threshold cannot matter: their zone is not looked up
NOTHING = 0.25

Points = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Zones:
    """names (z,), the rest first; thresholds (z,) in units of the recipe's own scores.

    boxes (b, 2, 3) mm, low and high corner, with box_zone (b,); labels (n, 3) points on the golden
    surface, mm, with label_zone (n,). Frame: the golden part. voxel_mm: of the recipe.
    """

    names: tuple[str, ...]
    thresholds: npt.NDArray[np.float64]
    boxes: Points
    box_zone: npt.NDArray[np.int32]
    labels: Points
    label_zone: npt.NDArray[np.int32]
    voxel_mm: float
    _tree: cKDTree | None = field(init=False, repr=False)

    def __post_init__(self) -> None:
        _check(self)
        object.__setattr__(self, "_tree", _tree_of(self.labels) if len(self.labels) else None)

    @classmethod
    def whole(cls, threshold: float = 1.0, voxel_mm: float = 1.0) -> Zones:
        """One threshold for the whole part."""
        return cls(
            ("rest",),
            np.array([threshold]),
            np.zeros((0, 2, 3)),
            np.zeros(0, np.int32),
            np.zeros((0, 3)),
            np.zeros(0, np.int32),
            voxel_mm,
        )

    def with_thresholds(self, thresholds: Sequence[float]) -> Zones:
        """The same zones, other thresholds."""
        return Zones(
            self.names,
            np.asarray(thresholds, np.float64),
            self.boxes,
            self.box_zone,
            self.labels,
            self.label_zone,
            self.voxel_mm,
        )

    def zone_of(self, points_mm: Points) -> npt.NDArray[np.int32]:
        """(n,) zone of points (n, 3), golden part's frame, mm."""
        zone = np.full(len(points_mm), REST, np.int32)
        if self._tree is not None:
            reach = LABEL_REACH_VOXELS * self.voxel_mm
            _, nearest = self._tree.query(points_mm, distance_upper_bound=reach)
            near = nearest < len(self.labels)
            zone[near] = self.label_zone[nearest[near]]
        for (low, high), number in zip(self.boxes, self.box_zone, strict=True):
            inside = np.all((points_mm >= low) & (points_mm <= high), axis=1)
            first = (zone == REST) | (zone > number)
            zone[inside & first] = number
        return zone

    def rescale(self, volume: Volume, reference_from_part: Transform) -> None:
        """Divide a part's scores by their zones' thresholds, in place, once per part."""
        least = NOTHING * float(self.thresholds.min())
        voxels = volume.above(least)
        used = volume.score[: int(volume.used[0]) * BLOCK_CELLS]
        used /= np.float32(self.thresholds[REST])
        if len(voxels.ids):
            centres = apply(reference_from_part, volume.grid.centres_mm(voxels.ijk))
            threshold = self.thresholds[self.zone_of(centres)]
            volume.score[voxels.ids] = (voxels.score / threshold).astype(np.float32)

    def maxima(self, volume: Volume, reference_from_part: Transform) -> dict[str, float]:
        """The highest score in every zone, 0 where nothing was scored; before `rescale`.

        Surface without a return has a score that is no measurement: it does not count here.
        """
        voxels = volume.occupied()
        measured = voxels.score != np.float32(LOST_SCORE)
        centres = apply(reference_from_part, volume.grid.centres_mm(voxels.ijk[measured]))
        score, zone = voxels.score[measured], self.zone_of(centres)
        return {
            name: float(score[zone == number].max(initial=0.0))
            for number, name in enumerate(self.names)
        }


def write_zones(zones: Zones) -> bytes:
    """The content of `zones.npz`."""
    buffer = io.BytesIO()
    np.savez_compressed(
        buffer,
        allow_pickle=False,
        names=np.array(zones.names),
        thresholds=zones.thresholds,
        boxes=zones.boxes,
        box_zone=zones.box_zone,
        labels=zones.labels,
        label_zone=zones.label_zone,
    )
    return buffer.getvalue()


def read_zones(arrays: Mapping[str, npt.NDArray[Any]], voxel_mm: float) -> Zones:
    """Raises ValueError or KeyError for what is no set of zones."""
    return Zones(
        tuple(str(name) for name in np.atleast_1d(arrays["names"])),
        typed(arrays, "thresholds", np.float64),
        typed(arrays, "boxes", np.float64),
        typed(arrays, "box_zone", np.int32),
        typed(arrays, "labels", np.float64),
        typed(arrays, "label_zone", np.int32),
        voxel_mm,
    )


def _tree_of(labels: Points) -> cKDTree:
    from scipy.spatial import cKDTree  # half as long as numba: only where a recipe has labels

    return cKDTree(labels)


def _check(zones: Zones) -> None:
    count = len(zones.names)
    if not 1 <= count <= MOST_ZONES or len(set(zones.names)) != count:
        raise ValueError(f"1 to {MOST_ZONES} zones with names of their own, got {zones.names}")
    if zones.thresholds.shape != (count,):
        raise ValueError(f"{count} zones need as many thresholds, got {zones.thresholds.shape}")
    if not ((zones.thresholds >= LEAST_THRESHOLD) & (zones.thresholds <= MOST_THRESHOLD)).all():
        raise ValueError(
            f"thresholds lie from {LEAST_THRESHOLD} (surface without a return scores {LOST_SCORE}) "
            f"to {MOST_THRESHOLD}, got {zones.thresholds.tolist()}"
        )
    shapes = (zones.boxes.shape[1:], zones.labels.shape[1:])
    counts = (len(zones.box_zone) == len(zones.boxes), len(zones.label_zone) == len(zones.labels))
    if shapes != ((2, 3), (3,)) or not all(counts):
        raise ValueError("boxes are (b, 2, 3) with b zones, labels (n, 3) with n zones")
    if not (np.isfinite(zones.boxes).all() and np.isfinite(zones.labels).all()):
        raise ValueError("boxes and labels must be finite")
    if len(zones.boxes) and (zones.boxes[:, 0] >= zones.boxes[:, 1]).any():
        raise ValueError("a box's low corner lies below its high corner in x, y and z")
    numbers = np.concatenate([zones.box_zone, zones.label_zone])
    if numbers.size and not ((numbers > REST) & (numbers < count)).all():
        raise ValueError(f"boxes and labels belong to zones 1 to {count - 1}")
