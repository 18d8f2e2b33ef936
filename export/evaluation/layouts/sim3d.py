"""SiM3D: <class>/<class>_real (training), <class>_synth (CAD renderings), other folders a test.

An instance has rgb/<view>_2.png and depth/<view>.npy (h, w) mm, inf where background; synth has
RGB/<view>_2.png and DEPTH/<view>_depth.exr (or .npy, where OpenCV reads no EXR). Without depth it
is rendered from the instance's mesh, of which the table was cut off first (S.4, S.5). A test folder
with `bad` in its name is anomalous. The names of calibration, poses and ground truth are not
documented where we could read them; ours are in NAMES, and a `sim3d_layout.json` in the data set's
folder replaces any of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from voxgate.export.evaluation.cases import Dataset
from voxgate.export.evaluation.layouts.background import TABLE_A, Background, without_background
from voxgate.export.evaluation.layouts.camera_file import calibration_from
from voxgate.export.evaluation.layouts.files import (
    any_image,
    array,
    files,
    folders,
    json_object,
    read_picture,
)
from voxgate.export.evaluation.layouts.mesh import Mesh, read_ply
from voxgate.export.evaluation.layouts.mesh_depth import cast_mesh
from voxgate.export.evaluation.layouts.sim3d_sensor import camera_from_sensor, check_places
from voxgate.export.evaluation.metrics.labelled_volume import VoxelTruth
from voxgate.export.evaluation.picture_pose import FLOOR_MM
from voxgate.runtime.errors import ScanError
from voxgate.runtime.geometry.calibration import Calibration
from voxgate.runtime.geometry.rays import Rays
from voxgate.runtime.nouns import DepthMap, Note, View
from voxgate.runtime.pixels.colour import grey_and_colour
from voxgate.runtime.sync.synchronizer import ONLY
from voxgate.runtime.transforms import Transform, apply, invert, rigid
from voxgate.runtime.volume.grid import GridSpec

Setup = Literal["real", "synth"]
NAMES = {
    # per class: image_size, K (3, 3), distortion (5,) k1 k2 p1 p2 k3; where poses are the sensor's
    # and not the camera's, camera from sensor (S.3): R_pc (3, 3) and T_pc (3,), or T_pc (4, 4)
    "camera": "camera.json",
    "poses": "poses.json",  # per instance: views, 4 x 4 each, aligning v_i to v_1 (section 3.2)
    "ground_truth": "gt.npy",  # per bad instance: (X, Y, Z), the id of each defect, 0 elsewhere
    "mesh": "mesh.ply",  # per instance, for depth that is not there: in the frame of v_1, mm
    "background": "background.json",  # per class: tau_mm and alpha_mm; without it, Table A's
    "grid": "grid.json",  # per class: origin_mm, shape, voxel_mm, in the frame of v_1
}
OVERRIDE = "sim3d_layout.json"
VIEW_SUFFIX = "_2"
MOST_DEFECTS = np.iinfo(np.int16).max
BAD = "bad"  # in the name of an instance with defects


@dataclass(frozen=True, slots=True)
class Instance:
    """One scanned or rendered instance, in the frame of its first view, lifted onto z >= 2 mm."""

    source: Path
    part: str
    names: tuple[tuple[str, str], ...]

    @property
    def name(self) -> str:
        """class/instance."""
        return f"{self.part}/{self.source.name}"

    @property
    def views(self) -> list[tuple[Path, Path]]:
        """Picture of every view by name, and its depth, or the mesh that it is rendered from."""
        places = [("depth", ".npy"), ("DEPTH", ".npy"), ("DEPTH", ".exr")]
        depths = next((f for place, end in places if (f := files(self.source / place, end))), [])
        if depths or not self.mesh.exists():
            return [(_picture_of(depth), depth) for depth in depths]
        pictures = files(self.source / "rgb", ".png")
        return [(each, self.mesh) for each in pictures if each.stem.endswith(VIEW_SUFFIX)]

    @property
    def mesh(self) -> Path:
        """The whole instance's, integrated from all views."""
        return self.source / dict(self.names)["mesh"]

    def calibration(self) -> Calibration:
        """Of the class; the camera's pose itself comes with each view."""
        return calibration_from(self._camera, self.part)

    def calibrations(self) -> dict[str, Calibration]:
        """Of its one camera."""
        return {ONLY: self.calibration()}

    def grid(self) -> GridSpec:
        """The ground truth's, lifted."""
        return _lifted_grid(self.source.parent / dict(self.names)["grid"])

    def arrivals(self) -> Iterator[View | Note]:
        """Every view with its pose."""
        for number, ((file, depth), pose) in enumerate(zip(self.views, self._poses(), strict=True)):
            image, colour = grey_and_colour(read_picture(file))
            seen = self._rendered(pose) if depth == self.mesh else depth_map(depth)
            yield View(number, image, pose, 0.0, seen, colour=colour)

    def check_places(self, views: Sequence[View]) -> None:
        """Whether they put the part in one place. Raises ScanError with what T_pc would have to
        be."""
        check_places(self._camera, views, _rays(self._camera, self.part))

    def truth(self) -> VoxelTruth:
        """Non-empty: what this instance's depth falls into. Bad: the annotated volume."""
        grid = self.grid()
        rays = _rays(self._camera, self.part)
        seen = [_voxels(view, rays, grid) for view in self.arrivals() if isinstance(view, View)]
        surface = np.unique(np.concatenate(seen), axis=0).astype(np.int32)
        marked = self.source / dict(self.names)["ground_truth"]
        if not marked.exists():
            return VoxelTruth(surface, np.zeros((0, 3), np.int32), np.zeros(0, np.int16))
        ids = _defect_ids(marked, grid.shape)
        ijk = np.argwhere(ids).astype(np.int32)
        if not len(ijk) and BAD in self.source.name:
            raise ScanError(f"{marked}: marks no defect on an instance that is bad")
        return VoxelTruth(surface, ijk, ids[tuple(ijk.T)])

    def _rendered(self, part_from_camera: Transform) -> DepthMap:
        """The cleaned mesh as the camera sees it."""
        background = self.source.parent / dict(self.names)["background"]
        mesh = _cleaned(self.mesh, background, self.part)
        camera_from_mesh = invert(part_from_camera) @ self._lift
        return cast_mesh(mesh, camera_from_mesh, _rays(self._camera, self.part))

    @property
    def _lift(self) -> Transform:
        """From the frame of v_1."""
        lift = np.eye(4)
        lift[2, 3] = (
            self.grid().origin_mm[2] - _grid(self.source.parent / dict(self.names)["grid"])[0][2]
        )
        return lift

    def _poses(self) -> list[Transform]:
        path = self.source / dict(self.names)["poses"]
        try:
            poses = [rigid(np.array(pose, np.float64)) for pose in json_object(path)["views"]]
        except (KeyError, ValueError) as error:
            raise ScanError(f"{path}: views must be rigid 4 x 4 matrices ({error})") from error
        if len(poses) != len(self.views):
            raise ScanError(f"{path}: {len(poses)} poses for {len(self.views)} views")
        sensor_from_camera = invert(camera_from_sensor(self._camera))
        return [self._lift @ pose @ sensor_from_camera for pose in poses]

    @property
    def _camera(self) -> Path:
        return self.source.parent / dict(self.names)["camera"]


