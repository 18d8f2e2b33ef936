"""MVTec 3D-AD: <class>/test/<defect>/{rgb,xyz,gt}/NNN, train/good and validation/good likewise.

xyz is a float32 tiff (h, w, 3), metres in the sensor's frame, (0, 0, 0) where it had no return.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from voxgate.export.evaluation.cases import Dataset, Mask, Picture, PictureTruth
from voxgate.export.evaluation.layouts.files import (
    any_image,
    files,
    folders,
    mask,
    named,
    read_picture,
)
from voxgate.runtime.errors import ScanError

MM_PER_M = 1000.0
XYZ = (".tiff", ".tif")
LEAST_POINTS = 100  # to fit a camera to


@dataclass(frozen=True, slots=True)
class Mvtec3dCase:
    """One test sample; source is its xyz tiff."""

    source: Path
    part: str

    @property
    def name(self) -> str:
        """class/defect/number."""
        return f"{self.part}/{self.defect}/{self.source.stem}"

    @property
    def defect(self) -> str:
        """The defect's folder, `good` for none."""
        return self.source.parent.parent.name

    def picture(self) -> Picture:
        """Grey levels, depth, and the camera that the organised points imply."""
        return picture_of(self.source)

    def truth(self) -> PictureTruth:
        """The mask; a good sample has an empty one."""
        marked = _beside(self.source, "gt")
        if marked is not None:
            return PictureTruth(self._mask(marked), self.defect != "good")
        shape = any_image(self.source).shape[:2]
        return PictureTruth(np.zeros(shape, np.bool_), self.defect != "good")

    def _mask(self, path: Path) -> Mask:
        """Raises ScanError where it contradicts the folder."""
        found = mask(path)
        if self.defect == "good" and found.any():
            raise ScanError(f"{path}: marks a defect on a good sample: download it again")
        return found


def recognises(folder: Path) -> bool:
    """The data set's folder, or one class of it."""
    places = ("test/*/xyz", "*/test/*/xyz")
    return any(files(place, *XYZ) for pattern in places for place in folder.glob(pattern))


def read(folder: Path) -> Dataset:
    """Every sample that has xyz, rgb and, unless it is good, gt."""
    classes = [folder] if (folder / "test").is_dir() else folders(folder)
    cases: list[Mvtec3dCase] = []
    missing: list[str] = []
    for each in classes:
        for found in _class_cases(each):
            (cases if isinstance(found, Mvtec3dCase) else missing).append(found)  # type: ignore[arg-type]
        missing += _class_gaps(each)
    return Dataset(folder, "mvtec3d", "picture", tuple(cases), tuple(missing))


def training_picture(folder: Path) -> Path:
    """The first good training sample of a class. Raises ScanError."""
    found = files(folder / "train" / "good" / "xyz", *XYZ)
    if not found:
        raise ScanError(f"{folder}: no train/good/xyz/*.tiff: what should be learnt from?")
    return found[0]


def picture_of(xyz: Path) -> Picture:
    """The picture that belongs to an xyz tiff. Raises ScanError when both do not fit."""
    points = any_image(xyz)
    if points.ndim != 3 or points.shape[2] != 3 or points.dtype != np.float32:
        raise ScanError(f"{xyz}: expected (h, w, 3) float32, got {points.shape} {points.dtype}")
    seen = _beside(xyz, "rgb")
    if seen is None:
        raise ScanError(f"{xyz}: no rgb/{xyz.stem}.png")
    image = read_picture(seen)
    if image.shape[:2] != points.shape[:2]:
        raise ScanError(f"{xyz}: {points.shape[:2]}, but its picture is {image.shape[:2]}")
    depth_mm = (points[..., 2] * MM_PER_M).astype(np.float32)
    depth_mm[depth_mm <= 0] = np.nan
    return Picture(image, depth_mm, fitted_camera(points, xyz))


def fitted_camera(points: npt.NDArray[np.float32], where: Path) -> npt.NDArray[np.float64]:
    """The pinhole (3, 3) under which organised points fall on their own pixels, least squares.

    Raises ScanError for points that no pinhole explains.
    """
    v, u = np.nonzero(points[..., 2] > 0)
    if len(v) < LEAST_POINTS:
        raise ScanError(f"{where}: only {len(v)} measured points")
    x, y, z = points[v, u].astype(np.float64).T
    (fx, cx), *_ = np.linalg.lstsq(np.stack([x / z, np.ones_like(z)], axis=1), u, rcond=None)
    (fy, cy), *_ = np.linalg.lstsq(np.stack([y / z, np.ones_like(z)], axis=1), v, rcond=None)
    if not (fx > 0 and fy > 0):
        raise ScanError(f"{where}: the points lie on no camera's pixels (fx {fx:.1f}, fy {fy:.1f})")
    return np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]])


def _class_cases(folder: Path) -> Iterator[Mvtec3dCase | str]:
    for defect in folders(folder / "test") if (folder / "test").is_dir() else []:
        for xyz in files(defect / "xyz", *XYZ):
            lacking = [
                kind
                for kind in ("rgb", *([] if defect.name == "good" else ["gt"]))
                if _beside(xyz, kind) is None
            ]
            if lacking:
                yield f"{xyz}: no {' and no '.join(f'{k}/{xyz.stem}.png' for k in lacking)}"
            else:
                yield Mvtec3dCase(xyz, folder.name)


def _beside(xyz: Path, kind: str) -> Path | None:
    return named(xyz.parent.parent / kind, xyz.stem, ".png")


def _class_gaps(folder: Path) -> list[str]:
    wanted = ("train/good/xyz", "validation/good/xyz", "test/good/xyz")
    return [f"{folder}: no {place}" for place in wanted if not (folder / place).is_dir()]
