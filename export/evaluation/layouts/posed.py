"""Posed RGB-D: transforms.json as NeRF tools write it, with a depth map beside every picture.

`transform_matrix` is the camera in the world, with OpenGL's axes (y up, z backwards); the world
stands for the part's frame, z up from the table. Lengths are in units of the file's own: a metre,
unless one says otherwise. MAD's file has poses only: nothing can be learnt from it without depth.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from voxgate.export.evaluation.layouts.files import any_image, array, json_object, read_picture
from voxgate.runtime.errors import ScanError
from voxgate.runtime.nouns import DepthMap, View
from voxgate.runtime.pixels.colour import grey_and_colour
from voxgate.runtime.transforms import Transform, rigid

TRANSFORMS = "transforms.json"
MM_PER_UNIT = 1000.0
MM_PER_COUNT = 1.0  # of a depth picture of 16 bits, where the file says nothing
DEPTH = ("depth_file_path", "depth_path")
COUNT = ("depth_unit_scale_factor", "integer_depth_scale")
"""Units of the file that a count of a depth picture is, as nerfstudio and instant-ngp call it."""
LENS = ("k1", "k2", "k3", "k4", "p1", "p2", "is_fisheye")  # that bend a ray, unless 0
PINHOLES = (None, "PINHOLE", "SIMPLE_PINHOLE", "PERSPECTIVE", "SIMPLE_RADIAL", "RADIAL", "OPENCV")
"""Camera models that without LENS are pinholes."""
CAMERA = (*LENS, "camera_model", "w", "h", "fl_x", "fl_y", "cx", "cy", "camera_angle_x")
OPENGL_FROM_OPENCV = np.diag([1.0, -1.0, -1.0, 1.0])


def posed_views(folder: Path, mm_per_unit: float = MM_PER_UNIT) -> list[View]:
    """Every frame of the file. Raises ScanError for what is missing, or does not fit."""
    said = json_object(folder / TRANSFORMS)
    frames = said.get("frames")
    if not isinstance(frames, list) or not frames:
        raise ScanError(f"{folder / TRANSFORMS}: has no frames")
    views = [_view(folder, n, frame, said, mm_per_unit) for n, frame in enumerate(frames)]
    _check_one_size(views, folder / TRANSFORMS)
    return views


def camera_matrix(folder: Path, size: tuple[int, int]) -> npt.NDArray[np.float64]:
    """(3, 3), px, of pictures (height, width). Raises ScanError for a lens that distorts, and for
    more than one."""
    said = _camera(folder / TRANSFORMS)
    height, width = size
    told = _numbers(said, "w", "h")
    if told not in (None, (width, height)):
        raise ScanError(
            f"{folder / TRANSFORMS}: is of pictures of {said['w']} x {said['h']} px, these have "
            f"{width} x {height}: bring w, h, fl_x, fl_y, cx and cy to their size"
        )
    focal = _numbers(said, "fl_x", "fl_y")
    angle = _numbers(said, "camera_angle_x")
    if focal is None and angle is not None and 0 < angle[0] < np.pi:
        focal = (width / 2 / float(np.tan(angle[0] / 2)),) * 2
    if focal is None or not all(0 < length < np.inf for length in focal):
        raise ScanError(
            f"{folder / TRANSFORMS}: needs fl_x and fl_y, px, or camera_angle_x, radians"
        )
    cx, cy = _numbers(said, "cx", "cy") or (width / 2, height / 2)
    # NeRF's pixels have their corner at whole numbers, ours their centre
    return np.array([[focal[0], 0, cx - 0.5], [0, focal[1], cy - 0.5], [0, 0, 1]])


def _camera(path: Path) -> Mapping[str, Any]:
    """What the file says of its camera; what a frame says goes before what stands above them all.
    Raises ScanError for a lens that distorts, and for more than one."""
    above = json_object(path)
    first, *others = [{n: (above | frame).get(n) for n in CAMERA} for frame in above["frames"]]
    for number, other in enumerate(others, 1):
        if apart := [name for name in CAMERA if other[name] != first[name]]:
            raise ScanError(
                f"{path}: frames.{number}: another {', '.join(apart)} than frames.0: a scan has "
                "one camera: bring all pictures to one lens first"
            )
    bent = [name for name in LENS if first[name]]
    if (model := first["camera_model"]) not in PINHOLES:
        bent.append(f"camera_model {model}")
    if bent:
        raise ScanError(f"{path}: {', '.join(bent)}: undistort pictures and depth first")
    return first


def _view(
    folder: Path, number: int, frame: Any, said: Mapping[str, Any], mm_per_unit: float
) -> View:
    where = f"{folder / TRANSFORMS}: frames.{number}"
    if not isinstance(frame, Mapping) or "file_path" not in frame:
        raise ScanError(f"{where}: needs file_path and transform_matrix")
    depth = next((frame[name] for name in DEPTH if name in frame), None)
    if depth is None:
        raise ScanError(
            f"{where}: has no depth_file_path: a recipe needs the shape, so record or render depth"
        )
    picture = read_picture(_existing(folder, str(frame["file_path"]), where))
    depth_mm = _depth_mm(_existing(folder, str(depth), where), said, mm_per_unit)
    if depth_mm.shape != picture.shape[:2]:
        raise ScanError(f"{where}: depth {depth_mm.shape}, its picture {picture.shape[:2]}")
    if not np.isfinite(depth_mm).any():
        raise ScanError(f"{where}: {depth}: no pixel has a depth: leave the frame out")
    grey, colour = grey_and_colour(picture)
    pose = _part_from_camera(frame.get("transform_matrix"), mm_per_unit, where)
    return View(number, np.ascontiguousarray(grey), pose, 0.0, depth_mm, colour=colour)


def _check_one_size(views: Sequence[View], path: Path) -> None:
    height, width = views[0].image.shape
    for view in views:
        if view.image.shape != (height, width):
            raise ScanError(
                f"{path}: frames.{view.frame_id}: a picture of {view.image.shape[1]} x "
                f"{view.image.shape[0]} px, that of frames.0 has {width} x {height}: a scan has "
                "one camera: leave the frame out"
            )


def _existing(folder: Path, name: str, where: str) -> Path:
    """NeRF's own files leave the ending away."""
    found = next((p for p in (folder / name, folder / f"{name}.png") if p.is_file()), None)
    if found is None:
        raise ScanError(f"{where}: {name}: no such file")
    return found


