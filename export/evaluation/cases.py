"""What a published layout becomes: cases that are read when they are asked for, one at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt

from voxgate.export.evaluation.metrics.labelled_volume import VoxelTruth
from voxgate.export.evaluation.metrics.objects import Boxes
from voxgate.runtime.geometry.calibration import Calibration
from voxgate.runtime.nouns import DepthMap, Note, View
from voxgate.runtime.nouns import Picture as Pixels
from voxgate.runtime.volume.grid import GridSpec

Kind = Literal["volume", "picture", "scene"]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """One picture as a view detector gets it: (h, w), or (h, w, 3) in colour. depth_mm: NaN = no
    return; None without a sensor.

    camera_matrix: (3, 3) float64 px, of the depth, where it is known.
    """

    image: Pixels
    depth_mm: DepthMap | None = None
    camera_matrix: npt.NDArray[np.float64] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class PictureTruth:
    """defect (h, w) bool; part (h, w) bool where the object is, None if nobody says.

    anomalous: the picture's label; a bad picture may show nothing of its defect.
    """

    defect: Mask
    anomalous: bool
    part: Mask | None = None


@dataclass(frozen=True, slots=True, eq=False)
class SceneTruth:
    """Objects of a scene: boxes (n, 6) axis-aligned, centre and size; odd (n,) bool."""

    boxes: Boxes
    odd: npt.NDArray[np.bool_]


class Case(Protocol):
    """One test instance. name is unique in its data set; source is what it is read from."""

    @property
    def name(self) -> str: ...
    @property
    def part(self) -> str: ...
    @property
    def source(self) -> Path: ...


class VolumeCase(Case, Protocol):
    """Views of one part, and a volume that says what is wrong with it. calibrations: of each camera
    by its name; one without a name where it is the only one."""

    def calibrations(self) -> Mapping[str, Calibration]: ...
    def grid(self) -> GridSpec: ...
    def arrivals(self) -> Iterator[View | Note]: ...
    def truth(self) -> VoxelTruth: ...


class PictureCase(Case, Protocol):
    """One picture, and a mask."""

    def picture(self) -> Picture: ...
    def truth(self) -> PictureTruth: ...


class SceneCase(Case, Protocol):
    """Several objects of one kind, of which some are odd."""

    def truth(self) -> SceneTruth: ...


@dataclass(frozen=True, slots=True)
class Dataset:
    """One folder in one layout; kind says which protocol its cases keep.

    missing: what a complete folder would have and this one lacks, one line each. broken: what is
    there and cannot be opened.
    """

    folder: Path
    layout: str
    kind: Kind
    cases: Sequence[Case]
    missing: tuple[str, ...] = ()
    broken: tuple[str, ...] = ()

    @property
    def parts(self) -> tuple[str, ...]:
        """Part types, in the folder's order."""
        return tuple(dict.fromkeys(case.part for case in self.cases))
