"""The picture of a verdict: the inspected part, and over it the voxels that speak against it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from voxgate.runtime.errors import VoxGateError
from voxgate.sim.demo.cloud import Cloud
from voxgate.sim.demo.splat import Eye, Floats, Layer, cubes, edge_light, splat

Canvas = npt.NDArray[np.float32]
"""(h, w, 3) BGR, 0..1."""
Sheet = npt.NDArray[np.uint8]
"""(h, w, 3) BGR, 0..255: where text goes."""

WIDTH_PX, HEIGHT_PX = 1600, 900
SIDE_PX = 400  # width of the column with the other viewpoints and the legend
HEAD_PX = 70  # of the title, kept free of the part
OVERSAMPLE = 2

BACKGROUND = np.array([0.105, 0.09, 0.08], dtype=np.float32)
BACKGROUND_TOP = np.array([0.20, 0.175, 0.155], dtype=np.float32)
INK = (242, 240, 235)
FAINT_INK = (168, 161, 153)
COLOURS = cv2.COLORMAP_INFERNO  # perceptually even, and readable without colour vision
FONT = cv2.FONT_HERSHEY_DUPLEX

DARKEST = 0.28  # of the colour map
GLOW_FROM = 0.55  # of the threshold: below, the surface keeps its grey
CUBE_ALPHA, HIDDEN_ALPHA = 0.80, 0.10
BURIED = 1.2  # voxels: a surface voxel's centre may lie that far under the surface
ELEVATION_DEG = 34.0
AZIMUTHS_DEG = tuple(range(0, 360, 30))
MAX_LABELS = 5
MARKS = (5.0, 10.0, 20.0)  # of the scale, besides the threshold and its end


@dataclass(frozen=True, slots=True)
class AnomalyVolume:
    """What `voxgate inspect --volume` writes: ijk (n, 3), score (n,) with 1.0 the threshold."""

    ijk: npt.NDArray[np.int32]
    score: Floats
    origin_mm: npt.NDArray[np.float64]
    voxel_mm: float

    @classmethod
    def load(cls, path: Path) -> AnomalyVolume:
        """Read the volume file. Raises VoxGateError when it is none."""
        try:
            with np.load(path, allow_pickle=False) as stored:
                return cls(
                    ijk=stored["ijk"].astype(np.int32).reshape(-1, 3),
                    score=stored["score"].astype(np.float32).reshape(-1),
                    origin_mm=stored["origin_mm"].astype(np.float64).reshape(3),
                    voxel_mm=float(stored["voxel_mm"]),
                )
        except (OSError, KeyError, ValueError) as error:
            raise VoxGateError(
                f"{path}: not a volume of `voxgate inspect --volume`: {error}"
            ) from error

    def above(self, score: float) -> npt.NDArray[np.bool_]:
        """(n,) which voxels reach `score`."""
        return self.score >= score

    def at(self, points: Floats) -> Floats:
        """(n,) score of the voxel that holds each point; 0 where there is none."""
        if not len(self.ijk):
            return np.zeros(len(points), dtype=np.float32)
        low = self.ijk.min(axis=0)
        dense = np.zeros(self.ijk.max(axis=0) - low + 1, dtype=np.float32)
        dense[tuple((self.ijk - low).T)] = self.score
        cell = np.floor((points - self.origin_mm) / self.voxel_mm).astype(np.int64) - low
        inside = ((cell >= 0) & (cell < dense.shape)).all(axis=1)
        score = np.zeros(len(points), dtype=np.float32)
        score[inside] = dense[tuple(cell[inside].T)]
        return score


@dataclass(frozen=True, slots=True)
class Label:
    """One defect as the picture names it: where (part frame, mm), how large (mm), how sure."""

    centroid_mm: tuple[float, float, float]
    size_mm: tuple[float, float, float]
    peak_score: float

    @property
    def text(self) -> str:
        """`12.4 x 8.1 x 6.0 mm`."""
        return " x ".join(f"{side:.1f}" for side in self.size_mm) + " mm"


def picture(
    cloud: Cloud, volume: AnomalyVolume, labels: tuple[Label, ...], title: str, subtitle: str
) -> npt.NDArray[np.uint8]:
    """(900, 1600, 3) uint8 BGR: the best view of the defects, three more, and the scale."""
    score = volume.at(cloud.points)
    top = _scale_top(volume)
    azimuths = best_azimuths(cloud, volume)
    canvas = _gradient(HEIGHT_PX * OVERSAMPLE, WIDTH_PX * OVERSAMPLE)
    hero_px = ((WIDTH_PX - SIDE_PX) * OVERSAMPLE, (HEIGHT_PX - HEAD_PX) * OVERSAMPLE)
    hero = Eye.framing(cloud.outline, azimuths[0], ELEVATION_DEG, hero_px)
    _paint(canvas[-hero_px[1] :, : hero_px[0]], hero, cloud, score, volume, top)
    _paint_side(canvas, cloud, score, volume, top, azimuths[1:])
    sheet = np.rint(np.clip(canvas, 0, 1) * 255).astype(np.uint8)
    _write_labels(sheet, hero, labels[:MAX_LABELS])
    _write_title(sheet, title, subtitle)
    _write_scale(sheet, top)
    small = cv2.resize(sheet, (WIDTH_PX, HEIGHT_PX), interpolation=cv2.INTER_AREA)
    return np.asarray(small, dtype=np.uint8)


def write_png(path: Path, image: npt.NDArray[np.uint8]) -> None:
    """Write a picture. Raises VoxGateError when the folder refuses it."""
    ok, encoded = cv2.imencode(".png", image)
    try:
        if ok:
            path.write_bytes(encoded.tobytes())
    except OSError as error:
        raise VoxGateError(f"{path}: the picture cannot be written: {error.strerror}") from error


def best_azimuths(cloud: Cloud, volume: AnomalyVolume) -> tuple[float, ...]:
    """Directions to look from: the one that shows most of the defects, then all around from it."""
    ijk = volume.ijk[volume.above(1.0)]
    first = 30.0
    if len(ijk):
        centres = (volume.origin_mm + volume.voxel_mm * (ijk + 0.5)).astype(np.float32)
        seen = [_visible(cloud, centres, azimuth, volume.voxel_mm) for azimuth in AZIMUTHS_DEG]
        first = AZIMUTHS_DEG[int(np.argmax(seen))]
    return tuple((first + turn) % 360 for turn in (0.0, 90.0, 180.0, 270.0))


def _visible(cloud: Cloud, centres: Floats, azimuth_deg: float, voxel_mm: float) -> float:
    """How large the voxels that nothing hides look from there, about mm2."""
    eye = Eye.framing(cloud.outline, azimuth_deg, ELEVATION_DEG, (200, 200))
    few = cloud.points[::4]
    ones = np.ones((len(few), 1), dtype=np.float32)
    surface = splat(eye, few, ones, ones[:, 0], 3).z_mm
    uv, z_mm = eye.pixels(centres)
    column, row = np.clip(np.rint(uv), 0, 199).astype(int).T
    gap_mm = (
        z_mm - surface[row, column]
    )  # -inf: seen through a hole in the cloud, do not count on it
    shown = np.isfinite(gap_mm) & (gap_mm < BURIED * voxel_mm)
    apart_px = max(1, round(voxel_mm * _px_per_mm(eye, cloud)))
    cells = np.unique(np.stack([row[shown], column[shown]]) // apart_px, axis=1).shape[1]
    return float(cells * (apart_px / _px_per_mm(eye, cloud)) ** 2)


def _paint(
    canvas: Canvas, eye: Eye, cloud: Cloud, score: Floats, volume: AnomalyVolume, top: float
) -> None:
    """The part and its voxels, in place, on a canvas of the eye's size."""
    dot_px = int(np.clip(np.ceil(cloud.spacing_mm * _px_per_mm(eye, cloud) * 1.35), 1, 6))
    values = np.stack([cloud.grey, score, cloud.fade], axis=1)
    part = splat(eye, cloud.points, values, cloud.weight, dot_px)
    grey, heat, fade = np.moveaxis(part.values, 2, 0)
    lit = (grey * edge_light(part.z_mm))[..., None] * np.array([1.0, 0.99, 0.97], np.float32)
    glow = np.clip((heat - GLOW_FROM) / (1.0 - GLOW_FROM), 0, 1)[..., None] * 0.75
    lit = lit * (1 - glow) + _colours(heat, top) * (0.35 + 0.65 * lit) * glow
    alpha = np.where(np.isfinite(part.z_mm), fade, 0.0)[..., None]
    canvas[:] = canvas * (1 - alpha) + lit * alpha
    _paint_voxels(canvas, eye, part, volume, top, _px_per_mm(eye, cloud))


