"""Views with poses as a scan folder (design, section 4): every exporter can learn from them."""

from __future__ import annotations

from pathlib import Path

from voxgate.export.evaluation.layouts import mvtec3d, posed, sim3d
from voxgate.export.evaluation.layouts.files import folders
from voxgate.export.evaluation.picture_pose import lifted
from voxgate.runtime.errors import ScanError
from voxgate.runtime.nouns import View
from voxgate.runtime.pixels.colour import grey_and_colour
from voxgate.runtime.scans.posed_scan import write_scan
from voxgate.runtime.scenes.camera_alone import (
    calibration_text,
)
from voxgate.runtime.scenes.scene import NO_DISTORTION
from voxgate.runtime.volume.grid import GridSpec


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


def _from_sim3d(
    folder: Path, part: str, out: Path, setup: sim3d.Setup, voxel_mm: float | None
) -> int:
    instance = sim3d.training_instance(folder, part, setup)
    views = [view for view in instance.arrivals() if isinstance(view, View)]
    instance.check_places(views)
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
    places = {e.name: e for e in (folder, *folders(folder)) if (e / "train").is_dir()}
    if part not in places:
        raise ScanError(f"{folder}: no class {part!r} with a train folder, it has {list(places)}")
    place = places[part]
    picture = mvtec3d.picture_of(mvtec3d.training_picture(place))
    assert picture.depth_mm is not None  # read from xyz
    assert picture.camera_matrix is not None
    height, width = picture.image.shape[:2]
    pose = lifted(picture.depth_mm)
    text = calibration_text(part, width, height, picture.camera_matrix, NO_DISTORTION)
    image, colour = grey_and_colour(picture.image)
    write_scan(out, [View(0, image, pose, 0.0, picture.depth_mm, colour=colour)], text)
    return 1
