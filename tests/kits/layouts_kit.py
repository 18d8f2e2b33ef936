"""Tiny folders in every published layout."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

CAMERA = {
    "image_size": {"width": 32, "height": 24},
    "K": [[40.0, 0, 15.5], [0, 40.0, 11.5], [0, 0, 1]],
    "distortion": [0.0] * 5,
}


def write_tiff(path: Path, planes: npt.NDArray[np.float32]) -> None:
    """A float32 TIFF (h, w, 3) as the format's specification has it, x first; no library's idea of
    the order of channels."""
    height, width, channels = planes.shape
    data = planes.astype("<f4").tobytes()
    extra = struct.pack("<3H", 32, 32, 32) + struct.pack("<3H", 3, 3, 3)
    start = 8 + len(data)
    tags = [
        (256, 4, 1, width),
        (257, 4, 1, height),
        (258, 3, 3, start),
        (259, 3, 1, 1),
        (262, 3, 1, 2),
        (273, 4, 1, 8),
        (277, 3, 1, channels),
        (278, 4, 1, height),
        (279, 4, 1, len(data)),
        (339, 3, 3, start + 6),
    ]
    entries = b"".join(struct.pack("<HHII", *tag) for tag in tags)
    directory = struct.pack("<H", len(tags)) + entries + struct.pack("<I", 0)
    path.parent.mkdir(parents=True, exist_ok=True)
    header = struct.pack("<2sHI", b"II", 42, start + len(extra))
    path.write_bytes(header + data + extra + directory)


def write_image(path: Path, image: npt.NDArray[Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), image)


def organised(
    shape: tuple[int, int] = (24, 32), distance_m: float = 0.4
) -> npt.NDArray[np.float32]:
    """Points (h, w, 3), metres, of a plane with a step as CAMERA sees it; no return in a corner."""
    v, u = np.mgrid[: shape[0], : shape[1]]
    z = np.full(shape, distance_m)
    z[8:16, 10:20] -= 0.02
    points = np.stack([(u - 15.5) / 40 * z, (v - 11.5) / 40 * z, z], axis=-1).astype(np.float32)
    points[:3, :3] = 0
    return points


def write_mvtec3d(folder: Path, part: str = "bagel") -> Path:
    """Two good and one bad test sample, one training and one validation sample."""
    rng = np.random.default_rng(0)
    for place in ("train/good", "validation/good", "test/good", "test/hole"):
        for number in range(2 if place == "test/good" else 1):
            name = f"{number:03d}"
            root = folder / part / place
            write_tiff(root / "xyz" / f"{name}.tiff", organised())
            write_image(root / "rgb" / f"{name}.png", rng.integers(0, 256, (24, 32, 3), np.uint8))
            mask = np.zeros((24, 32), np.uint8)
            if place == "test/hole":
                mask[9:12, 11:15] = 255
            write_image(root / "gt" / f"{name}.png", mask)
    return folder


def write_mad(folder: Path, part: str = "01Gorilla") -> Path:
    """One good and one bad picture of an object on white."""
    image = np.full((24, 32, 3), 255, np.uint8)
    image[6:18, 8:24] = (40, 90, 160)
    for place in ("train/good", "test/good", "test/Burrs"):
        write_image(folder / part / place / "0.png", image)
    mask = np.zeros((24, 32), np.uint8)
    mask[8:11, 10:14] = 255
    write_image(folder / part / "ground_truth" / "Burrs" / "0_mask.png", mask)
    (folder / part / "transforms.json").write_text("{}")
    return folder


def write_scenes(folder: Path) -> Path:
    """Two scenes of three objects, the first with an odd one; a split that tests both."""
    for scene, files in (
        ("cup_1-001", ("a.blend", "a-crack-1.blend", "a.blend")),
        ("cup_2-001", ("b.blend",) * 3),
    ):
        objects = [
            {"path": f"somewhere/else-where/{name}", "bbox": [[float(n), 0, 0.5], [1.0, 0.5, 1.0]]}
            for n, name in enumerate(files)
        ]
        write_image(folder / scene / "RGB" / "0000.png", np.zeros((4, 4, 3), np.uint8))
        (folder / scene / "scene3d.metadata.json").write_text(json.dumps({"objects": objects}))
    (folder / "toys-split.json").write_text(
        json.dumps({"train": ["cup_9-001"], "unseen-test": ["cup_1-001", "cup_2-001"]})
    )
    return folder


def write_sim3d(folder: Path, part: str = "container") -> Path:
    """A real and a synthetic training instance, a good and a bad test instance, two views each."""
    root = folder / part
    for name in (f"{part}_real", f"{part}_synth", "good_01", "bad_01"):
        _write_instance(root / name, synth=name.endswith("_synth"))
    ids = np.zeros((20, 16, 30), np.int16)
    ids[8:10, 8:10, 10:12] = 1
    np.save(root / "bad_01" / "gt.npy", ids)
    (root / "camera.json").write_text(json.dumps(CAMERA))
    grid = {"origin_mm": [-20.0, -16.0, 370.0], "shape": [20, 16, 30], "voxel_mm": 2.0}
    (root / "grid.json").write_text(json.dumps(grid))
    return folder


def _write_instance(folder: Path, synth: bool) -> None:
    depth = organised()[..., 2] * 1000
    depth[depth == 0] = np.inf
    image = np.tile(np.arange(32, dtype=np.uint8) * 4, (24, 1))
    kind = "RGB" if synth else "rgb"
    for view in range(2):
        write_image(folder / kind / f"{view:02d}_2.png", image)
        place, end = ("DEPTH", "_depth") if synth else ("depth", "")
        (folder / place).mkdir(exist_ok=True)
        np.save(folder / place / f"{view:02d}{end}.npy", depth.astype(np.float32))
    shifted = np.eye(4)
    shifted[0, 3] = 2.0
    (folder / "poses.json").write_text(
        json.dumps({"views": [np.eye(4).tolist(), shifted.tolist()]})
    )
