"""SiM3D's meshes: the table must not stay, and depth must be what a ray meets."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from tests.kits import scene
from tests.kits.layouts_kit import write_image
from voxgate.export.evaluation.cases import VolumeCase
from voxgate.export.evaluation.layouts.background import Background, table_plane
from voxgate.export.evaluation.layouts.mesh import Mesh, read_ply
from voxgate.export.evaluation.layouts.mesh_depth import cast_mesh
from voxgate.export.evaluation.layouts.open_dataset import open_dataset
from voxgate.runtime.errors import ScanError
from voxgate.runtime.nouns import View
from voxgate.runtime.transforms import Transform, apply, invert

POSES = (scene.camera(20.0), scene.camera(200.0))
STEP_MM = 4.0
HALF_MM = 300.0
CAMERA_FROM_SENSOR = scene.offset((80.0, 5.0, -3.0), (0.0, 11.0, 0.0))


def _sheet(low: npt.NDArray[np.float64], u: int, v: int, size: tuple[float, float]) -> Mesh:
    """A rectangle of small triangles, along axes u and v."""
    counts = [int(np.ceil(length / STEP_MM)) + 1 for length in size]
    a, b = np.meshgrid(*[np.linspace(0, s, n) for s, n in zip(size, counts, strict=True)])
    points = np.tile(low, (a.size, 1))
    points[:, u] += a.ravel()
    points[:, v] += b.ravel()
    corner = np.arange(a.size).reshape(a.shape)[:-1, :-1].ravel()
    wide = a.shape[1]
    one = np.stack([corner, corner + 1, corner + wide], axis=1)
    other = np.stack([corner + wide + 1, corner + wide, corner + 1], axis=1)
    return Mesh(points, np.concatenate([one, other]))


def _joined(sheets: list[Mesh]) -> Mesh:
    starts = np.cumsum([0, *(len(sheet.points) for sheet in sheets[:-1])])
    triangles = [sheet.triangles + start for sheet, start in zip(sheets, starts, strict=True)]
    return Mesh(np.concatenate([sheet.points for sheet in sheets]), np.concatenate(triangles))


def _world() -> Mesh:
    """The boxes of `scene` on their table z = 0."""
    corner = np.array([-HALF_MM, -HALF_MM, 0.0])
    sheets = [_sheet(corner, 0, 1, (2 * HALF_MM, 2 * HALF_MM))]
    for box in scene.PART:
        low, high = (np.array(each) for each in box)
        for axis in range(3):
            u, v = (each for each in range(3) if each != axis)
            size = (float(high[u] - low[u]), float(high[v] - low[v]))
            for at in (low, high):
                place = low.copy()
                place[axis] = at[axis]
                sheets.append(_sheet(place, u, v, size))
    return _joined(sheets)


def _write_ply(path: Path, mesh: Mesh, form: str = "binary_little_endian") -> None:
    lines = ["ply", f"format {form} 1.0", f"element vertex {len(mesh.points)}"]
    lines += [f"property float {axis}" for axis in "xyz"] + ["property uchar red"]
    lines += [f"element face {len(mesh.triangles)}", "property list uchar int vertex_indices"]
    head = "\n".join([*lines, "end_header"]) + "\n"
    if form == "ascii":
        rows = [f"{x} {y} {z} 9" for x, y, z in mesh.points.tolist()]
        rows += [f"3 {a} {b} {c}" for a, b, c in mesh.triangles.tolist()]
        path.write_text(head + "\n".join(rows) + "\n")
        return
    vertex = np.zeros(len(mesh.points), [("p", "<f4", 3), ("red", "u1")])
    face = np.zeros(len(mesh.triangles), [("of", "u1"), ("corners", "<i4", 3)])
    vertex["p"], face["of"], face["corners"] = mesh.points, 3, mesh.triangles
    path.write_bytes(head.encode() + vertex.tobytes() + face.tobytes())


def _truth(pose: Transform) -> npt.NDArray[np.float32]:
    return scene.depth(scene.look(pose, noise_mm=0.0))


@pytest.mark.parametrize("pose", POSES)
def test_rendered_depth_is_not_what_the_ray_of_a_pixel_meets(pose: Transform) -> None:
    found, truth = cast_mesh(_world(), invert(pose), scene.rays()), _truth(pose)
    both = np.isfinite(found) & np.isfinite(truth)
    assert both.mean() > 0.5
    assert np.abs(found - truth)[both].max() < 0.01
    inside = (
        np.abs(apply(pose, scene.rays().points(truth).astype(np.float64))[..., :2]).max(axis=-1)
        < HALF_MM
    )
    assert np.isfinite(found)[inside & np.isfinite(truth)].all()  # no seam between triangles


def test_another_plane_is_taken_for_the_table() -> None:
    sensor = POSES[0] @ CAMERA_FROM_SENSOR
    points = apply(invert(sensor), _world().points)
    normal, offset_mm = table_plane(points, tau_mm=1.0)
    up = sensor[:3, :3] @ normal
    assert up[2] > np.cos(np.radians(0.2))
    assert offset_mm == pytest.approx(-sensor[2, 3], abs=0.5)


@pytest.mark.parametrize("form", ["binary_little_endian", "ascii"])
def test_a_mesh_is_read_as_another(tmp_path: Path, form: str) -> None:
    mesh = _world()
    _write_ply(tmp_path / "mesh.ply", mesh, form)
    found = read_ply(tmp_path / "mesh.ply")
    np.testing.assert_allclose(found.points, mesh.points, atol=1e-4)
    np.testing.assert_array_equal(found.triangles, mesh.triangles)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda text: b"solid" + text, "first line"),
        (lambda text: text[:-5], "buffer"),
        (lambda text: text.replace(b"little", b"big___"), "format"),
        (lambda text: text[:-12] + b"\xff\xff\xff\x7f" * 3, "that are there"),
    ],
)
def test_a_damaged_mesh_is_taken(tmp_path: Path, spoil: object, words: str) -> None:
    assert callable(spoil)
    path = tmp_path / "mesh.ply"
    _write_ply(path, _world())
    path.write_bytes(spoil(path.read_bytes()))
    with pytest.raises(ScanError, match=words):
        read_ply(path)


def _dataset(folder: Path, background: Background | None) -> VolumeCase:
    """An instance with a mesh in the frame of its first sensor, and no depth."""
    root, place = folder / "boxes", folder / "boxes" / "good_01"
    sensors = [pose @ CAMERA_FROM_SENSOR for pose in POSES]
    first_from_part = invert(sensors[0])
    for name in ("boxes_real", "boxes_synth", "good_01"):
        (root / name).mkdir(parents=True)
    for number, pose in enumerate(POSES):
        write_image(place / "rgb" / f"{number:02d}_2.png", scene.look(pose).image)
    world = _world()
    _write_ply(place / "mesh.ply", Mesh(apply(first_from_part, world.points), world.triangles))
    views = [(first_from_part @ sensor).tolist() for sensor in sensors]
    (place / "poses.json").write_text(json.dumps({"views": views}))
    lens = scene.rays().lens
    fields = {
        "image_size": {"width": 320, "height": 240},
        "K": [[lens[0], 0, lens[2]], [0, lens[1], lens[3]], [0, 0, 1]],
        "distortion": lens[4:9].tolist(),
        "T_pc": CAMERA_FROM_SENSOR.tolist(),
    }
    (root / "camera.json").write_text(json.dumps(fields))
    grid = {"origin_mm": [-200.0, -200.0, 200.0], "shape": [200, 200, 200], "voxel_mm": 2.0}
    (root / "grid.json").write_text(json.dumps(grid))
    if background is not None:
        told = {"tau_mm": background.tau_mm, "alpha_mm": background.alpha_mm}
        (root / "background.json").write_text(json.dumps(told))
    (case,) = open_dataset(folder).cases
    return case  # type: ignore[return-value]


@pytest.mark.parametrize("cut", [True, False])
def test_depth_that_is_not_there_is_missed_or_has_the_table_in_it(
    tmp_path: Path, cut: bool
) -> None:
    case = _dataset(tmp_path, Background(1.0, 2.0) if cut else None)
    views = [view for view in case.arrivals() if isinstance(view, View)]
    assert len(views) == len(POSES)
    for view, pose in zip(views, POSES, strict=True):
        found, truth = scene.depth(view), _truth(pose)
        height_mm = apply(pose, scene.rays().points(truth).astype(np.float64))[..., 2]
        part, table = height_mm > 2.0 + STEP_MM, height_mm < 1.0
        assert np.abs(found - truth)[part & np.isfinite(found)].max() < 0.01
        assert np.isfinite(found)[part].mean() > 0.99
        assert np.isfinite(found[table]).any() != cut
