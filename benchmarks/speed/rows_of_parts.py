"""A scan of the rig as a larger one: parts in a row, each seen from all the places, more pixels.

The row is one rigid part: how the recorded part was turned on its fixture, as its truth tells, is
turned back, with the camera; its shift is that of all. Place for place all parts are looked at, so
that the first views, which tell how the row stands, are of all of it. What lies between pixels of
one surface is put between them; pictures and depth get noise of their own, so that no two are the
same, and edges flicker by a pixel. Those of another recorded part lie up to two recorded pixels
elsewhere, five of the larger sensor, as no sensor's do: a good part is the golden one again.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from voxgate.benchmarks.speed.enlarged import depth_at, grey_at, resized
from voxgate.runtime.config.settings import DEFAULTS
from voxgate.runtime.nouns import View
from voxgate.runtime.scans.open_scan import open_scan
from voxgate.runtime.scans.part_files import CALIBRATION, GRID, above
from voxgate.runtime.scans.placed import views_of
from voxgate.runtime.scans.posed_scan import write_scan
from voxgate.runtime.scenes.camera_alone import DEPTH_UNIT_MM, TICK_HZ
from voxgate.runtime.transforms import Transform, invert
from voxgate.runtime.volume.grid import GridSpec

APART_MM = 1000.0  # no camera sees two of them
NOISE_MM = 0.05  # of a sensor's pixel
EDGE_MM = 3.0
FLICKER = 0.3  # of the pixels at an edge give no return, others each time
TRUTH = "truth.json"
IDENTITY = np.eye(4).tolist()

Size = tuple[int, int]


def write_row(
    scan: Path, out: Path, camera_px: Size, sensor_px: Size, parts: int, seed: int
) -> None:
    """`scan` (width, height) enlarged, as if `parts` of its part stood in a row."""
    text = json.dumps(_calibration(json.loads(above(scan, CALIBRATION).read_text()),
                                   camera_px, sensor_px))  # fmt: skip
    fields = json.loads(above(scan, GRID).read_text())
    x, y, z = fields["shape"]
    voxel_mm = float(fields["voxel_mm"])
    longer = x + round((parts - 1) * APART_MM / voxel_mm)
    grid = GridSpec(tuple(fields["origin_mm"]), (longer, y, z), voxel_mm)
    rng = np.random.default_rng(seed)
    write_scan(out, list(_views(scan, camera_px, sensor_px, parts, rng)), text, grid)


def _calibration(fields: dict[str, object], camera_px: Size, sensor_px: Size) -> dict[str, object]:
    """Poses are the camera's own in the part's frame."""
    sensor = fields["sensor"]
    assert isinstance(sensor, dict)
    larger = resized(sensor, sensor_px) | {"depth_unit_mm": DEPTH_UNIT_MM}
    timing = {"camera_tick_hz": TICK_HZ, "frame_readout_s": 0.0}
    own = {"sensor": larger, "T_flange_cam": IDENTITY, "T_base_part": IDENTITY, "timing": timing}
    return resized(fields, camera_px) | own


def _turned(scan: Path) -> Transform:
    """How its part was turned on the fixture, about the fixture's origin."""
    turned = np.eye(4)
    turned[:3, :3] = np.array(json.loads((scan / TRUTH).read_text())["T_part_instance"])[:3, :3]
    return turned


def _views(
    scan: Path, camera_px: Size, sensor_px: Size, parts: int, rng: np.random.Generator
) -> Iterator[View]:
    opened, turned_back = open_scan(scan), invert(_turned(scan))
    placed = [v for v in views_of(opened, DEFAULTS.max_gap_ns, 1.0) if isinstance(v, View)]
    for view in placed:
        for number in range(parts):
            half = _enlarged(view, sensor_px, rng)
            there = turned_back.copy()
            there[0, 3] = number * APART_MM
            yield replace(
                view,
                frame_id=number * len(placed) + view.frame_id,
                image=grey_at(view.image, camera_px, rng),
                part_from_camera=there @ view.part_from_camera,
                sensed=replace(half, part_from_camera=there @ half.part_from_camera),
            )


def _enlarged(view: View, sensor_px: Size, rng: np.random.Generator) -> View:
    """What its sensor measured, with more pixels."""
    sensed = view.sensed
    assert sensed is not None
    assert sensed.depth_mm is not None
    counts = np.rint(np.nan_to_num(sensed.depth_mm) / DEPTH_UNIT_MM).astype(np.uint16)
    depth = depth_at(counts, sensor_px).astype(np.float32) * np.float32(DEPTH_UNIT_MM)
    shown = (depth > 0) & ~(_edges(depth) & (rng.random(depth.shape, np.float32) < FLICKER))
    depth += np.float32(NOISE_MM) * rng.standard_normal(depth.shape, np.float32)
    return replace(
        sensed,
        image=np.zeros(depth.shape, np.uint8),
        depth_mm=np.where(shown, depth, np.float32(np.nan)),
    )


def _edges(depth_mm: npt.NDArray[np.float32]) -> npt.NDArray[np.bool_]:
    """(h, w) whether a neighbour is of another surface, or of none (0)."""
    window = np.ones((3, 3), np.uint8)
    steps = cv2.dilate(depth_mm, window) - cv2.erode(depth_mm, window)
    return np.asarray(steps > EDGE_MM)
