"""Scan folders of this project: <part>/test/<scan>, with truth beside them (design, section 4)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from voxgate.export.evaluation.cases import Dataset
from voxgate.export.evaluation.metrics.labelled_volume import VoxelTruth
from voxgate.runtime.common.text import one_line
from voxgate.runtime.config.settings import DEFAULTS
from voxgate.runtime.errors import ScanError, VoxGateError
from voxgate.runtime.geometry.calibration import Calibration
from voxgate.runtime.nouns import Note, View
from voxgate.runtime.scans.cell_scan import names_of
from voxgate.runtime.scans.open_scan import open_part_scan
from voxgate.runtime.scans.part_files import CALIBRATION, CAMERAS, PARENTS, calibration_file
from voxgate.runtime.scans.placed import lost_frames, placed
from voxgate.runtime.sync.synchronizer import Synchronizer
from voxgate.runtime.volume.grid import GridSpec

FRAMES = "frames.jsonl"
OF_CAMERAS = f"{CAMERAS}/*/{FRAMES}"
FILES = "[!.]*.mcap"
PLACES = ("*/test/", "test/", "")


@dataclass(frozen=True, slots=True)
class ScanCase:
    """One recorded scan. Only `truth` and `defect_types` open what a runtime may not read.

    The truth of x.mcap lies beside it: x.surface.npz, x.gt.npz, x.truth.json.
    """

    source: Path
    part: str

    @property
    def name(self) -> str:
        """part/scan."""
        return f"{self.part}/{self.source.name}"

    def calibrations(self) -> dict[str, Calibration]:
        """Of each camera; of the scan, or above it."""
        return open_part_scan(self.source).calibrations

    def grid(self) -> GridSpec:
        """The ground truth's. Raises ScanError when the part has none."""
        grid = open_part_scan(self.source).grid
        if grid is None:
            raise ScanError(f"{self.source}: no grid.json beside it: what are the truth's voxels?")
        return grid

    def arrivals(self) -> Iterator[View | Note]:
        """Replayed as `voxgate inspect` does."""
        scan = open_part_scan(self.source)
        yield from lost_frames(scan)
        yield from placed(scan, Synchronizer(scan.calibrations, DEFAULTS.max_gap_ns))

    def truth(self) -> VoxelTruth:
        """surface.npz and, of a bad part, gt.npz."""
        surface = _array(_beside(self.source, "surface.npz"), "ijk").astype(np.int32)
        marked = _beside(self.source, "gt.npz")
        if not marked.exists():
            return VoxelTruth(surface, np.zeros((0, 3), np.int32), np.zeros(0, np.int16))
        ids = _array(marked, "defect_id").astype(np.int16)
        return VoxelTruth(surface, _array(marked, "ijk").astype(np.int32), ids)

    def defect_types(self) -> dict[int, str]:
        """What each defect id is, if truth.json says."""
        path = _beside(self.source, "truth.json")
        if not path.exists():
            return {}
        defects = json.loads(path.read_text("utf-8")).get("defects", [])
        return {int(defect["id"]): str(defect["type"]) for defect in defects}


def recognises(folder: Path) -> bool:
    """A part, a folder of parts, a folder of scans, or one scan."""
    names = (f"*/{FRAMES}", FRAMES, FILES, f"*/{OF_CAMERAS}", OF_CAMERAS)
    patterns = [f"{place}{name}" for place in PLACES for name in names]
    return any(next(folder.glob(pattern), None) is not None for pattern in patterns)


def read(folder: Path) -> Dataset:
    """Every scan under test/, else every scan in the folder, else the folder itself."""
    cases, missing, broken = [], [], []
    for scan in _scans(folder):
        if not _beside(scan, "surface.npz").exists():
            missing.append(f"{scan}: no surface.npz, so nothing says what is true of it")
            continue
        try:
            cases.append(ScanCase(scan, _part(scan)))
        except VoxGateError as error:
            broken.append(one_line(error, most=None))
    return Dataset(folder, "scans", "volume", tuple(cases), tuple(missing), tuple(broken))


def _scans(folder: Path) -> list[Path]:
    for place in PLACES:
        found = {path.parent for path in folder.glob(f"{place}*/{FRAMES}")}
        found |= {path.parents[2] for path in folder.glob(f"{place}*/{OF_CAMERAS}")}
        if found := {*found, *folder.glob(f"{place}{FILES}")}:
            return sorted(found)
    alone = next(folder.glob(OF_CAMERAS), folder / FRAMES).is_file()
    return [folder] if alone else []


def _beside(scan: Path, name: str) -> Path:
    """A file of the truth: in a scan's folder, beside a scan's file."""
    return scan / name if scan.is_dir() else scan.with_name(f"{scan.stem}.{name}")


def _part(scan: Path) -> str:
    """The part's name, from the nearest calibration; read once per file, not per scan."""
    if scan.is_file():
        return next(iter(open_part_scan(scan).calibrations.values())).part
    if names := names_of(scan):
        return _calibrated_part(calibration_file(scan / CAMERAS / names[0]))
    places = [scan, *scan.resolve().parents[:PARENTS]]
    found = next((place / CALIBRATION for place in places if (place / CALIBRATION).is_file()), None)
    if found is None:
        raise ScanError(f"{scan}: no {CALIBRATION} here or above: copy the part's whole folder")
    return _calibrated_part(found)


@lru_cache(maxsize=256)
def _calibrated_part(path: Path) -> str:
    return Calibration.load(path).part


def _array(path: Path, name: str) -> npt.NDArray[np.generic]:
    try:
        with np.load(path, allow_pickle=False) as file:
            return np.asarray(file[name])
    except (OSError, KeyError, ValueError) as error:
        raise ScanError(f"{path}: no array {name} here ({error}): copy the scan again") from error
