"""Scenes as ToysAD-8K and PartsAD-15K publish them: scene3d.metadata.json, RGB/, depth_exr/.
Without depth_exr/ it is judged by the visual hull.

Lengths are taken for metres. The poses map the world to the camera; depth runs along the optical
axis, and its largest value is the background (VICO-UoE/OddOneOutAD, data/sample_scene_data).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import OpenEXR

from voxgate.runtime.common.text import one_line
from voxgate.runtime.errors import ScanError
from voxgate.runtime.nouns import DepthMap
from voxgate.runtime.scenes.hull import scene_by_hull
from voxgate.runtime.scenes.scene import NO_DISTORTION, Scene, SceneView
from voxgate.runtime.scenes.scene_file import read_picture
from voxgate.runtime.scenes.silhouettes import Picture
from voxgate.runtime.transforms import Transform, invert, rigid

METADATA = "scene3d.metadata.json"
PICTURES, DEPTH = "RGB", "depth_exr"
MM_PER_UNIT = 1000.0
TABLE_Z_MM = 0.0  # where no depth tells it


def read(folder: Path) -> Scene:
    """One published scene. Raises ScanError, one line that says what to do."""
    path = folder / METADATA
    try:
        camera = json.loads(path.read_text("utf-8"))["camera"]
        matrix = np.array(camera["K"], np.float64).reshape(3, 3)
        poses = [each["rotation"] for each in camera["poses"]]
    except OSError as error:
        raise ScanError(f"{path}: {error.strerror}") from error
    except (KeyError, TypeError, ValueError) as error:
        raise ScanError(f"{path}: camera needs K and poses ({one_line(error)})") from error
    pictures = sorted((folder / PICTURES).glob("*.png"))
    if not pictures or len(pictures) != len(poses):
        raise ScanError(f"{folder}: {len(pictures)} pictures in {PICTURES} and {len(poses)} poses")
    size = _size(pictures[0])
    if not (folder / DEPTH).is_dir():
        seen = [
            Picture(number, *read_picture(picture, size), _pose(folder, number, poses[number]))
            for number, picture in enumerate(pictures)
        ]
        return scene_by_hull(folder, matrix, NO_DISTORTION, seen, TABLE_Z_MM)
    return Scene(
        folder,
        matrix,
        tuple(
            _view(folder, number, picture, poses[number], size)
            for number, picture in enumerate(pictures)
        ),
        table_z_mm=None,
    )


def _view(
    folder: Path, number: int, picture: Path, camera_from_world: Any, size: tuple[int, int]
) -> SceneView:
    pose = _pose(folder, number, camera_from_world)
    depth = folder / DEPTH / f"{picture.stem}.exr"
    image, colour = read_picture(picture, size)
    return SceneView(number, image, _depth_mm(depth, size), pose, colour)


def _pose(folder: Path, number: int, camera_from_world: Any) -> Transform:
    try:
        pose = invert(rigid(camera_from_world))
    except ValueError as error:
        raise ScanError(f"{folder / METADATA}: pose {number}: {error}") from error
    pose[:3, 3] *= MM_PER_UNIT
    return pose


def _size(picture: Path) -> tuple[int, int]:
    pixels = cv2.imread(str(picture), cv2.IMREAD_GRAYSCALE)
    if pixels is None:
        raise ScanError(f"{picture}: not a picture that can be decoded")
    return int(pixels.shape[0]), int(pixels.shape[1])


def _depth_mm(path: Path, size: tuple[int, int]) -> DepthMap:
    if not path.is_file():
        raise ScanError(f"{path}: no such file: a view needs its depth")
    try:
        with OpenEXR.File(str(path)) as file:
            channels = file.channels()
            first: npt.NDArray[np.generic] = next(iter(channels.values())).pixels
    except Exception as error:  # the library raises plain RuntimeError and what its C++ throws
        raise ScanError(f"{path}: not an EXR picture ({one_line(error)})") from error
    depth = np.asarray(first if first.ndim == 2 else first[..., 0], np.float32)
    if depth.shape != size:
        raise ScanError(
            f"{path}: {depth.shape[1]} x {depth.shape[0]} px, expected {size[1]} x {size[0]}"
        )
    depth_mm: DepthMap = depth * np.float32(MM_PER_UNIT)
    depth_mm[~np.isfinite(depth) | (depth <= 0) | (depth >= depth.max())] = np.nan
    return depth_mm