def _paint_voxels(
    canvas: Canvas, eye: Eye, part: Layer, volume: AnomalyVolume, top: float, px_per_mm: float
) -> None:
    hot = volume.above(1.0)
    if not hot.any():
        return
    points, rows, light = cubes(volume.ijk[hot], volume.origin_mm, volume.voxel_mm, 0.8 / px_per_mm)
    values = np.stack([volume.score[hot][rows], light], axis=1)
    layer = splat(eye, points, values, np.ones(len(points), dtype=np.float32), 2)
    seen = np.isfinite(layer.z_mm)
    front = layer.z_mm < part.z_mm + BURIED * volume.voxel_mm
    alpha = np.where(seen, np.where(front, CUBE_ALPHA, HIDDEN_ALPHA), 0.0)[..., None]
    colour = _colours(layer.values[..., 0], top) * layer.values[..., 1:2]
    canvas[:] = canvas * (1 - alpha) + colour * alpha


def _paint_side(
    canvas: Canvas,
    cloud: Cloud,
    score: Floats,
    volume: AnomalyVolume,
    top: float,
    azimuths: tuple[float, ...],
) -> None:
    side = SIDE_PX * OVERSAMPLE
    left = canvas.shape[1] - side
    height = (canvas.shape[0] - 150 * OVERSAMPLE) // len(azimuths)
    for row, azimuth in enumerate(azimuths):
        size_px = (side, height)
        eye = Eye.framing(cloud.outline, azimuth, ELEVATION_DEG, size_px)
        tile = canvas[row * height : (row + 1) * height, left:]
        _paint(tile, eye, cloud, score, volume, top)


