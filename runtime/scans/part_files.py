"""What lies beside the scans of one part: calibration.json and, where it has one, grid.json."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from voxgate.runtime.common.strict_json import parse_object
from voxgate.runtime.errors import ScanError
from voxgate.runtime.volume.grid import GridSpec

CALIBRATION = "calibration.json"
GRID = "grid.json"
CAMERAS = "cameras"
"""Folder in which each of several cameras has one of its own."""
CAMERAS_FILE = "cameras.json"
"""Their names."""
PARENTS = 3  # how far above a scan its part's files may lie
MAX_VOXELS = 1 << 20  # along one axis


@dataclass(frozen=True, slots=True)
class PartFiles:
    """The files as text. cameras: calibration of each, by name, where there are several; the first
    one's is `calibration`."""

    calibration: str
    grid: str | None = None
    cameras: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def beside(cls, calibration: Path) -> PartFiles:
        """The file itself and the grid in its folder. Raises OSError."""
        grid = calibration.with_name(GRID)
        return cls(
            calibration.read_text("utf-8"), grid.read_text("utf-8") if grid.is_file() else None
        )

    @classmethod
    def of(cls, calibrations: Mapping[str, Path]) -> PartFiles:
        """Of a cell's cameras by name, the grid beside the first one's. Raises OSError."""
        first = cls.beside(next(iter(calibrations.values())))
        if len(calibrations) == 1:
            return first
        return replace(
            first, cameras={name: file.read_text("utf-8") for name, file in calibrations.items()}
        )


def above(folder: Path, name: str) -> Path:
    """`name` in `folder` or up to 3 folders above; in `folder` when there is none."""
    start = folder.resolve()
    places = [start, *start.parents][: PARENTS + 1]
    found = (place / name for place in places if (place / name).is_file())
    return next(found, folder / name)


def calibration_file(folder: Path) -> Path:
    """Of a scan; of one of several cameras never another's, also where it lies further above."""
    if folder.parent.name != CAMERAS or (folder / CALIBRATION).is_file():
        return above(folder, CALIBRATION)
    return above(folder.parent.parent, f"{CAMERAS}/{folder.name}/{CALIBRATION}")


def poses_file(folder: Path, name: str) -> Path:
    """Of a scan; several cameras share one robot."""
    shared = folder.parent.name == CAMERAS and not (folder / name).is_file()
    return folder.parent.parent / name if shared else folder / name


def grid_of(path: Path) -> GridSpec | None:
    """The voxel grid beside the calibration; None when the part has none."""
    try:
        return grid_from_text(path.read_text("utf-8"), path)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ScanError(f"{path}: cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise ScanError(f"{path}: {error}") from error


def grid_from_text(text: str, path: Path) -> GridSpec:
    """The text of a grid.json; `path` is what a message names. Raises ScanError."""
    try:
        fields = parse_object(text)
        shape = fields.numbers("shape", (3,))
        if (shape != shape.round()).any() or not ((shape >= 1) & (shape <= MAX_VOXELS)).all():
            raise ValueError(f"shape must be 3 whole numbers from 1 to {MAX_VOXELS}")
        x, y, z = fields.numbers("origin_mm", (3,)).tolist()
        nx, ny, nz = shape.astype(int).tolist()
        return GridSpec((x, y, z), (nx, ny, nz), fields.number("voxel_mm", 1e-3, 1e3))
    except ValueError as error:
        raise ScanError(f"{path}: {error}") from error
