"""The example bracket in colour: hue by place on the part, every luma kept as the camera had it.

Painted by the truth of each scan (where the part stood, where the camera was), so that paint sticks
to the part. Nothing here uses what is tested.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from tests.kits.once import once
from tests.kits.small_scan import small_bracket

Hue = tuple[float, float, float]
"""Red, green and blue over the luma; their luma is 1."""
Colour = npt.NDArray[np.uint8]
Recolour = Callable[[Colour], Colour]

BEIGE: Hue = (1.05, 1.0, 0.869)
BLUE: Hue = (0.72, 1.03, 1.579)
RED: Hue = (1.52, 0.80, 0.6605)
TABLE_MM = 1.0
CAP_MM = (60.0, 20.0, 9.0)  # x, y and radius of the cap, part frame


def luma_of(colour: Colour) -> npt.NDArray[np.float64]:
    """By the textbook."""
    weighted: npt.NDArray[np.float64] = colour @ np.array([0.299, 0.587, 0.114])
    return weighted


@cache
def painted_bracket() -> Path:
    """Folder of golden, good and bad with a blue cap, and red_cap: good with a red one."""
    return once(small_bracket().parent / "painted", _paint)


def _paint(folder: Path) -> None:
    folder.mkdir(parents=True)
    for name in ("calibration.json", "grid.json"):
        shutil.copy(small_bracket() / name, folder)
    for name in ("golden", "good", "bad"):
        write_painted(small_bracket() / name, folder / name, BLUE)
    write_painted(small_bracket() / "good", folder / "red_cap", RED)


def write_painted(
    scan: Path, out: Path, cap: Hue, body: Hue = BEIGE, changed: Recolour = lambda colour: colour
) -> Path:
    """The scan in colour; `changed`: what light and camera make of each picture."""
    shutil.copytree(scan, out)
    shutil.rmtree(out / "images")
    (out / "images").mkdir()
    calibration = json.loads((scan.parent / "calibration.json").read_text())
    truth = json.loads((scan / "truth.json").read_text())
    lines = []
    for number, line in enumerate((scan / "frames.jsonl").read_text().splitlines()):
        frame = json.loads(line)
        grey = cv2.imread(str(scan / frame["image"]), cv2.IMREAD_GRAYSCALE)
        counts = np.asarray(cv2.imread(str(scan / frame["depth"]), cv2.IMREAD_UNCHANGED))
        depth = counts * _unit_mm(calibration)
        hue = _hue(depth, calibration, truth, number, cap, body)
        painted = changed(_coloured(np.asarray(grey, np.uint8), hue))
        frame["image"] = f"images/{number:02d}.png"
        cv2.imwrite(str(out / frame["image"]), painted[..., ::-1])
        lines.append(json.dumps(frame))
    (out / "frames.jsonl").write_text("\n".join(lines) + "\n")
    return out


def _unit_mm(calibration: dict[str, Any]) -> float:
    return float(calibration.get("depth_unit_mm", 0.05))


def _hue(
    depth: npt.NDArray[Any],
    calibration: dict[str, Any],
    truth: dict[str, Any],
    number: int,
    cap: Hue,
    body: Hue,
) -> npt.NDArray[np.float64]:
    """(h, w, 3) of every pixel, by the surface that it sees or that lies nearest to it."""
    points = _points_mm(_filled(depth), calibration, np.array(truth["T_part_cam"][number]))
    instance = np.linalg.inv(np.array(truth["T_part_instance"]))
    own = points @ instance[:3, :3].T + instance[:3, 3]
    hue = np.ones((*depth.shape, 3))
    hue[own[..., 2] > TABLE_MM] = body
    x, y, radius = CAP_MM
    beside = np.hypot(own[..., 0] - x, own[..., 1] - y)
    hue[(own[..., 2] > TABLE_MM) & (beside < radius)] = cap
    return np.asarray(cv2.GaussianBlur(hue, (0, 0), 0.7))


def _filled(depth: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    known = (depth > 0).astype(np.uint8)
    _, labels = cv2.distanceTransformWithLabels(
        1 - known, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    found = np.zeros(int(labels.max()) + 1)
    found[labels[known > 0]] = depth[known > 0]
    return np.asarray(found[labels])


def _points_mm(
    depth: npt.NDArray[np.float64], calibration: dict[str, Any], part_from_camera: Any
) -> npt.NDArray[np.float64]:
    height, width = depth.shape
    u, v = np.meshgrid(np.arange(width, dtype=float), np.arange(height, dtype=float))
    pixels = np.stack([u, v], axis=-1).reshape(-1, 1, 2)
    lens = np.array(calibration["K"]), np.array(calibration["distortion"])
    ray = cv2.undistortPoints(pixels, *lens).reshape(height, width, 2)
    camera = np.concatenate([ray, np.ones((height, width, 1))], axis=-1) * depth[..., None]
    placed: npt.NDArray[np.float64] = camera @ part_from_camera[:3, :3].T + part_from_camera[:3, 3]
    return placed


def _coloured(grey: Colour, hue: npt.NDArray[np.float64]) -> Colour:
    """Of that hue, as far as it stays below white, and of the grey's own luma."""
    most = hue.max(axis=-1) * grey
    share = np.minimum(1, (255 - grey) / np.maximum(most - grey, 1e-9))[..., None]
    colour = grey[..., None] * (1 + share * (hue - 1))
    return np.asarray(np.clip(np.rint(colour), 0, 255), np.uint8)


def balanced(red: float, green: float, blue: float) -> Recolour:
    """Another white balance: so much more of each colour's light, through a square root."""
    gain = np.sqrt([red, green, blue])
    return lambda colour: np.asarray(np.clip(np.rint(colour * gain), 0, 255), np.uint8)
