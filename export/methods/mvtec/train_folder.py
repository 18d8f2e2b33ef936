"""Good parts of one camera, picture by picture: the train folder of a class of MVTec 3D-AD."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from voxgate.export.evaluation.layouts import mvtec3d
from voxgate.export.evaluation.layouts.files import files
from voxgate.export.evaluation.picture_pose import lifted
from voxgate.export.golden.golden import Golden
from voxgate.export.golden.inputs import size_px
from voxgate.runtime.errors import ScanError
from voxgate.runtime.nouns import View
from voxgate.runtime.pixels.colour import grey_and_colour


def train_files(folder: Path) -> list[Path]:
    """The xyz tiffs of `folder`, which is a class, its train or its train/good.

    Raises ScanError when there are fewer than two: they have no spread.
    """
    places = [folder / "train" / "good" / "xyz", folder / "good" / "xyz", folder / "xyz"]
    found = next((each for each in (files(p, ".tiff", ".tif") for p in places) if each), [])
    if len(found) < 2:
        raise ScanError(
            f"{folder}: {len(found)} good samples (train/good/xyz/*.tiff): a spread needs two"
        )
    return found


def train_views(folder: Path, golden: Golden) -> Iterator[View]:
    """One view per sample, over the table as the golden one is. Raises ScanError for a golden scan
    of several views, or pictures of another size."""
    if len(golden.views) != 1:
        raise ScanError(
            f"{folder}: is of one camera, the scan has {len(golden.views)} views: make one of "
            "the same class: voxgate convert DATASET --part CLASS"
        )
    for xyz in train_files(folder):
        picture = mvtec3d.picture_of(xyz)
        assert picture.depth_mm is not None  # read from xyz
        if picture.depth_mm.shape != size_px(golden):
            raise ScanError(f"{xyz}: {picture.depth_mm.shape}, the golden scan {size_px(golden)}")
        grey, colour = grey_and_colour(picture.image)
        pose = lifted(picture.depth_mm)
        yield View(0, np.ascontiguousarray(grey), pose, 0.0, picture.depth_mm, colour=colour)