def _part_from_camera(matrix: Any, mm_per_unit: float, where: str) -> Transform:
    try:
        world_from_opengl = np.array(matrix, np.float64)
        world_from_opengl[:3, 3] *= mm_per_unit
        return rigid(world_from_opengl @ OPENGL_FROM_OPENCV)
    except (ValueError, TypeError, IndexError) as error:
        raise ScanError(f"{where}.transform_matrix: {error}") from error


def _depth_mm(path: Path, said: Mapping[str, Any], mm_per_unit: float) -> DepthMap:
    """Along the optical axis, NaN where the file has 0 or less."""
    if path.suffix == ".npy":
        depth_mm = array(path, 2).astype(np.float32) * np.float32(mm_per_unit)
    else:
        counts = any_image(path)
        if counts.ndim != 2 or counts.dtype != np.uint16:
            raise ScanError(f"{path}: depth is .npy, or a grey PNG of 16 bits, got {counts.dtype}")
        per_count = _mm_per_count(said, path, mm_per_unit)
        depth_mm = counts.astype(np.float32) * np.float32(per_count)
    depth_mm[~(depth_mm > 0)] = np.nan
    found: DepthMap = depth_mm
    return found


def _mm_per_count(said: Mapping[str, Any], path: Path, mm_per_unit: float) -> float:
    """Raises ScanError for a scale that is none."""
    name = next((name for name in COUNT if name in said), None)
    if name is None:
        return MM_PER_COUNT
    scale = _numbers(said, name)
    if scale is None or not 0 < scale[0] < np.inf:
        raise ScanError(f"{path}: {name} is {said[name]!r}: units of the file a count, above 0")
    return scale[0] * mm_per_unit


def _numbers(said: Mapping[str, Any], *names: str) -> tuple[float, ...] | None:
    """None unless all are there."""
    found = [said.get(name) for name in names]
    if not all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in found):
        return None
    return tuple(float(value) for value in found if value is not None)


def holds_poses(folder: Path) -> bool:
    """Whether there is such a file."""
    return (folder / TRANSFORMS).is_file()
