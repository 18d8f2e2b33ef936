"""The boxes of `scene` before several cameras: on the robot, and standing in the cell."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from tests.kits import rig, scene
from voxgate.runtime.geometry.calibration import Calibration
from voxgate.runtime.geometry.rays import Rays
from voxgate.runtime.nouns import View
from voxgate.runtime.scans.posed_scan import write_scan
from voxgate.runtime.scenes.camera_alone import calibration_text
from voxgate.runtime.transforms import Transform, invert
from voxgate.runtime.volume.grid import GridSpec

EVERY_S = 1.0  # between two exposures, whichever camera's
GRID = GridSpec((-70.0, -50.0, 0.0), (70, 50, 40), 2.0)
LUMP: scene.Box = ((-5.0, -29.0, 25.0), (3.0, -21.0, 30.0))
"""A block that does not belong on the body."""


@dataclass(frozen=True)
class Camera:
    """document: its calibration.json. poses: part_from_camera of its views; when: their turns in
    the cell's time."""

    document: Mapping[str, Any]
    poses: tuple[Transform, ...]
    when: tuple[int, ...]

    @property
    def calibration(self) -> Calibration:
        return Calibration.from_text(json.dumps(self.document))


@dataclass(frozen=True)
class Cell:
    """flanges: base_from_flange at each turn of the time."""

    cameras: Mapping[str, Camera]
    flanges: tuple[Transform, ...]


def document(size_px: tuple[int, int], focal_px: float, **told: Any) -> dict[str, Any]:
    """calibration.json with a lens of its own; told: how it is mounted."""
    width_px, height_px = size_px
    matrix = np.array(
        [[focal_px, 0, width_px / 2 + 1], [0, focal_px + 1, height_px / 2 - 1], [0, 0, 1]]
    )
    found: dict[str, Any] = json.loads(
        calibration_text(
            "boxes", width_px, height_px, matrix, (-0.12, 0.09, 0.0005, -0.0004, -0.02)
        )
    )
    if "T_base_cam" in told:
        del found["T_flange_cam"]
    if "T_flange_part" in told:
        del found["T_base_part"]
    return found | told


@cache
def on_robot_and_above() -> Cell:
    """Six views by the robot's camera, and two cameras that stand beside the fixture."""
    ring = tuple(scene.camera(azimuth) for azimuth in range(0, 360, 60))
    standing = {
        "left": ((400, 300), 620.0, scene.camera(20.0, 60.0, 460.0)),
        "right": ((360, 240), 540.0, scene.camera(200.0, 55.0, 440.0)),
    }
    cameras = {"wrist": Camera(document((320, 240), 480.0), ring, tuple(range(6)))}
    for turn, (name, (size, focal, pose)) in enumerate(standing.items(), start=3):
        told = {"mounting": "eye_to_hand", "T_base_cam": pose.tolist()}
        cameras[name] = Camera(document(size, focal, **told), (pose,), (turn,))
    return Cell(cameras, ring)


@cache
def with_a_sensor() -> Cell:
    """The same, and a 3D sensor beside the robot's camera."""
    made = on_robot_and_above()
    beside = replace(made.cameras["wrist"], document=rig.document())
    return replace(made, cameras={**made.cameras, "wrist": beside})


@cache
def part_on_robot() -> Cell:
    """Two standing cameras of different lenses, before which the robot turns the part."""
    turns = tuple(_turned(angle) for angle in range(0, 360, 90))
    eyes = {
        "near": ((320, 240), 480.0, _beside(0.0, 420.0)),
        "far": ((400, 300), 700.0, _beside(35.0, 500.0)),
    }
    cameras = {}
    for name, (size, focal, eye) in eyes.items():
        told = {
            "mounting": "eye_to_hand",
            "T_base_cam": eye.tolist(),
            "T_flange_part": _held().tolist(),
        }
        poses = tuple(invert(flange @ _held()) @ eye for flange in turns)
        cameras[name] = Camera(document(size, focal, **told), poses, tuple(range(len(turns))))
    return Cell(cameras, turns)


