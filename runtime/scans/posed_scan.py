"""Views whose places are known as a scan: a virtual cell plays it, exporters learn from it."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from voxgate.runtime.errors import ScanError
from voxgate.runtime.nouns import View
from voxgate.runtime.pixels.picture import encode_png
from voxgate.runtime.scenes.camera_alone import (
    DEPTH_UNIT_MM,
    TICK_HZ,
    scene_calibration_text,
    views_of,
)
from voxgate.runtime.scenes.open_scene import is_scene, open_scene
from voxgate.runtime.volume.grid import GridSpec

EVERY_S = 1.0  # between two made-up exposures
POSE_EVERY_S = 0.008
POSES_AROUND = 40  # on either side of an exposure: 0.3 s, what two clocks may be apart at first
EXPOSURE_US = 1000.0
MOST_COUNTS = 65_535


def scene_as_scan(folder: Path, out: Path) -> int:
    """Write a scene as a scan, so that a virtual cell can play it; returns its number of views.

    Raises ScanError.
    """
    if out.exists():
        raise ScanError(f"{out}: exists, choose another folder")
    scene = open_scene(folder)
    scene.check_measured()
    write_scan(out, list(views_of(scene)), scene_calibration_text(scene))
    return len(scene.views)


@contextmanager
def as_scans(folders: Sequence[Path]) -> Iterator[list[Path]]:
    """Scans as they are, scenes as scans that are gone afterwards. Raises ScanError."""
    with tempfile.TemporaryDirectory() as work:
        yield [
            _scan_of(each, Path(work) / str(number) / each.resolve().name)
            for number, each in enumerate(folders)
        ]


def _scan_of(folder: Path, out: Path) -> Path:
    if not is_scene(folder):
        return folder
    out.parent.mkdir()
    scene_as_scan(folder, out)
    return out


def write_scan(
    out: Path, views: Sequence[View], calibration: str, grid: GridSpec | None = None
) -> None:
    """A scan of views whose cameras stood still; complete or not at all. Raises ScanError."""
    partial = out.with_name(f".{out.name}.partial")
    try:
        shutil.rmtree(partial, ignore_errors=True)
        for kind in ("images", "depth"):
            (partial / kind).mkdir(parents=True)
        (partial / "calibration.json").write_text(calibration, "utf-8")
        if grid is not None:
            fields = {"origin_mm": grid.origin_mm, "shape": grid.shape, "voxel_mm": grid.voxel_mm}
            (partial / "grid.json").write_text(json.dumps(fields), "utf-8")
        frames = [_frame(partial, number, view) for number, view in enumerate(views)]
        (partial / "frames.jsonl").write_text("".join(frames), "utf-8")
        poses = [line for number, view in enumerate(views) for line in _poses(number, view)]
        (partial / "robot_poses.jsonl").write_text("".join(poses), "utf-8")
        partial.rename(out)
    except OSError as error:
        shutil.rmtree(partial, ignore_errors=True)
        raise ScanError(f"{out}: cannot be written: {error.strerror}") from error


def _frame(folder: Path, number: int, view: View) -> str:
    at_s = (number + 1) * EVERY_S
    measured_mm = view.shape.depth_mm
    assert measured_mm is not None  # training instances have depth
    image, depth = f"images/{number:02d}.png", f"depth/{number:02d}.png"
    counts = np.rint(np.nan_to_num(measured_mm, nan=0.0) / DEPTH_UNIT_MM)
    if counts.max() > MOST_COUNTS:
        raise ScanError(
            f"view {number}: depth reaches {counts.max() * DEPTH_UNIT_MM:.0f} mm, a scan stores up "
            f"to {MOST_COUNTS * DEPTH_UNIT_MM:.0f}"
        )
    (folder / image).write_bytes(encode_png(view.picture))
    (folder / depth).write_bytes(encode_png(counts.astype(np.uint16)))
    line = {
        "frame_id": number,
        "view": number,
        "t_camera_ticks": round(at_s * TICK_HZ),
        "exposure_us": EXPOSURE_US,
        "image": image,
        "depth": depth,
        "host_rx": at_s + EXPOSURE_US * 1e-6,
    }
    return json.dumps(line) + "\n"


def _poses(number: int, view: View) -> list[str]:
    """The camera's own pose, as a robot at rest would report it around the exposure."""
    middle_s = (number + 1) * EVERY_S
    x, y, z, w = Rotation.from_matrix(view.part_from_camera[:3, :3]).as_quat().tolist()
    lines = []
    for step in range(-POSES_AROUND, POSES_AROUND + 1):
        at_s = middle_s + step * POSE_EVERY_S
        pose = {
            "t_robot": at_s,
            "p": view.part_from_camera[:3, 3].tolist(),
            "q": [w, x, y, z],
            "v": 0.0,
            "host_rx": at_s,
        }
        lines.append(json.dumps(pose) + "\n")
    return lines
