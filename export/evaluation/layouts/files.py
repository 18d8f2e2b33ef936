"""Files of published data sets: decoded, checked, named when they are not what they should be."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from voxgate.runtime.common.text import natural, one_line
from voxgate.runtime.errors import ScanError
from voxgate.runtime.nouns import Picture
from voxgate.runtime.pixels.colour import COLOURS

MAX_BYTES = 1 << 30


def read_picture(path: Path) -> Picture:
    """(h, w) uint8, or (h, w, 3) red, green, blue of a file in colour. Raises ScanError."""
    image = np.asarray(_decoded(path, cv2.IMREAD_ANYCOLOR), np.uint8)
    return image if image.ndim == 2 else np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB))


def any_image(path: Path) -> npt.NDArray[Any]:
    """As stored; channels in the file's own order (OpenCV turns three and four round)."""
    image = _decoded(path, cv2.IMREAD_UNCHANGED)
    if image.ndim == 3 and image.shape[2] in (3, 4):
        image = image[..., [2, 1, 0, *range(3, image.shape[2])]]
    return image


def mask(path: Path) -> npt.NDArray[np.bool_]:
    """(h, w) bool, where the picture is not black, be it 1 of 65535. Raises ScanError."""
    image = _decoded(path, cv2.IMREAD_UNCHANGED)
    planes = image.reshape(*image.shape[:2], -1)[..., :COLOURS]  # what is opaque says nothing
    return np.asarray((planes > 0).any(axis=2))


def array(path: Path, dimensions: int) -> npt.NDArray[Any]:
    """A .npy of so many dimensions. Raises ScanError."""
    try:
        found: npt.NDArray[Any] = np.load(path, allow_pickle=False)
    except (OSError, ValueError) as error:
        raise ScanError(f"{path}: {one_line(error, most=None)}") from error
    if not isinstance(found, np.ndarray):
        raise ScanError(f"{path}: expected one array (.npy), got several (.npz)")
    if found.ndim != dimensions:
        raise ScanError(f"{path}: expected {dimensions} dimensions, got {found.shape}")
    return found


def json_object(path: Path) -> dict[str, Any]:
    """A JSON object. Raises ScanError."""
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ScanError(f"{path}: {one_line(error, most=None)}") from error
    if not isinstance(found, dict):
        raise ScanError(f"{path}: expected a JSON object")
    return found


def folders(folder: Path) -> list[Path]:
    """Its folders, by name."""
    return sorted(path for path in folder.iterdir() if path.is_dir() and path.name[0] != ".")


def files(folder: Path, *suffixes: str) -> list[Path]:
    """Its files that end so, in the order in which a person counts; [] without the folder."""
    if not folder.is_dir():
        return []
    found = [path for path in folder.iterdir() if path.suffix.lower() in suffixes]
    return sorted(found, key=lambda path: natural(path.name))


def named(folder: Path, stem: str, *suffixes: str) -> Path | None:
    """Its file of that name, with one of these ends in small letters or in capitals."""
    ends = [end for suffix in suffixes for end in (suffix, suffix.upper())]
    return next((place for end in ends if (place := folder / f"{stem}{end}").exists()), None)


def _decoded(path: Path, how: int) -> npt.NDArray[Any]:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ScanError(f"{path}: larger than {MAX_BYTES} bytes")
        content = np.frombuffer(path.read_bytes(), np.uint8)
    except OSError as error:
        raise ScanError(f"{path}: {error.strerror}") from error
    image = cv2.imdecode(content, how) if content.size else None
    if image is None:
        raise ScanError(f"{path}: not a picture that OpenCV reads: download it again")
    return np.asarray(image)
