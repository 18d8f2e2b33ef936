"""A scan of the rig as a larger one: parts in a row, each seen from all the places, more pixels.

Every picture gets noise of its own, so that no two are the same; what lies between pixels of one
surface is put between them. Edges stay as coarse as the recorded pixels: memory and time are of
such a rig, but a good part may FAIL by specks of one view at its edges.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from voxgate.benchmarks.speed.enlarged import depth_at, grey_at, resized
from voxgate.runtime.config.settings import DEFAULTS
from voxgate.runtime.nouns import View
from voxgate.runtime.scans.open_scan import open_scan
from voxgate.runtime.scans.part_files import CALIBRATION, GRID, above
from voxgate.runtime.scans.placed import views_of
from voxgate.runtime.scans.posed_scan import write_scan
from voxgate.runtime.scenes.camera_alone import DEPTH_UNIT_MM, TICK_HZ
from voxgate.runtime.volume.grid import GridSpec

APART_MM = 1000.0  # no camera sees two of them
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


def _views(
    scan: Path, camera_px: Size, sensor_px: Size, parts: int, rng: np.random.Generator
) -> Iterator[View]:
    opened = open_scan(scan)
    placed = [v for v in views_of(opened, DEFAULTS.max_gap_ns, 1.0) if isinstance(v, View)]
    for number in range(parts):
        there = np.eye(4)
        there[0, 3] = number * APART_MM
        for view in placed:
            sensed = view.sensed
            assert sensed is not None
            assert sensed.depth_mm is not None
            counts = np.rint(np.nan_to_num(sensed.depth_mm) / DEPTH_UNIT_MM).astype(np.uint16)
            depth = depth_at(counts, sensor_px).astype(np.float32) * np.float32(DEPTH_UNIT_MM)
            half = replace(
                sensed,
                part_from_camera=there @ sensed.part_from_camera,
                image=np.zeros(depth.shape, np.uint8),
                depth_mm=np.where(depth > 0, depth, np.float32(np.nan)),
            )
            yield replace(
                view,
                frame_id=number * len(placed) + view.frame_id,
                image=grey_at(view.image, camera_px, rng),
                part_from_camera=there @ view.part_from_camera,
                sensed=half,
            )
