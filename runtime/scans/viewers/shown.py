"""What viewers draw of a job: places, lens and volume, in metres, as `foxglove.*` takes them."""

from __future__ import annotations

import numpy as np

from voxgate.runtime.geometry.calibration import Calibration
from voxgate.runtime.rotations import quaternions
from voxgate.runtime.scans.recording import FusedVolume
from voxgate.runtime.scans.viewers import foxglove
from voxgate.runtime.transforms import Transform

M_PER_MM = 1e-3
DISTORTION = {"brown": "plumb_bob", "rational": "rational_polynomial", "fisheye": "equidistant"}
"""The viewers' words for a lens."""
CLOUD_FIELDS = (
    ("x", foxglove.FLOAT32),
    ("y", foxglove.FLOAT32),
    ("z", foxglove.FLOAT32),
    ("score", foxglove.FLOAT32),
    ("hits", foxglove.UINT32),
)
_KINDS = {foxglove.FLOAT32: "<f4", foxglove.UINT32: "<u4"}
CLOUD_TYPE = np.dtype([(name, _KINDS[kind]) for name, kind in CLOUD_FIELDS])
"""One point of the volume."""


def _xyz_m(transform: Transform) -> dict[str, float]:
    x, y, z = (transform[:3, 3] * M_PER_MM).tolist()
    return {"x": x, "y": y, "z": z}


def _rotation(transform: Transform) -> dict[str, float]:
    ((w, x, y, z),) = quaternions(transform[None, :3, :3]).tolist()
    return {"x": x, "y": y, "z": z, "w": w}


def transform(a_from_b: Transform, a: str, b: str) -> dict[str, object]:
    return {
        "parent_frame_id": a,
        "child_frame_id": b,
        "translation": _xyz_m(a_from_b),
        "rotation": _rotation(a_from_b),
    }


def pose_m(transform: Transform) -> dict[str, object]:
    return {"position": _xyz_m(transform), "orientation": _rotation(transform)}


def lens(known: Calibration, frame: str = "camera") -> dict[str, object]:
    """OpenCV's coefficients; R is no rotation, P projects without distortion."""
    matrix = known.camera_matrix
    return {
        "frame_id": frame,
        "width": known.width_px,
        "height": known.height_px,
        "distortion_model": DISTORTION[known.lens_model],
        "D": known.distortion.tolist(),
        "K": matrix.ravel().tolist(),
        "R": np.eye(3).ravel().tolist(),
        "P": np.hstack([matrix, np.zeros((3, 1))]).ravel().tolist(),
    }


def cloud(volume: FusedVolume) -> dict[str, object]:
    voxels = volume.voxels
    points = np.zeros(len(voxels.ijk), CLOUD_TYPE)
    centres_mm = volume.grid.centres_mm(voxels.ijk)
    for axis, name in enumerate("xyz"):
        points[name] = centres_mm[:, axis] * M_PER_MM
    points["score"], points["hits"] = voxels.score, voxels.hits
    at = points.dtype.fields
    assert at is not None
    return {
        "frame_id": "part",
        "pose": pose_m(np.eye(4)),
        "point_stride": points.itemsize,
        "fields": [
            {"name": name, "offset": at[name][1], "type": kind} for name, kind in CLOUD_FIELDS
        ],
        "data": points.tobytes(),
    }
