"""The tray as one view saw it: every instance outlined, the odd ones marked where they differ."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from voxgate.runtime.errors import ScanError
from voxgate.runtime.geometry.rays import Rays
from voxgate.runtime.scenes.scene import Scene, SceneView
from voxgate.runtime.transforms import apply, invert
from voxgate.runtime.trays.judge import Judged, SceneVerdict

Picture = npt.NDArray[np.uint8]
Colour = tuple[int, int, int]

LEAST_WIDTH_PX = 1200
REGULAR, ODD, UNKNOWN = (90, 170, 70), (40, 40, 220), (0, 190, 230)  # BGR
LINE_PX = 2
LETTERS = 0.8
LEAST_MARK_PX = 12


def save_picture(path: Path, scene: Scene, verdict: SceneVerdict) -> None:
    """Write a PNG. Raises ScanError when the file cannot be written."""
    done, content = cv2.imencode(".png", draw(scene, verdict))
    try:
        if not done:
            raise OSError("no PNG")
        path.write_bytes(content.tobytes())
    except OSError as error:
        raise ScanError(f"{path}: cannot be written: {error.strerror or error}") from error


def draw(scene: Scene, verdict: SceneVerdict) -> Picture:
    """(h, w, 3) uint8 BGR: the view that shows most and looks down most, enlarged if small."""
    rays = scene.rays()
    view = max(scene.views, key=lambda each: _shows(each, verdict, rays))
    scale = max(1, -(-LEAST_WIDTH_PX // view.image.shape[1]))
    size = view.image.shape[1] * scale, view.image.shape[0] * scale
    grey = cv2.resize(view.image, size, interpolation=cv2.INTER_CUBIC)
    picture = np.asarray(cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR), np.uint8)
    for each in sorted(verdict.judged, key=lambda one: bool(one.odd)):
        _mark(picture, each, view, rays, scale)
    _label(picture, verdict.outcome.value, (16, 36), (255, 255, 255), 1.0)
    return picture


def _shows(view: SceneView, verdict: SceneVerdict, rays: Rays) -> tuple[int, float]:
    height, width = view.image.shape
    whole = 0
    for each in verdict.judged:
        at = _pixels(_corners(each.instance.box_mm), view, rays)
        whole += bool(((at >= 0) & (at < (width, height))).all())
    return whole, -float(view.world_from_camera[2, 2])


def _mark(picture: Picture, judged: Judged, view: SceneView, rays: Rays, scale: int) -> None:
    colour = UNKNOWN if judged.odd is None else ODD if judged.odd else REGULAR
    corners = _pixels(_corners(judged.instance.box_mm), view, rays) * scale
    hull = cv2.convexHull(np.rint(corners).astype(np.int32))
    cv2.polylines(picture, [hull], isClosed=True, color=colour, thickness=LINE_PX)
    score = "?" if judged.score is None else f"{judged.score:.2f}"
    top = hull.reshape(-1, 2).min(axis=0)
    _label(picture, f"{judged.number}: {score}", (int(top[0]), int(top[1]) - 8), colour, LETTERS)
    for oddity in judged.oddities:
        centre = _pixels(oddity.centre_mm[None], view, rays)[0] * scale
        around = _pixels(_corners(oddity.box_mm), view, rays) * scale
        radius = max(LEAST_MARK_PX, int(np.ptp(around, axis=0).max() / 2))
        at = round(float(centre[0])), round(float(centre[1]))
        cv2.circle(picture, at, radius, colour, LINE_PX)


def _label(picture: Picture, words: str, at: tuple[int, int], colour: Colour, size: float) -> None:
    for thickness, ink in ((4, (0, 0, 0)), (1, colour)):
        cv2.putText(picture, words, at, cv2.FONT_HERSHEY_SIMPLEX, size, ink, thickness, cv2.LINE_AA)


def _corners(box_mm: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.array(list(product(*box_mm.T)), np.float64)


def _pixels(
    points_mm: npt.NDArray[np.float64], view: SceneView, rays: Rays
) -> npt.NDArray[np.float64]:
    return rays.project(apply(invert(view.world_from_camera), points_mm))
