"""A good part's views as they were recorded, with the true camera poses.

Shares nothing with the detector: lens by OpenCV, poses from truth.json.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
TABLE_MM = 4.0  # places lie higher: the foot of a part touches what is not the part


@dataclass(frozen=True, slots=True, eq=False)
class Lens:
    """OpenCV's camera matrix and distortion."""

    matrix: Array
    distortion: Array

    def rays(self, pixels: Array) -> Array:
        """(n, 3) directions with z = 1 of pixels (n, 2), camera frame."""
        xy = cv2.undistortPoints(pixels.reshape(-1, 1, 2), self.matrix, self.distortion)
        return np.column_stack([xy.reshape(-1, 2), np.ones(len(pixels))])

    def pixels(self, points_mm: Array) -> Array:
        """(n, 2) pixels of points (n, 3), camera frame."""
        nothing = np.zeros(3)
        found, _ = cv2.projectPoints(points_mm, nothing, nothing, self.matrix, self.distortion)
        return np.asarray(found.reshape(-1, 2), np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class Photo:
    """image (h, w) uint8, depth_mm (h, w) float with NaN, the true part_from_camera, and
    points_mm (h, w, 3), part frame; part_from_instance: how the part stands, in truth."""

    image: npt.NDArray[np.uint8]
    depth_mm: Array
    part_from_camera: Array
    points_mm: Array
    lens: Lens
    part_from_instance: Array

    @property
    def eye_mm(self) -> Array:
        """Where the camera is, part frame."""
        eye: Array = self.part_from_camera[:3, 3]
        return eye

    def pixels(self, points_mm: Array) -> Array:
        """(n, 2) pixels of points (n, 3) of the part frame."""
        rotation, eye = self.part_from_camera[:3, :3], self.eye_mm
        return self.lens.pixels((points_mm - eye) @ rotation)

    def directions(self, pixels: Array) -> Array:
        """(n, 3) rays of pixels in the part frame, scaled so that depth multiplies them."""
        rays: Array = self.lens.rays(pixels) @ self.part_from_camera[:3, :3].T
        return rays


def photos(scan: Path) -> list[Photo]:
    """Every frame of a scan of the public layout, in its order."""
    known = json.loads(_calibration(scan).read_text(encoding="utf-8"))
    truth = json.loads((scan / "truth.json").read_text(encoding="utf-8"))
    lens = Lens(np.array(known["K"]), np.array(known["distortion"]))
    rows = (scan / "frames.jsonl").read_text(encoding="utf-8").splitlines()
    return [_photo(scan, json.loads(row), truth, known, lens) for row in rows]


def _photo(
    scan: Path, row: dict[str, Any], truth: dict[str, Any], known: dict[str, Any], lens: Lens
) -> Photo:
    image = cv2.imread(str(scan / row["image"]), cv2.IMREAD_GRAYSCALE)
    counts = cv2.imread(str(scan / row["depth"]), cv2.IMREAD_UNCHANGED)
    if image is None or counts is None:
        raise FileNotFoundError(f"{scan}: frame {row['frame_id']} has no picture or no depth")
    depth = np.where(counts > 0, counts * float(known["units"]["depth_unit_mm"]), np.nan)
    pose = np.array(truth["T_part_cam"][row["view"]])
    height, width = image.shape
    u, v = np.meshgrid(np.arange(width, dtype=float), np.arange(height, dtype=float))
    rays = lens.rays(np.column_stack([u.ravel(), v.ravel()])) @ pose[:3, :3].T
    points = pose[:3, 3] + rays.reshape(height, width, 3) * depth[..., None]
    stands = np.array(truth["T_part_instance"])
    return Photo(np.asarray(image, np.uint8), depth, pose, points, lens, stands)


def _calibration(scan: Path) -> Path:
    for folder in (scan, scan.parent, scan.parent.parent):
        if (folder / "calibration.json").is_file():
            return folder / "calibration.json"
    raise FileNotFoundError(f"{scan}: no calibration.json in it or above")