def _px_per_mm(eye: Eye, cloud: Cloud) -> float:
    _, z_mm = eye.pixels(cloud.outline)
    return eye.focal_px / float(np.median(z_mm))


def _gradient(height: int, width: int) -> Canvas:
    down = np.linspace(0, 1, height, dtype=np.float32)[:, None, None]
    row = BACKGROUND_TOP * (1 - down) + BACKGROUND * down
    return np.ascontiguousarray(np.broadcast_to(row, (height, width, 3)))


def _scale_top(volume: AnomalyVolume) -> float:
    """End of the colour scale: a round number that nearly every voxel stays below."""
    if not volume.above(1.0).any():
        return 2.0
    return float(np.clip(np.ceil(np.quantile(volume.score[volume.above(1.0)], 0.98)), 2, 20))


def _level(score: Floats, top: float) -> Floats:
    """Place on the colour scale, 0..1: logarithmic, as a broken rib scores ten times a scratch."""
    ratio = np.maximum(score, GLOW_FROM) / GLOW_FROM
    level: Floats = np.clip(np.log(ratio) / np.log(top / GLOW_FROM), 0, 1).astype(np.float32)
    return level


def _colours(score: Floats, top: float) -> Floats:
    """(..., 3) BGR 0..1; the dark end of the map is left out, it would look like shadow."""
    index = np.rint((DARKEST + (1 - DARKEST) * _level(score, top)) * 255).astype(np.uint8)
    table = cv2.applyColorMap(np.arange(256, dtype=np.uint8)[:, None], COLOURS)[:, 0]
    colour: Floats = (table.astype(np.float32) / 255)[index]
    return colour


