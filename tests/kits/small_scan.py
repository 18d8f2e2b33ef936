"""The example scans at a quarter of their size: the same parts, in a sixteenth of the time; or at
another fraction of it.

With VOXGATE_PICTURES=whole, as at night, `small_bracket` gives the example itself instead.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from functools import cache, partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from tests.kits.once import once
from tests.kits.repository import BRACKET, ROOT

FACTOR = 4
SCANS = ("golden", "good", "bad")
SAME_SURFACE_COUNTS = 40  # 2 mm
WHOLE = os.environ.get("VOXGATE_PICTURES") == "whole"


@cache
def small_bracket() -> Path:
    """Folder of golden, good, bad, only to be read; in out/ until this file or the example change.

    Beside each scan lies its truth.
    """
    return BRACKET if WHOLE else once(ROOT / "out" / "scans" / _key() / "bracket", _with_truth)


@cache
def half_bracket() -> Path:
    """The same at half the example's size."""
    return once(ROOT / "out" / "scans" / _key() / "half", partial(write_small_scans, factor=2))


def px(first: int, end: int) -> slice:
    """Where `small_bracket` has the rows or columns that the example's pictures have there."""
    return slice(first, end) if WHOLE else slice(first // FACTOR, end // FACTOR)


def _key() -> str:
    files = [Path(__file__), *sorted(file for file in BRACKET.rglob("*") if file.is_file())]
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.name.encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()[:12]


def _with_truth(folder: Path) -> None:
    write_small_scans(folder)
    for scan in SCANS:
        for name in ("surface.npz", "gt.npz", "truth.json"):
            if (BRACKET / scan / name).exists():
                shutil.copy(BRACKET / scan / name, folder / scan)


def write_small_scans(folder: Path, factor: int = FACTOR) -> Path:
    """`folder`/golden, good, bad with a calibration of their own; returns `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    calibration = json.loads((BRACKET / "calibration.json").read_text())
    (folder / "calibration.json").write_text(json.dumps(_shrunk(calibration, factor)))
    shutil.copy(BRACKET / "grid.json", folder)
    for name in SCANS:
        _shrink_scan(BRACKET / name, folder / name, factor)
    return folder


def _shrink_scan(scan: Path, out: Path, factor: int) -> None:
    for kind in ("images", "depth"):
        (out / kind).mkdir(parents=True)
    for name in ("frames.jsonl", "robot_poses.jsonl"):
        shutil.copy(scan / name, out)
    for file in sorted((scan / "images").iterdir()):
        grey = np.asarray(cv2.imread(str(file), cv2.IMREAD_GRAYSCALE))
        height, width = grey.shape
        size = (width // factor, height // factor)
        cv2.imwrite(
            str(out / "images" / file.name), cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
        )
    for file in sorted((scan / "depth").iterdir()):
        counts = np.asarray(cv2.imread(str(file), cv2.IMREAD_UNCHANGED))
        cv2.imwrite(str(out / "depth" / file.name), _one_of_each_block(counts, factor))


def _one_of_each_block(counts: npt.NDArray[Any], factor: int) -> npt.NDArray[Any]:
    """At each block's centre: the mean of the four pixels there if they are one surface.

    A mean across an edge would be no surface; one pixel alone lies half a pixel beside the centre,
    0.25 mm, which shows as a camera that was moved.
    """
    low = factor // 2 - 1
    four = np.stack(
        [counts[y::factor, x::factor] for y in (low, low + 1) for x in (low, low + 1)]
    ).astype(np.int64)
    one_surface = (four.min(axis=0) > 0) & (np.ptp(four, axis=0) < SAME_SURFACE_COUNTS)
    return np.asarray(np.where(one_surface, np.rint(four.mean(axis=0)), four[3]), counts.dtype)


def _shrunk(value: Any, factor: int) -> Any:
    """Every camera matrix and size in the calibration, whatever it is nested in."""
    if not isinstance(value, dict):
        return value
    found = {key: _shrunk(inner, factor) for key, inner in value.items()}
    if "K" in found:
        matrix = np.array(found["K"], float)
        matrix[:2] /= factor
        matrix[:2, 2] -= 0.5 - 0.5 / factor  # pixel (0, 0) is the centre of a larger pixel now
        found["K"] = matrix.tolist()
    for key in ("width", "height"):
        if key in found:
            found[key] = int(found[key]) // factor
    return found