def _held() -> Transform:
    """flange_from_part."""
    pose = np.eye(4)
    pose[:3, :3] = Rotation.from_euler("xyz", (2.0, -3.0, 25.0), degrees=True).as_matrix()
    pose[:3, 3] = (12.0, -7.0, 90.0)
    return pose


def _turned(angle_deg: float) -> Transform:
    """base_from_flange with the part upright, turned about its axis."""
    upright = np.eye(4)
    upright[:3, :3] = Rotation.from_euler("z", angle_deg, degrees=True).as_matrix()
    upright[:3, 3] = (300.0, 100.0, 250.0)
    return upright @ invert(_held())


def _beside(azimuth_deg: float, distance_mm: float) -> Transform:
    """base_from_camera that looks at where the part is turned."""
    place = np.eye(4)
    place[:3, 3] = (300.0, 100.0, 250.0)
    return place @ scene.camera(azimuth_deg, 45.0, distance_mm)


def look(
    cell: Cell,
    boxes: Sequence[scene.Box] = scene.PART,
    part_from_instance: Transform | None = None,
    seed: int = 0,
) -> dict[str, list[View]]:
    """What every camera sees of a part."""
    seen = {}
    for number, (name, camera) in enumerate(cell.cameras.items()):
        shots = (
            _shot(camera, pose, tuple(boxes), part_from_instance, seed + 100 * number + n)
            for n, pose in enumerate(camera.poses)
        )
        seen[name] = [replace(view, frame_id=n) for n, view in enumerate(shots)]
    return seen


def _shot(
    camera: Camera,
    pose: Transform,
    boxes: tuple[scene.Box, ...],
    part_from_instance: Transform | None,
    seed: int,
) -> View:
    if "sensor" in camera.document:
        return rig.look(pose, boxes, part_from_instance, seed)
    rays = Rays.from_calibration(camera.calibration)
    return scene.look(pose, boxes, part_from_instance, seed=seed, through=rays)


def write(folder: Path, cell: Cell, seen: Mapping[str, Sequence[View]]) -> Path:
    """A scan's folder, each camera's in its own."""
    for name, camera in cell.cameras.items():
        own = folder / "cameras" / name
        own.mkdir(parents=True)
        (own / "calibration.json").write_text(json.dumps(camera.document))
        if seen.get(name):
            _write_frames(own, camera, seen[name])
    (folder / "cameras.json").write_text(json.dumps({"cameras": list(cell.cameras)}))
    fields = {"origin_mm": GRID.origin_mm, "shape": GRID.shape, "voxel_mm": GRID.voxel_mm}
    (folder / "grid.json").write_text(json.dumps(fields))
    poses = [line for turn, flange in enumerate(cell.flanges) for line in _poses(turn, flange)]
    (folder / "robot_poses.jsonl").write_text("".join(poses))
    return folder


def _write_frames(own: Path, camera: Camera, views: Sequence[View]) -> None:
    draft = own.with_name(f"{own.name}.draft")
    write_scan(draft, views, json.dumps(camera.document))
    rows = [json.loads(line) for line in (draft / "frames.jsonl").read_text().splitlines()]
    for row, turn in zip(rows, camera.when, strict=False):
        later_s = turn * EVERY_S - row["frame_id"] * EVERY_S
        row["t_camera_ticks"] += round(later_s * 1e9)
        row["host_rx"] += later_s
    (own / "frames.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    for kind in ("images", "depth"):
        (draft / kind).rename(own / kind)
    shutil.rmtree(draft)


def _poses(turn: int, flange: Transform) -> list[str]:
    """As a robot at rest reports around an exposure."""
    x, y, z, w = Rotation.from_matrix(flange[:3, :3]).as_quat().tolist()
    lines = []
    for step in range(-40, 41):
        at_s = (turn + 1) * EVERY_S + step * 0.008
        pose = {"t_robot": at_s, "p": flange[:3, 3].tolist(), "q": [w, x, y, z], "host_rx": at_s}
        lines.append(json.dumps(pose) + "\n")
    return lines