def recognises(folder: Path) -> bool:
    """The data set's folder, or one class of it."""
    return any(
        (each / f"{each.name}_{setup}").is_dir()
        for each in (folder, *folders(folder))
        for setup in ("real", "synth")
    )


def read(folder: Path) -> Dataset:
    """Every complete test instance of every class."""
    names = _names(folder)
    cases: list[Instance] = []
    missing: list[str] = []
    for each in _classes(folder):
        missing += _class_gaps(each, dict(names))
        for place in folders(each):
            if place.name in (f"{each.name}_real", f"{each.name}_synth"):
                continue
            instance = Instance(place, each.name, names)
            gaps = _gaps(instance, dict(names))
            if gaps:
                missing += gaps
            else:
                cases.append(instance)
    return Dataset(folder, "sim3d", "volume", tuple(cases), tuple(missing))


def training_instance(folder: Path, part: str, setup: Setup) -> Instance:
    """The one instance that a method may learn from. Raises ScanError, with what is missing."""
    for each in _classes(folder):
        if each.name == part:
            names = _names(folder)
            instance = Instance(each / f"{part}_{setup}", part, names)
            if gaps := _gaps(instance, dict(names)):
                raise ScanError("; ".join(gaps))
            return instance
    known = [each.name for each in _classes(folder)]
    raise ScanError(f"{folder}: no class {part!r}, it has {known}")


def depth_map(path: Path) -> DepthMap:
    """(h, w) float32 mm, NaN for background: inf in .npy; in a rendering the largest value."""
    if path.suffix == ".npy":
        depth = array(path, 2).astype(np.float32)
        return np.where(np.isfinite(depth) & (depth > 0), depth, np.float32(np.nan))
    try:
        stored = any_image(path)
    except ScanError as error:
        raise ScanError(
            f"{path}: this OpenCV reads no EXR: store it as {path.stem}.npy beside it, mm"
        ) from error
    depth = (stored if stored.ndim == 2 else stored[..., 0]).astype(np.float32)
    return np.where((depth > 0) & (depth < depth.max()), depth, np.float32(np.nan))


