"""A scene to learn from, as ToysAD-8K and PartsAD-15K publish it; no depth is needed.

RGB/ and masks/ (or, as in the published sample, segmentations/OBJECT/), and scene3d.metadata.json
with K, poses (camera from world) and objects. Everything is told in the voxels of the network.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import torch

from voxgate.export.evaluation.layouts.files import files
from voxgate.export.evaluation.layouts.odd_one_out import SCENE, SceneFolder
from voxgate.export.methods.odd_one_out.constants import Constants
from voxgate.export.methods.odd_one_out.volume_grid import volume_grid
from voxgate.runtime.common.text import one_line
from voxgate.runtime.errors import ScanError
from voxgate.runtime.scenes.published import MM_PER_UNIT
from voxgate.runtime.trays.network.pictures import world_from_voxel

PICTURES, MASKS, SEGMENTS = "RGB", "masks", "segmentations"
WHITE = 127


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """A scene. pictures (v, 3, s, s) uint8; masks (v, s, s) float32, 1 where an object is;
    picture_from_voxel (v, 3, 4) float32, see Lifting; boxes (n, 6) in voxels; odd (n,) float32."""

    name: str
    pictures: torch.Tensor
    masks: torch.Tensor
    picture_from_voxel: torch.Tensor
    boxes: torch.Tensor
    odd: torch.Tensor

    def views(self, numbers: Sequence[int], device: torch.device) -> Shown:
        """Of these views alone, where they are computed on."""
        at = list(numbers)
        chosen = (self.pictures[at], self.masks[at], self.picture_from_voxel[at])
        moved = (each.to(device) for each in (*chosen, self.boxes, self.odd))
        return Shown(self.name, *moved)


def read_scene(folder: Path, constants: Constants) -> Shown:
    """Raises ScanError, one line that says what to do."""
    truth = SceneFolder(folder, "").truth()
    camera, names = _described(folder)
    pictures = files(folder / PICTURES, ".png", ".jpg")
    if not pictures or len(pictures) != len(camera["poses"]):
        raise ScanError(
            f"{folder}: {len(pictures)} pictures in {PICTURES}, {len(camera['poses'])} poses"
        )
    side = constants.side_px
    seen = [_read(path, cv2.IMREAD_COLOR) for path in pictures]
    height, width = seen[0].shape[:2]
    masks = [_mask(folder, path, names) for path in pictures]
    half = truth.boxes[:, 3:] / 2
    corners = np.stack([truth.boxes[:, :3] - half, truth.boxes[:, :3] + half], axis=1)
    grid = volume_grid(corners * MM_PER_UNIT, 0.0, constants.voxels)
    from_voxel = world_from_voxel(grid) / MM_PER_UNIT
    from_voxel[3, 3] = 1.0
    voxel_from_world = np.linalg.inv(from_voxel)
    boxes = corners @ voxel_from_world[:3, :3].T + voxel_from_world[:3, 3]
    cameras = [
        _picture_from_world(camera["K"], pose["rotation"], width, height) @ from_voxel
        for pose in camera["poses"]
    ]
    return Shown(
        folder.name,
        torch.from_numpy(np.stack([_small(each, side)[..., ::-1].copy() for each in seen])).permute(
            0, 3, 1, 2
        ),
        torch.from_numpy(np.stack([_small(each, side) for each in masks]).astype(np.float32)),
        torch.from_numpy(np.stack(cameras).astype(np.float32)),
        torch.from_numpy(boxes.reshape(-1, 6).astype(np.float32)),
        torch.from_numpy(truth.odd.astype(np.float32)),
    )


def _described(folder: Path) -> tuple[dict[str, Any], list[str]]:
    """The camera, and names of the objects."""
    path = folder / SCENE
    try:
        said = json.loads(path.read_text("utf-8"))
        names = [str(each.get("name", "")) for each in said["objects"]]
        return {"K": said["camera"]["K"], "poses": said["camera"]["poses"]}, names
    except OSError as error:
        raise ScanError(f"{path}: {error.strerror}") from error
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ScanError(f"{path}: camera needs K and poses ({one_line(error)})") from error


def _picture_from_world(
    matrix: Any, camera_from_world: Any, width: int, height: int
) -> npt.NDArray[np.float64]:
    """(3, 4), the picture's width and height being 1."""
    scaled = np.array(matrix, np.float64).reshape(3, 3) / [[width], [height], [1]]
    scaled[:2, 2] += 0.5 / np.array([width, height])
    return np.asarray(scaled @ np.array(camera_from_world, np.float64).reshape(4, 4)[:3])


def _mask(folder: Path, picture: Path, names: Sequence[str]) -> npt.NDArray[np.float32]:
    """(h, w) 1 where an object is."""
    whole = folder / MASKS / f"{picture.stem}.png"
    if whole.is_file():
        found = [whole]
    else:
        found = [
            path
            for name in names
            if (path := folder / SEGMENTS / name / f"{name}_{picture.stem}.png").is_file()
        ]
    if not found:
        raise ScanError(f"{whole}: no such file: a scene to learn from needs the objects' masks")
    white = [_read(path, cv2.IMREAD_GRAYSCALE) > WHITE for path in found]
    return np.asarray(np.any(white, axis=0), np.float32)


def _read(path: Path, how: int) -> npt.NDArray[np.uint8]:
    pixels = cv2.imread(str(path), how)
    if pixels is None:
        raise ScanError(f"{path}: not a picture that can be decoded")
    return np.asarray(pixels, np.uint8)


def _small(pixels: npt.NDArray[Any], side: int) -> npt.NDArray[Any]:
    return np.asarray(cv2.resize(pixels, (side, side), interpolation=cv2.INTER_AREA))
