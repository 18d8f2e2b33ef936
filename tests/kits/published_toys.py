"""Made-up scenes as ToysAD-8K has them: RGB/, masks/ and scene3d.metadata.json, in metres.

Three parts of one type and one of another, which is the odd one.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from tests.kits.tray_of_parts import PART, Box, Part, Tray, regular, write
from voxgate.runtime.scenes.open_scene import open_scene
from voxgate.runtime.transforms import invert

OTHER = (Box((0, 0, 20), (28, 24, 20)),)
"""A block: no plate, no tower."""
LEAST_HEIGHT_MM = 1.0
TYPES = {"plate.blend": PART, "block-odd.blend": OTHER}


def write_published(folder: Path, seed: int, views: int, parts: int = 4) -> Path:
    """One scene."""
    rng = np.random.default_rng(seed)
    odd = int(rng.integers(parts))
    names = ["block-odd.blend" if n == odd else "plate.blend" for n in range(parts)]
    placed = [
        Part(
            part.x + rng.uniform(-10, 10),
            part.y + rng.uniform(-10, 10),
            rng.uniform(0, 360),
            TYPES[name],
        )
        for part, name in zip(regular(parts), names, strict=True)
    ]
    scene = open_scene(write(Tray(placed, views=views, seed=seed), folder / "as-scene"))
    for name in ("RGB", "masks"):
        (folder / name).mkdir()
    rays, poses = scene.rays(), []
    for view in scene.views:
        pose = view.world_from_camera
        world = rays.points(view.depth_mm) @ pose[:3, :3].T + pose[:3, 3]
        mask = np.where(world[..., 2] > LEAST_HEIGHT_MM, 255, 0).astype(np.uint8)
        _png(folder / "RGB" / f"{view.number:04d}.png", np.stack([view.image] * 3, axis=-1))
        _png(folder / "masks" / f"{view.number:04d}.png", mask)
        camera_from_world = invert(pose)
        camera_from_world[:3, 3] /= 1000
        poses.append({"rotation": camera_from_world.tolist()})
    said = {
        "camera": {"K": scene.camera_matrix.tolist(), "poses": poses},
        "objects": [_object(part, name) for part, name in zip(placed, names, strict=True)],
    }
    (folder / "scene3d.metadata.json").write_text(json.dumps(said))
    return folder


def write_split(folder: Path, scenes: dict[str, int], views: int) -> Path:
    """So many scenes of each part, and the split that says so."""
    split: dict[str, list[str]] = {}
    seed = 0
    for part, count in scenes.items():
        for number in range(count):
            seed += 1
            name = f"{part}{number}"
            write_published(folder / name, seed, views)
            split.setdefault(part, []).append(name)
    (folder / "toys-split.json").write_text(json.dumps(split))
    return folder


def _object(part: Part, name: str) -> dict[str, Any]:
    low = np.min([np.subtract(box.centre, box.half) for box in part.boxes], axis=0)
    high = np.max([np.add(box.centre, box.half) for box in part.boxes], axis=0)
    pose = part.world_from_part()
    centre = pose[:3, :3] @ ((low + high) / 2) + pose[:3, 3]
    extent = high - low
    return {
        "name": name,
        "path": name,
        "rotation_matrix": pose.tolist(),
        "bbox": [(centre / 1000).tolist(), (extent / 1000).tolist()],
    }


def _png(path: Path, pixels: Any) -> None:
    done, content = cv2.imencode(".png", pixels)
    assert done
    path.write_bytes(content.tobytes())
