"""Point clouds and meshes from files: PLY, PCD, STL, OBJ, tables, organised arrays and pictures."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np

from voxgate.calib.place.cloud_arrays import array_cloud, picture_cloud, table_cloud
from voxgate.calib.place.meshes import obj_mesh, stl_mesh
from voxgate.calib.place.pcd import pcd_cloud
from voxgate.calib.place.ply import ply_cloud
from voxgate.calib.place.points import Cloud
from voxgate.runtime.errors import CalibrationError

MAX_BYTES = 1 << 30
CLOUD_SUFFIXES = (
    ".ply",
    ".pcd",
    ".csv",
    ".txt",
    ".xyz",
    ".pts",
    ".asc",
    ".npy",
    ".npz",
    ".tif",
    ".tiff",
)
READERS = {
    ".ply": ply_cloud,
    ".pcd": pcd_cloud,
    ".stl": stl_mesh,
    ".obj": obj_mesh,
    ".npy": array_cloud,
    ".npz": array_cloud,
    ".tif": picture_cloud,
    ".tiff": picture_cloud,
}
OTHER_MESHES = (".3mf", ".off", ".glb", ".gltf", ".dae", ".fbx", ".dxf", ".amf", ".wrl", ".vtk")
OTHER_CLOUDS = (".e57", ".las", ".laz", ".zdf", ".ptx", ".h5", ".mat", ".bag", ".pcap", ".cdb")
DRAWINGS = (".step", ".stp", ".iges", ".igs", ".sldprt", ".catpart", ".prt", ".x_t", ".3dm")


def read_cloud(path: Path) -> Cloud:
    """Read a cloud or a mesh; points that are not finite are left out, with the triangles that use
    them. Raises CalibrationError: file and reason."""
    try:
        content = path.read_bytes()
        if len(content) > MAX_BYTES:
            raise ValueError(f"larger than {MAX_BYTES} bytes")
        _refuse_others(path, content)
        found = _finite(READERS.get(path.suffix.lower(), table_cloud)(content))
        if not len(found.points):
            raise ValueError("needs finite points, at least one")
        return found
    except FileNotFoundError as error:
        raise CalibrationError(f"{path}: no such file") from error
    except (OSError, ValueError, TypeError, IndexError, OverflowError, struct.error) as error:
        raise CalibrationError(f"{path}: not a point cloud that we read ({error})") from error


def _refuse_others(path: Path, content: bytes) -> None:
    if path.suffix.lower() in DRAWINGS or content.startswith(b"ISO-10303-21"):
        raise CalibrationError(
            f"{path}: is a drawing of surfaces, not a mesh: export it from the CAD program as STL "
            "or PLY, in mm, no coarser than 0.05 mm"
        )
    if path.suffix.lower() in OTHER_MESHES:
        raise CalibrationError(
            f"{path}: this mesh is not read: export it as STL, PLY or OBJ, in mm"
        )
    if path.suffix.lower() in OTHER_CLOUDS:
        raise CalibrationError(f"{path}: this cloud is not read: save it as PLY or PCD, in mm")


def _finite(cloud: Cloud) -> Cloud:
    good = np.asarray(np.isfinite(cloud.points).all(axis=1))
    if good.all():
        return cloud
    number = np.cumsum(good) - 1
    triangles = cloud.triangles
    if triangles is not None:
        triangles = number[triangles[np.asarray(good[triangles]).all(axis=1)]]
    grey = None if cloud.grey is None else cloud.grey[good]
    return Cloud(cloud.points[good], grey, triangles)
