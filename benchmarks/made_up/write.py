"""Made-up parts as scans of the public layout, on the cameras and robot of a public part type."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from voxgate.benchmarks.limits.photo import Array, Lens
from voxgate.benchmarks.made_up.part_types import PartType, another
from voxgate.benchmarks.made_up.render import Camera, Instance, Seen, measure, noisy_depth, picture
from voxgate.benchmarks.made_up.solids import off_surface_mm

GOOD = 4
VOXEL_MM = 2.0
ORIGIN_MM = (-110.0, -80.0, -10.0)
SHAPE = (110, 80, 55)
CHANGED_MM = 0.12  # off the good surface, as the public truth counts
GONE_MM = VOXEL_MM  # what is now so near has moved, and is wrong where it stands
SURE_HITS = 2
JPEG_QUALITY = 95


@dataclass(frozen=True, slots=True, eq=False)
class Like:
    """The public part type whose cameras, robot and clocks the scans have."""

    folder: Path

    @property
    def scans(self) -> list[Path]:
        """The golden one first."""
        return [self.folder / "golden", *sorted((self.folder / "test").iterdir())]


def write_type(kind: PartType, like: Like, out: Path, seed: int) -> Path:
    """`out`/<name> with golden/ and test/; returns it. What is there already stays as it is."""
    folder = out / kind.name
    (folder / "test").mkdir(parents=True, exist_ok=True)
    known = json.loads((like.folder / "calibration.json").read_text("utf-8"))
    (folder / "calibration.json").write_text(json.dumps({**known, "part": kind.name}))
    grid = {"frame": "part", "origin_mm": ORIGIN_MM, "shape": SHAPE, "voxel_mm": VOXEL_MM}
    (folder / "grid.json").write_text(json.dumps(grid))
    labels = ["golden", *["good"] * GOOD, *kind.bad]
    for number, (label, scan) in enumerate(zip(labels, like.scans, strict=False)):
        place = folder / ("golden" if label == "golden" else f"test/t{number:02d}")
        if (place / "truth.json").is_file():  # the last of its files
            continue
        rng = np.random.default_rng((seed, number))
        good = another(kind, rng)
        bad = kind.bad[label](good) if label in kind.bad else None
        _write_scan(place, scan, known, good, bad, label, rng)
    return folder


def _write_scan(
    place: Path,
    scan: Path,
    known: dict[str, Any],
    good: Instance,
    bad: Instance | None,
    label: str,
    rng: np.random.Generator,
) -> None:
    for kind in ("images", "depth"):
        (place / kind).mkdir(parents=True, exist_ok=True)
    shutil.copy(scan / "robot_poses.jsonl", place)
    truth = json.loads((scan / "truth.json").read_text("utf-8"))
    rows = [json.loads(row) for row in (scan / "frames.jsonl").read_text("utf-8").splitlines()]
    lens = Lens(np.array(known["K"]), np.array(known["distortion"]))
    size = known["image_size"]
    surface, defect = [], []
    part = bad or good
    for row in rows:
        pose = np.array(truth["T_part_cam"][row["view"]])
        camera = Camera(lens, (size["height"], size["width"]), pose)
        seen = measure(part, camera)
        _write_frame(place, row, picture(part, camera, rng), noisy_depth(seen, rng), known)
        surface.append(seen.points_mm[seen.on_part & np.isfinite(seen.depth_mm)])
        if bad is not None:
            defect += _wrong(good, bad, measure(good, camera), seen)
    (place / "frames.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    np.savez(place / "surface.npz", ijk=_voxels(surface))
    if bad is not None:
        ijk = _voxels(defect)
        np.savez(place / "gt.npz", ijk=ijk, defect_id=np.ones(len(ijk), np.int16))
    _write_truth(place, truth, label, bad is not None)


def _write_frame(
    place: Path,
    row: dict[str, Any],
    grey: npt.NDArray[np.uint8],
    depth_mm: Array,
    known: dict[str, Any],
) -> None:
    row["image"], row["depth"] = f"images/{row['view']:02d}.jpg", f"depth/{row['view']:02d}.png"
    quality = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
    cv2.imwrite(str(place / row["image"]), grey, quality)
    counts = np.nan_to_num(np.rint(depth_mm / known["units"]["depth_unit_mm"]))
    cv2.imwrite(str(place / row["depth"]), counts.astype(np.uint16))


def _write_truth(place: Path, truth: dict[str, Any], label: str, bad: bool) -> None:
    defects = [{"id": 1, "type": label}] if bad else []
    kept = {"T_part_cam": truth["T_part_cam"], "label": "anomalous" if bad else "nominal"}
    (place / "truth.json").write_text(json.dumps({**kept, "defects": defects}))


def _wrong(good: Instance, bad: Instance, was: Seen, now: Seen) -> list[Array]:
    """Points (n, 3) of what is there and lies off the good surface or is marked, and of good
    surface that has gone: nothing of the part is near it any more."""
    here, there = now.on_part & np.isfinite(now.depth_mm), was.on_part & np.isfinite(was.depth_mm)
    seen, expected = now.points_mm[here], was.points_mm[there]
    off = np.abs(off_surface_mm(_in_instance(seen, good), good.solids))
    gone = off_surface_mm(_in_instance(expected, bad), bad.solids) > GONE_MM
    return [seen[(off > CHANGED_MM) | now.marked[here]], expected[gone]]


def _in_instance(points: Array, part: Instance) -> Array:
    """Points (n, 3) of the part frame in the frame of its solids."""
    if part.part_from_instance is None:
        return points
    pose = part.part_from_instance
    return np.asarray((points - pose[:3, 3]) @ pose[:3, :3])


def _voxels(points: list[Array]) -> npt.NDArray[np.int32]:
    every = np.concatenate(points) if points else np.zeros((0, 3))
    ijk = np.floor((every - ORIGIN_MM) / VOXEL_MM).astype(np.int32)
    inside = ((ijk >= 0) & (ijk < SHAPE)).all(axis=1)
    found, hits = np.unique(ijk[inside], axis=0, return_counts=True)
    return found[hits >= SURE_HITS]
