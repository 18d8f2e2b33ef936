"""A recorded scan, whatever it lies in: a folder, or one .mcap file."""

from __future__ import annotations

from pathlib import Path

from voxgate.runtime.errors import ScanError
from voxgate.runtime.scans.folder import read_folder
from voxgate.runtime.scans.job_as_scan import scan_of
from voxgate.runtime.scans.job_reader import read_job
from voxgate.runtime.scans.scan import Scan


def open_scan(path: Path, calibration: Path | None = None) -> Scan:
    """Read and check it; a folder's calibration may lie up to 3 folders above.

    Raises ScanError or CalibrationError: one line with file, line, key, value.
    """
    if path.is_file():
        return scan_of(read_job(path), path, calibration)
    if not path.is_dir():
        raise ScanError(
            f"{path}: no such folder or file; a scan is a folder with frames.jsonl, or an "
            ".mcap file"
        )
    return read_folder(path, calibration)
