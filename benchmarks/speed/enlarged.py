"""A recorded scan as a camera of other pixels would have taken it: the same part and poses."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

GREY_NOISE = 1.0  # grey levels: of a sensor whose pixels do not know each other
SAME_SURFACE_COUNTS = 60  # 3 mm: more between neighbours is an edge
JPEG_QUALITY = 95
SEED = 4

Counts = npt.NDArray[np.uint16]


def write_part(part: Path, out: Path, size_px: tuple[int, int], scans: tuple[str, ...]) -> Path:
    """`out`/<scan> at size_px (width, height), with a calibration of its own; returns `out`."""
    out.mkdir(parents=True, exist_ok=True)
    calibration = json.loads((part / "calibration.json").read_text())
    (out / "calibration.json").write_text(json.dumps(resized(calibration, size_px)))
    shutil.copy(part / "grid.json", out)
    for name in scans:
        _write_scan(part / name, out / name, size_px)
    return out


def resized(calibration: dict[str, Any], size_px: tuple[int, int]) -> dict[str, Any]:
    """Of a camera or a sensor the numbers that count pixels; the digest is of others now."""
    was = calibration["image_size"]
    matrix = np.array(calibration["K"], float)
    scale = np.array([size_px[0] / was["width"], size_px[1] / was["height"]])
    matrix[0, 0], matrix[1, 1] = matrix[[0, 1], [0, 1]] * scale
    matrix[:2, 2] = (matrix[:2, 2] + 0.5) * scale - 0.5  # pixel (0, 0) is its pixel's centre
    size = {"width": size_px[0], "height": size_px[1]}
    kept = {key: value for key, value in calibration.items() if key != "digest"}
    return {**kept, "K": matrix.tolist(), "image_size": size}


def _write_scan(scan: Path, out: Path, size_px: tuple[int, int]) -> None:
    rng = np.random.default_rng(SEED)
    for folder in ("images", "depth"):
        (out / folder).mkdir(parents=True)
    for name in ("frames.jsonl", "robot_poses.jsonl"):
        shutil.copy(scan / name, out)
    for line in (scan / "frames.jsonl").read_text().splitlines():
        frame = json.loads(line)
        grey = np.asarray(cv2.imread(str(scan / frame["image"]), cv2.IMREAD_GRAYSCALE))
        quality = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
        cv2.imwrite(str(out / frame["image"]), grey_at(grey, size_px, rng), quality)
        counts = np.asarray(cv2.imread(str(scan / frame["depth"]), cv2.IMREAD_UNCHANGED))
        fast = [cv2.IMWRITE_PNG_COMPRESSION, 1]
        cv2.imwrite(str(out / frame["depth"]), depth_at(counts, size_px), fast)


def grey_at(
    grey: npt.NDArray[np.uint8], size_px: tuple[int, int], rng: np.random.Generator
) -> npt.NDArray[np.uint8]:
    """The picture of another size, with the noise of a sensor of so many pixels."""
    how = cv2.INTER_AREA if size_px[0] < grey.shape[1] else cv2.INTER_CUBIC
    larger = np.asarray(cv2.resize(grey, size_px, interpolation=how), np.float32)
    noise = GREY_NOISE * rng.standard_normal(larger.shape, np.float32)
    return np.asarray(np.clip(larger + noise, 0, 255).round(), np.uint8)


def depth_at(counts: Counts, size_px: tuple[int, int]) -> Counts:
    """Between pixels of one surface what lies between them; else the nearest pixel's own."""
    window = np.ones((3, 3), np.uint8)
    spread = cv2.dilate(counts, window) - cv2.erode(counts, window)
    one_surface = (cv2.erode(counts, window) > 0) & (spread < SAME_SURFACE_COUNTS)
    nearest = cv2.resize(counts, size_px, interpolation=cv2.INTER_NEAREST_EXACT)
    between = cv2.resize(counts.astype(np.float32), size_px, interpolation=cv2.INTER_LINEAR)
    smooth = cv2.resize(one_surface.view(np.uint8), size_px, interpolation=cv2.INTER_NEAREST_EXACT)
    return np.asarray(np.where(smooth > 0, np.rint(between), nearest), np.uint16)
