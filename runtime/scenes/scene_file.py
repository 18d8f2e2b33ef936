"""A scene as a folder with scene.json: camera matrix, poses, pictures and depth."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import cv2
import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, Field, ValidationError

from voxgate.runtime.common.text import one_line
from voxgate.runtime.errors import ScanError
from voxgate.runtime.nouns import ColourImage, DepthMap, GreyImage
from voxgate.runtime.scenes.scene import Scene, SceneView
from voxgate.runtime.transforms import rigid

SCENE = "scene.json"
Row3 = Annotated[list[float], Field(min_length=3, max_length=3)]
Row4 = Annotated[list[float], Field(min_length=4, max_length=4)]


class _Size(BaseModel):
    width: int = Field(gt=0)
    height: int = Field(gt=0)


class _View(BaseModel):
    image: str
    depth: str
    T_world_cam: Annotated[list[Row4], Field(min_length=4, max_length=4)]


class _Scene(BaseModel):
    units: Literal["mm"]
    image_size: _Size
    K: Annotated[list[Row3], Field(min_length=3, max_length=3)]
    distortion: list[float] = Field(default_factory=list)
    depth_unit_mm: float = Field(gt=0)
    table_z_mm: float | None = None
    views: Annotated[list[_View], Field(min_length=1)]


def read(folder: Path) -> Scene:
    """A folder with scene.json. Raises ScanError, one line that says what to do."""
    path = folder / SCENE
    try:
        said = _Scene.model_validate_json(path.read_bytes())
    except OSError as error:
        raise ScanError(f"{path}: {error.strerror}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise ScanError(f"{path}: {where}: {one_line(first['msg'])}") from error
    if any(said.distortion):
        raise ScanError(f"{path}: distortion is not zero: undistort pictures and depth first")
    size = said.image_size.height, said.image_size.width
    return Scene(
        folder,
        np.array(said.K, np.float64),
        tuple(
            _view(folder, number, view, size, said.depth_unit_mm)
            for number, view in enumerate(said.views)
        ),
        said.table_z_mm,
    )


def _view(
    folder: Path, number: int, view: _View, size: tuple[int, int], unit_mm: float
) -> SceneView:
    try:
        pose = rigid(view.T_world_cam)
    except ValueError as error:
        raise ScanError(f"{folder / SCENE}: views.{number}.T_world_cam: {error}") from error
    image, colour = read_picture(folder / view.image, size)
    depth_mm = _depth_mm(folder / view.depth, size, unit_mm)
    return SceneView(number, image, depth_mm, pose, colour)


def read_picture(path: Path, size: tuple[int, int]) -> tuple[GreyImage, ColourImage | None]:
    """(h, w) uint8 of a picture, colour turned to grey; and (h, w, 3) where it is in colour.
    Raises ScanError."""
    grey = np.asarray(_pixels(path, size, cv2.IMREAD_GRAYSCALE), np.uint8)
    if _pixels(path, size, cv2.IMREAD_UNCHANGED).ndim == 2:
        return grey, None
    colour = np.asarray(_pixels(path, size, cv2.IMREAD_COLOR), np.uint8)
    return grey, np.ascontiguousarray(colour[..., ::-1])


def _depth_mm(path: Path, size: tuple[int, int], unit_mm: float) -> DepthMap:
    counts = _pixels(path, size, cv2.IMREAD_UNCHANGED)
    if counts.ndim != 2 or counts.dtype != np.uint16:
        raise ScanError(f"{path}: depth is a grey PNG of 16 bits, this has {counts.dtype}")
    depth_mm: DepthMap = counts.astype(np.float32) * np.float32(unit_mm)
    depth_mm[counts == 0] = np.nan
    return depth_mm


def _pixels(path: Path, size: tuple[int, int], how: int) -> npt.NDArray[np.generic]:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ScanError(f"{path}: {error.strerror}") from error
    try:
        found = cv2.imdecode(np.frombuffer(content, np.uint8), how)
    except cv2.error:
        found = None
    if found is None:
        raise ScanError(f"{path}: not a picture that can be decoded")
    if found.shape[:2] != size:
        raise ScanError(
            f"{path}: {found.shape[1]} x {found.shape[0]} px, expected {size[1]} x {size[0]}"
        )
    return np.asarray(found)