def _picture_of(depth: Path) -> Path:
    kind = "RGB" if depth.parent.name == "DEPTH" else "rgb"
    stem = depth.stem.removesuffix("_depth")
    return depth.parent.parent / kind / f"{stem}{VIEW_SUFFIX}.png"


def _gaps(instance: Instance, names: dict[str, str]) -> list[str]:
    place = instance.source
    views = instance.views
    lacking = [] if views else [f"depth/*.npy and no {names['mesh']}"]
    lacking += [f"{p.parent.name}/{p.name}" for p, _ in views if not p.exists()]
    lacking += [] if (place / names["poses"]).exists() else [names["poses"]]
    if BAD in place.name and not (place / names["ground_truth"]).exists():
        lacking.append(names["ground_truth"])
    return [f"{place}: no {' and no '.join(lacking)}"] if lacking else []


def _class_gaps(folder: Path, names: dict[str, str]) -> list[str]:
    wanted = (names["camera"], names["grid"], f"{folder.name}_real", f"{folder.name}_synth")
    return [f"{folder}: no {name}" for name in wanted if not (folder / name).exists()]


def _classes(folder: Path) -> list[Path]:
    own = any((folder / f"{folder.name}_{setup}").is_dir() for setup in ("real", "synth"))
    return [folder] if own else folders(folder)


def _names(folder: Path) -> tuple[tuple[str, str], ...]:
    for place in (folder, folder.parent):
        if (place / OVERRIDE).exists():
            own = json_object(place / OVERRIDE)
            if unknown := set(own) - set(NAMES):
                raise ScanError(f"{place / OVERRIDE}: unknown {sorted(unknown)}, known: {[*NAMES]}")
            if wrong := [name for name, file in own.items() if not isinstance(file, str)]:
                raise ScanError(f"{place / OVERRIDE}: {', '.join(wrong)}: expected a file's name")
            return tuple({**NAMES, **own}.items())
    return tuple(NAMES.items())


@lru_cache(maxsize=8)
def _grid(path: Path) -> tuple[tuple[float, float, float], tuple[int, int, int], float]:
    fields: dict[str, Any] = json_object(path)
    try:
        x, y, z = map(float, fields["origin_mm"])
        nx, ny, nz = map(int, fields["shape"])
        return (x, y, z), (nx, ny, nz), float(fields["voxel_mm"])
    except (KeyError, TypeError, ValueError) as error:
        raise ScanError(f"{path}: needs origin_mm, shape and voxel_mm ({error})") from error


def _lifted_grid(path: Path) -> GridSpec:
    (x, y, _), shape, voxel_mm = _grid(path)
    return GridSpec((x, y, FLOOR_MM), shape, voxel_mm)


@lru_cache(maxsize=2)
def _rays(camera: Path, part: str) -> Rays:
    return Rays.from_calibration(calibration_from(camera, part))


@lru_cache(maxsize=1)
def _cleaned(path: Path, background: Path, part: str) -> Mesh:
    """Without the table, where the class has one."""
    mesh, told = read_ply(path), TABLE_A.get(part)
    if background.exists():
        fields = json_object(background)
        try:
            told = Background(float(fields["tau_mm"]), float(fields["alpha_mm"]))
        except (KeyError, TypeError, ValueError) as error:
            raise ScanError(f"{background}: needs tau_mm and alpha_mm ({error})") from error
    return mesh if told is None else without_background(mesh, told)


def _defect_ids(path: Path, shape: tuple[int, int, int]) -> npt.NDArray[np.int16]:
    """Raises ScanError for a volume of another grid, and for what are no ids."""
    stored = array(path, 3)
    if stored.shape != shape:
        raise ScanError(f"{path}: is {stored.shape}, the class's grid is {shape}")
    is_id = np.isfinite(stored) & (stored >= 0) & (stored <= MOST_DEFECTS)
    ids = np.where(is_id, stored, 0).astype(np.int16)
    if not np.array_equal(ids, stored):
        raise ScanError(
            f"{path}: holds ids of defects, whole numbers from 0 to {MOST_DEFECTS}, no others"
        )
    return ids


def _voxels(view: View, rays: Rays, grid: GridSpec) -> npt.NDArray[np.int32]:
    assert view.depth_mm is not None
    points = rays.points(view.depth_mm)[np.isfinite(view.depth_mm)].astype(np.float64)
    ijk = grid.voxels_of(apply(view.part_from_camera, points))
    inside = ((ijk >= 0) & (ijk < grid.shape)).all(axis=1)
    return np.unique(ijk[inside], axis=0)
