"""A scene as a folder with scene.json: camera matrix, poses, pictures, and depth or silhouettes."""

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
from voxgate.runtime.scenes.hull import scene_by_hull
from voxgate.runtime.scenes.scene import NO_DISTORTION, Scene, SceneView
from voxgate.runtime.scenes.silhouettes import Picture
from voxgate.runtime.transforms import Transform, rigid

SCENE = "scene.json"
Row3 = Annotated[list[float], Field(min_length=3, max_length=3)]
Row4 = Annotated[list[float], Field(min_length=4, max_length=4)]


class _Size(BaseModel):
    width: int = Field(gt=0)
    height: int = Field(gt=0)


class _View(BaseModel):
    image: str
    depth: str | None = None
    mask: str | None = None
    T_world_cam: Annotated[list[Row4], Field(min_length=4, max_length=4)]


class _Scene(BaseModel):
    units: Literal["mm"]
    image_size: _Size
    K: Annotated[list[Row3], Field(min_length=3, max_length=3)]
    distortion: list[float] = Field(default_factory=list)
    depth_unit_mm: float | None = Field(default=None, gt=0)
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
    depths = sum(view.depth is not None for view in said.views)
    if depths not in (0, len(said.views)):
        raise ScanError(f"{path}: {depths} of {len(said.views)} views have depth: all or none do")
    return _measured(folder, said) if depths else _pictured(folder, said)


def _measured(folder: Path, said: _Scene) -> Scene:
    if said.depth_unit_mm is None:
        raise ScanError(f"{folder / SCENE}: depth_unit_mm is missing: mm of one count of depth")
    size = said.image_size.height, said.image_size.width
    views = tuple(
        _view(folder, number, view, size, said.depth_unit_mm)
        for number, view in enumerate(said.views)
    )
    matrix = np.array(said.K, np.float64)
    return Scene(folder, matrix, views, said.table_z_mm, _distortion(folder, said))


def _view(
    folder: Path, number: int, view: _View, size: tuple[int, int], unit_mm: float
) -> SceneView:
    image, colour = read_picture(folder / view.image, size)
    depth_mm = _depth_mm(folder / str(view.depth), size, unit_mm)
    return SceneView(number, image, depth_mm, _pose(folder, number, view), colour)


def _pictured(folder: Path, said: _Scene) -> Scene:
    """Without depth: by the visual hull."""
    if said.table_z_mm is None:
        raise ScanError(f"{folder / SCENE}: without depth it must say table_z_mm")
    size = said.image_size.height, said.image_size.width
    pictures = [
        Picture(
            number,
            *read_picture(folder / view.image, size),
            _pose(folder, number, view),
            None if view.mask is None else read_picture(folder / view.mask, size)[0] > 0,
        )
        for number, view in enumerate(said.views)
    ]
    matrix = np.array(said.K, np.float64)
    return scene_by_hull(folder, matrix, _distortion(folder, said), pictures, said.table_z_mm)


def _distortion(folder: Path, said: _Scene) -> tuple[float, ...]:
    if len(said.distortion) not in (0, len(NO_DISTORTION)):
        raise ScanError(f"{folder / SCENE}: distortion must be k1 k2 p1 p2 k3, or absent")
    return tuple(said.distortion) or NO_DISTORTION


def _pose(folder: Path, number: int, view: _View) -> Transform:
    try:
        return rigid(view.T_world_cam)
    except ValueError as error:
        raise ScanError(f"{folder / SCENE}: views.{number}.T_world_cam: {error}") from error


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
