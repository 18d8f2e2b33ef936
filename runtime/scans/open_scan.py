"""A recorded scan, whatever it lies in: a folder, or one .mcap file."""

from __future__ import annotations

from pathlib import Path

from voxgate.runtime.errors import ScanError
from voxgate.runtime.scans.cell_scan import CellScan, names_of, read_cell_scan
from voxgate.runtime.scans.folder import read_folder
from voxgate.runtime.scans.job_as_scan import part_scan_of, scan_of
from voxgate.runtime.scans.job_reader import read_job
from voxgate.runtime.scans.part_files import CAMERAS
from voxgate.runtime.scans.scan import Scan


def open_scan(path: Path, calibration: Path | None = None) -> Scan:
    """Read and check it; a folder's calibration may lie up to 3 folders above.

    Raises ScanError or CalibrationError: one line with file, line, key, value; a scan of several
    cameras is none of one.
    """
    if path.is_file():
        return scan_of(read_job(path), path, calibration)
    if not path.is_dir():
        raise ScanError(
            f"{path}: no such folder or file; a scan is a folder with frames.jsonl, or an "
            ".mcap file"
        )
    if names := names_of(path):
        raise ScanError(
            f"{path}: of the cameras {', '.join(names)}; name one: {path / CAMERAS / names[0]}"
        )
    return read_folder(path, calibration)


def open_part_scan(path: Path, calibration: Path | None = None) -> Scan | CellScan:
    """As `open_scan`, also of several cameras; calibration: of one.

    Raises ScanError or CalibrationError.
    """
    if path.is_file():
        return part_scan_of(read_job(path), path, calibration)
    names = names_of(path) if path.is_dir() else ()
    if not names:
        return open_scan(path, calibration)
    if calibration is not None:
        raise ScanError(
            f"{path}: of the cameras {', '.join(names)}, each with a calibration.json of its own: "
            "--calibration is of one"
        )
    return read_cell_scan(path, names)