# what is written on it


def _text(
    sheet: Sheet, text: str, x: float, y: float, size: float, ink: tuple[int, int, int] = INK
) -> None:
    at = (round(x * OVERSAMPLE), round(y * OVERSAMPLE))
    cv2.putText(sheet, text, at, FONT, size * OVERSAMPLE, ink, OVERSAMPLE, cv2.LINE_AA)


def _text_width(text: str, size: float) -> float:
    (width, _), _ = cv2.getTextSize(text, FONT, size * OVERSAMPLE, OVERSAMPLE)
    return float(width) / OVERSAMPLE


def _write_title(sheet: Sheet, title: str, subtitle: str) -> None:
    _text(sheet, title, 36, 58, 1.05)
    _text(sheet, subtitle, 37, 92, 0.52, FAINT_INK)


def _write_labels(sheet: Sheet, eye: Eye, labels: tuple[Label, ...]) -> None:
    """A line from each defect to its size, left or right of the part, never over another."""
    if not labels:
        return
    uv, _ = eye.pixels(np.array([label.centroid_mm for label in labels], dtype=np.float32))
    uv = (uv / OVERSAMPLE + (0, HEAD_PX)).astype(np.float32)
    middle = eye.width_px / OVERSAMPLE / 2
    for on_left in (True, False):
        rows = [row for row in range(len(labels)) if (uv[row, 0] < middle) == on_left]
        floor = 150.0
        for row in sorted(rows, key=lambda row: float(uv[row, 1])):
            y = max(floor, float(uv[row, 1]) - 60)
            floor = y + 62
            width = max(_text_width(labels[row].text, 0.62), 120.0)
            x = 40.0 if on_left else eye.width_px / OVERSAMPLE - 40 - width
            _leader(sheet, uv[row], x + width + 10 if on_left else x - 10, y - 7)
            _text(sheet, labels[row].text, x, y, 0.62)
            _text(sheet, f"score {labels[row].peak_score:.1f}", x, y + 24, 0.5, FAINT_INK)


def _leader(sheet: Sheet, to: Floats, x: float, y: float) -> None:
    ends = np.rint(np.array([[x, y], [to[0], to[1]]]) * OVERSAMPLE).astype(int)
    start, end = (int(ends[0, 0]), int(ends[0, 1])), (int(ends[1, 0]), int(ends[1, 1]))
    cv2.line(sheet, start, end, INK, OVERSAMPLE, cv2.LINE_AA)
    cv2.circle(sheet, end, 4 * OVERSAMPLE, INK, -1, cv2.LINE_AA)


def _write_scale(sheet: Sheet, top: float) -> None:
    """The colour bar, with 1.0 marked as what it is: the threshold."""
    left, right, y = WIDTH_PX - SIDE_PX + 30, WIDTH_PX - 40, HEIGHT_PX - 84
    at = np.geomspace(GLOW_FROM, top, (right - left) * OVERSAMPLE, dtype=np.float32)
    bar = np.s_[y * OVERSAMPLE : (y + 18) * OVERSAMPLE, left * OVERSAMPLE : right * OVERSAMPLE]
    sheet[bar] = np.rint(_colours(at, top)[None] * 255)
    _text(sheet, "anomaly score", left, y - 14, 0.52, FAINT_INK)
    marks = [1.0, *(mark for mark in MARKS if mark < 0.8 * top), top]
    for value, place in zip(marks, _level(np.array(marks, dtype=np.float32), top), strict=True):
        x = left + (right - left) * float(place)
        label = "1 = threshold" if value == 1.0 else f"{value:.0f}" + "+" * (value == top)
        tick = (round(x * OVERSAMPLE), y * OVERSAMPLE)
        cv2.line(sheet, tick, (tick[0], (y + 26) * OVERSAMPLE), INK, OVERSAMPLE, cv2.LINE_AA)
        _text(sheet, label, min(x - 4, right - _text_width(label, 0.5)), y + 44, 0.5)
