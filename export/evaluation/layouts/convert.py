"""Views with poses as a scan folder (design, section 4): every exporter can learn from them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from scipy.spatial.transform import Rotation

from voxgate.export.evaluation.layouts import mvtec3d, posed, sim3d
from voxgate.export.evaluation.layouts.files import folders
from voxgate.export.evaluation.picture_pose import lifted
from voxgate.runtime.errors import ScanError
from voxgate.runtime.nouns import View
from voxgate.runtime.pixels.colour import grey_and_colour
from voxgate.runtime.pixels.picture import encode_png
from voxgate.runtime.scenes.camera_alone import (
    DEPTH_UNIT_MM,
    TICK_HZ,
    calibration_text,
    scene_calibration_text,
    views_of,
)
from voxgate.runtime.scenes.open_scene import open_scene
from voxgate.runtime.scenes.scene import NO_DISTORTION
from voxgate.runtime.volume.grid import GridSpec

EVERY_S = 1.0  # between two made-up exposures
POSE_EVERY_S = 0.008
POSES_AROUND = 40  # on either side of an exposure: 0.3 s, what two clocks may be apart at first
EXPOSURE_US = 1000.0
MOST_COUNTS = 65_535


def convert_training(
    folder: Path, part: str, out: Path, setup: str, voxel_mm: float | None = None
) -> int:
    """Write the class's training instance; returns its number of views. Raises ScanError.

    voxel_mm: edge of its grid's voxels; None: as the data set has them.
    """
    if out.exists():
        raise ScanError(f"{out}: exists, choose another folder")
    if sim3d.recognises(folder):
        learned: sim3d.Setup = "synth" if setup == "synth2real" else "real"
        return _from_sim3d(folder, part, out, learned, voxel_mm)
    if mvtec3d.recognises(folder):
        if voxel_mm is not None:
            raise ScanError("--voxel-mm is of SiM3D: MVTec 3D-AD has no voxels")
        return _from_mvtec3d(folder, part, out)
    raise ScanError(f"{folder}: only SiM3D and MVTec 3D-AD have a training instance with depth")


def convert_scene(folder: Path, out: Path) -> int:
    """Write a scene as a scan, so that a virtual cell can play it; returns its number of views.

    Raises ScanError.
    """
    if out.exists():
        raise ScanError(f"{out}: exists, choose another folder")
    scene = open_scene(folder)
    scene.check_measured()
    write_scan(out, list(views_of(scene)), scene_calibration_text(scene))
    return len(scene.views)


def convert_posed(folder: Path, part: str, out: Path, mm_per_unit: float) -> int:
    """Write posed RGB-D (transforms.json) as a scan; returns its number of views.

    mm_per_unit: of the file's poses. Raises ScanError.
    """
    if out.exists():
        raise ScanError(f"{out}: exists, choose another folder")
    views = posed.posed_views(folder, mm_per_unit)
    height, width = views[0].image.shape
    camera = posed.camera_matrix(folder, (height, width))
    write_scan(out, views, calibration_text(part, width, height, camera, NO_DISTORTION))
    return len(views)


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


def _from_sim3d(
    folder: Path, part: str, out: Path, setup: sim3d.Setup, voxel_mm: float | None
) -> int:
    instance = sim3d.training_instance(folder, part, setup)
    views = [view for view in instance.arrivals() if isinstance(view, View)]
    known = instance.calibration()
    text = calibration_text(
        part, known.width_px, known.height_px, known.camera_matrix, known.distortion.tolist()
    )
    write_scan(out, views, text, _in_voxels(instance.grid(), voxel_mm))
    return len(views)


def _in_voxels(grid: GridSpec, voxel_mm: float | None) -> GridSpec:
    try:
        return grid if voxel_mm is None else grid.with_voxels(voxel_mm)
    except ValueError as error:
        raise ScanError(str(error)) from error


def _from_mvtec3d(folder: Path, part: str, out: Path) -> int:
    places = [folder, *folders(folder)]
    place = next((each for each in places if each.name == part and (each / "train").is_dir()), None)
    if place is None:
        raise ScanError(f"{folder}: no class {part!r} with a train folder")
    picture = mvtec3d.picture_of(mvtec3d.training_picture(place))
    assert picture.depth_mm is not None  # read from xyz
    assert picture.camera_matrix is not None
    height, width = picture.image.shape[:2]
    pose = lifted(picture.depth_mm)
    text = calibration_text(part, width, height, picture.camera_matrix, NO_DISTORTION)
    image, colour = grey_and_colour(picture.image)
    write_scan(out, [View(0, image, pose, 0.0, picture.depth_mm, colour=colour)], text)
    return 1


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
    cv2.imwrite(str(folder / depth), counts.astype(np.uint16))
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
