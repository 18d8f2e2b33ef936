"""The tray as one view saw it: every instance outlined, the odd ones marked where they differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from voxgate.runtime.errors import ScanError
from voxgate.runtime.geometry.rays import Rays
from voxgate.runtime.scenes.scene import Scene, SceneView
from voxgate.runtime.transforms import Transform, apply, invert
from voxgate.runtime.trays.scene_verdict import Judged, SceneVerdict
from voxgate.runtime.wire.verdict import InstanceMessage

Picture = npt.NDArray[np.uint8]
Points = npt.NDArray[np.float64]
Colour = tuple[int, int, int]

LEAST_WIDTH_PX = 1200
REGULAR, ODD, UNKNOWN = (90, 170, 70), (40, 40, 220), (0, 190, 230)  # BGR
LINE_PX = 2
LETTERS = 0.8
LEAST_MARK_PX = 12


@dataclass(frozen=True, slots=True, eq=False)
class Marked:
    """One instance as it is drawn: box_mm (2, 3), world frame; odd: None: it was not compared;
    places: centre_mm (3,) and box_mm (2, 3) of everything that it differs by."""

    number: int
    box_mm: Points
    score: float | None
    odd: bool | None
    places: tuple[tuple[Points, Points], ...]

    @classmethod
    def judged(cls, judged: Judged) -> Marked:
        """As it was judged here."""
        places = tuple((each.centre_mm, each.box_mm) for each in judged.oddities)
        return cls(judged.number, judged.instance.box_mm, judged.score, judged.odd, places)

    @classmethod
    def told(cls, message: InstanceMessage) -> Marked:
        """As a verdict tells it; the world is the part's frame."""
        places = tuple(
            (np.array(each.centre_part_mm), np.array(each.box_part_mm)) for each in message.defects
        )
        return cls(message.id, np.array(message.box_part_mm), message.score, message.odd, places)


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
    marked = [Marked.judged(each) for each in verdict.judged]
    mark(picture, marked, view.world_from_camera, rays, scale)
    _label(picture, verdict.outcome.value, (16, 36), (255, 255, 255), 1.0)
    return picture


def _shows(view: SceneView, verdict: SceneVerdict, rays: Rays) -> tuple[int, float]:
    height, width = view.image.shape
    whole = 0
    for each in verdict.judged:
        at = _pixels(_corners(each.instance.box_mm), view.world_from_camera, rays)
        whole += bool(((at >= 0) & (at < (width, height))).all())
    return whole, -float(view.world_from_camera[2, 2])


def mark(
    picture: Picture, marked: Sequence[Marked], world_from_camera: Transform, rays: Rays, scale: int
) -> None:
    """Outline every instance in a view that was enlarged by scale, the odd ones on top."""
    for each in sorted(marked, key=lambda one: bool(one.odd)):
        _mark(picture, each, world_from_camera, rays, scale)


def _mark(
    picture: Picture, marked: Marked, world_from_camera: Transform, rays: Rays, scale: int
) -> None:
    colour = UNKNOWN if marked.odd is None else ODD if marked.odd else REGULAR

    def pixels(points_mm: Points) -> Points:
        return _pixels(points_mm, world_from_camera, rays) * scale

    hull = cv2.convexHull(np.rint(pixels(_corners(marked.box_mm))).astype(np.int32))
    cv2.polylines(picture, [hull], isClosed=True, color=colour, thickness=LINE_PX)
    score = "?" if marked.score is None else f"{marked.score:.2f}"
    top = hull.reshape(-1, 2).min(axis=0)
    _label(picture, f"{marked.number}: {score}", (int(top[0]), int(top[1]) - 8), colour, LETTERS)
    for centre_mm, box_mm in marked.places:
        centre = pixels(centre_mm[None])[0]
        radius = max(LEAST_MARK_PX, int(np.ptp(pixels(_corners(box_mm)), axis=0).max() / 2))
        at = round(float(centre[0])), round(float(centre[1]))
        cv2.circle(picture, at, radius, colour, LINE_PX)


def _label(picture: Picture, words: str, at: tuple[int, int], colour: Colour, size: float) -> None:
    for thickness, ink in ((4, (0, 0, 0)), (1, colour)):
        cv2.putText(picture, words, at, cv2.FONT_HERSHEY_SIMPLEX, size, ink, thickness, cv2.LINE_AA)


def _corners(box_mm: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.array(list(product(*box_mm.T)), np.float64)


def _pixels(points_mm: Points, world_from_camera: Transform, rays: Rays) -> Points:
    return rays.project(apply(invert(world_from_camera), points_mm))
