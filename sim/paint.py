"""Grey scans in colour: hue by place on the part, every luma as the camera had it.

Painted by the truth of each scan (where the part stood, where the camera was), so that paint sticks
to the part, however it stands.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from voxgate.runtime.scans.part_files import CALIBRATION, GRID, above

Hue = tuple[float, float, float]
"""Red, green and blue over the luma; their luma is 1."""
Array = npt.NDArray[np.float64]
Colour = npt.NDArray[np.uint8]
Recolour = Callable[[Colour], Colour]

BEIGE: Hue = (1.05, 1.0, 0.869)
BLUE: Hue = (0.72, 1.03, 1.579)
RED: Hue = (1.52, 0.80, 0.6605)
TABLE_MM = 1.0
BLEED_PX = 0.7  # of a lens


@dataclass(frozen=True, slots=True)
class Cap:
    """Surface within radius_mm of a centre (x, y, z), or of an upright axis (x, y); the part's own
    frame, mm."""

    centre_mm: tuple[float, ...]
    radius_mm: float
    hue: Hue


def write_painted(
    scan: Path,
    out: Path,
    caps: Sequence[Cap],
    body: Hue = BEIGE,
    changed: Recolour = lambda colour: colour,
) -> Path:
    """The scan in colour; `changed`: what light and camera make of each picture."""
    _copy_without_pictures(scan, out)
    calibration = json.loads(above(scan, CALIBRATION).read_text("utf-8"))
    truth = json.loads((scan / "truth.json").read_text("utf-8"))
    part_from_instance = np.array(truth["T_part_instance"])
    lines = []
    for number, line in enumerate((scan / "frames.jsonl").read_text("utf-8").splitlines()):
        frame = json.loads(line)
        grey = np.asarray(cv2.imread(str(scan / frame["image"]), cv2.IMREAD_GRAYSCALE), np.uint8)
        counts = np.asarray(cv2.imread(str(scan / frame["depth"]), cv2.IMREAD_UNCHANGED))
        pose = np.array(truth["T_part_cam"][number])
        points = _points_mm(filled(counts * _unit_mm(calibration)), calibration, pose)
        painted = changed(coloured(grey, hue_of(points, part_from_instance, caps, body)))
        frame["image"] = f"images/{number:02d}.png"
        cv2.imwrite(str(out / frame["image"]), painted[..., ::-1])
        lines.append(json.dumps(frame))
    (out / "frames.jsonl").write_text("\n".join(lines) + "\n", "utf-8")
    return out


def _copy_without_pictures(scan: Path, out: Path) -> None:
    (out / "images").mkdir(parents=True)
    for file in scan.rglob("*"):
        own = file.relative_to(scan)
        if file.is_file() and own.parts[0] != "images":
            (out / own).parent.mkdir(exist_ok=True)
            shutil.copyfile(file, out / own)


def copy_part_files(scan: Path, folder: Path) -> None:
    """Calibration and grid of a scan's part type, for painted scans in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in (CALIBRATION, GRID):
        shutil.copyfile(above(scan, name), folder / name)


def hue_of(
    points_mm: Array, part_from_instance: Array, caps: Sequence[Cap], body: Hue = BEIGE
) -> Array:
    """(h, w, 3) of pixels that see points (h, w, 3) of the part's frame."""
    instance = np.linalg.inv(part_from_instance)
    own = points_mm @ instance[:3, :3].T + instance[:3, 3]
    on_part = own[..., 2] > TABLE_MM
    hue = np.ones(points_mm.shape)
    hue[on_part] = body
    for cap in caps:
        away = own[..., : len(cap.centre_mm)] - cap.centre_mm
        hue[on_part & (np.linalg.norm(away, axis=-1) < cap.radius_mm)] = cap.hue
    return np.asarray(cv2.GaussianBlur(hue, (0, 0), BLEED_PX))


def filled(depth: npt.NDArray[Any]) -> Array:
    """(h, w) with that of the nearest pixel where it is 0: no return."""
    known = (depth > 0).astype(np.uint8)
    _, labels = cv2.distanceTransformWithLabels(
        1 - known, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    found = np.zeros(int(labels.max()) + 1)
    found[labels[known > 0]] = depth[known > 0]
    return np.asarray(found[labels])


def coloured(grey: Colour, hue: Array) -> Colour:
    """(h, w, 3) of that hue, as far as it stays below white, and of the grey's own luma."""
    most = hue.max(axis=-1) * grey
    share = np.minimum(1, (255 - grey) / np.maximum(most - grey, 1e-9))[..., None]
    colour = grey[..., None] * (1 + share * (hue - 1))
    return np.asarray(np.clip(np.rint(colour), 0, 255), np.uint8)


def _unit_mm(calibration: dict[str, Any]) -> float:
    return float(calibration.get("units", {}).get("depth_unit_mm", 0.05))


def _points_mm(depth: Array, calibration: dict[str, Any], part_from_camera: Array) -> Array:
    height, width = depth.shape
    u, v = np.meshgrid(np.arange(width, dtype=float), np.arange(height, dtype=float))
    pixels = np.stack([u, v], axis=-1).reshape(-1, 1, 2)
    lens = np.array(calibration["K"]), np.array(calibration["distortion"])
    ray = cv2.undistortPoints(pixels, *lens).reshape(height, width, 2)
    camera = np.concatenate([ray, np.ones((height, width, 1))], axis=-1) * depth[..., None]
    placed: Array = camera @ part_from_camera[:3, :3].T + part_from_camera[:3, 3]
    return placed
