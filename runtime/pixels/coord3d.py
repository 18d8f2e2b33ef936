"""Organised 3D components of any vendor -> depth in mm, NaN where there was no return.

Formats are those of the PFNC (`Coord3D_ABC32f`, `Coord3D_C16`, ...); scale, offset and the marks of
an invalid pixel are those of SFNC 2.7, chapter 3D Scan Control. In a calibrated grid C is z of the
camera and depth; in a disparity image z = focal * baseline / disparity.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from voxgate.runtime.pixels.packing import lines_of_values, packing_of

Plane = npt.NDArray[np.float32] | npt.NDArray[np.uint16] | npt.NDArray[np.uint8]
"""(h, w) raw values of one coordinate, float32 or unsigned integers, as the sensor sent them."""
FloatImage = npt.NDArray[np.float32]

_FORMAT = re.compile(r"Coord3D_(A|B|C|ABC|AC)(8|16|32f|10p|12p)(_Planar)?")
_CONFIDENCE = re.compile(r"Confidence(1|1p|8|16|32f)")

# no disparity is a division by zero, and a sensor's NaN may be a signalling one: both become NaN
_QUIET = np.errstate(all="ignore")
_LARGEST = 1e9  # mm, or counts: beyond any sensor, far inside float32


@dataclass(frozen=True, slots=True)
class Coordinate:
    """One axis: value = raw * scale + offset; `invalid` is the raw value that means "no return"."""

    scale: float = 1.0
    offset: float = 0.0
    invalid: float | None = None

    def __post_init__(self) -> None:
        if not 1 / _LARGEST < abs(self.scale) < _LARGEST or not abs(self.offset) < _LARGEST:
            raise ValueError(
                f"a coordinate needs a finite scale other than 0 and a finite offset, "
                f"got {self.scale} and {self.offset}"
            )


@dataclass(frozen=True, slots=True)
class Stereo:
    """What turns a disparity in pixels into a depth: focal length and baseline."""

    focal_px: float
    baseline: float  # in the unit that Coord3dModel.unit_mm gives in mm

    def __post_init__(self) -> None:
        if not (self.focal_px > 0 and self.baseline > 0):
            raise ValueError(
                f"focal length and baseline must be positive, got {self.focal_px} px "
                f"and {self.baseline}"
            )


@dataclass(frozen=True, slots=True)
class Coord3dModel:
    """How to read one sensor's 3D components.

    zero_is_invalid: 0 in every delivered coordinate is "no return" (blaze, rc_visard, Gocator); the
        cautious default, because the standard advises sensors against NaN.
    stereo: set when C is a disparity.
    min_confidence: raw confidence below this is "no return"; 1 refuses what the sensor gave 0.
    """

    a: Coordinate = Coordinate()
    b: Coordinate = Coordinate()
    c: Coordinate = Coordinate()
    unit_mm: float = 1.0
    zero_is_invalid: bool = True
    stereo: Stereo | None = None
    min_confidence: float = 1.0

    def __post_init__(self) -> None:
        if not (np.isfinite(self.unit_mm) and self.unit_mm > 0):
            raise ValueError(f"the length unit in mm must be positive, got {self.unit_mm}")


def is_coordinate_format(pixel_format: str) -> bool:
    """True for a PFNC name that `planes_from_bytes` reads."""
    return _FORMAT.fullmatch(pixel_format) is not None


def is_confidence_format(pixel_format: str) -> bool:
    """True for a PFNC name that `confidence_from_bytes` reads."""
    return _CONFIDENCE.fullmatch(pixel_format) is not None


def planes_from_bytes(
    pixel_format: str, data: npt.NDArray[np.uint8], width: int, height: int, padding: int = 0
) -> dict[str, Plane]:
    """Raw planes {"A": (h, w), ...} of one part, still in the sensor's own counts.

    `data` is the part's bytes, uint8 (n,), `padding` bytes after each line; bytes behind them are
    ignored. Raises ValueError for a format this cannot read or for too few bytes.
    """
    match = _FORMAT.fullmatch(pixel_format)
    if match is None:
        raise ValueError(f"{pixel_format} is not an organised Coord3D format that can be read")
    letters, packing, planar = match.group(1), packing_of(match.group(2)), match.group(3)
    count, lines = (1, len(letters)) if planar else (len(letters), 1)
    values = lines_of_values(pixel_format, packing, data, width * count, height * lines, padding)
    if planar:
        planes = values.reshape(len(letters), height, width)
        return {letter: planes[i] for i, letter in enumerate(letters)}
    pixels = values.reshape(height, width, len(letters))
    return {letter: pixels[:, :, i] for i, letter in enumerate(letters)}


def confidence_from_bytes(
    pixel_format: str, data: npt.NDArray[np.uint8], width: int, height: int, padding: int = 0
) -> Plane:
    """Raw confidence (h, w) of Confidence1, 1p, 8, 16 or 32f; raises ValueError otherwise."""
    match = _CONFIDENCE.fullmatch(pixel_format)
    if match is None:
        raise ValueError(f"{pixel_format} is not a confidence format that can be read")
    packing = packing_of(match.group(1))
    plane: Plane = lines_of_values(pixel_format, packing, data, width, height, padding)
    return plane


@_QUIET
def depth_mm_from_planes(
    planes: Mapping[str, Plane], model: Coord3dModel, confidence: Plane | None = None
) -> FloatImage:
    """z in mm, (h, w) float32 above 0, NaN where the sensor had no return.

    Raises ValueError without a C plane or when shapes differ.
    """
    if "C" not in planes:
        raise ValueError(f"depth needs coordinate C, got {sorted(planes)}")
    valid = _valid(planes, model, confidence)
    z_mm = _z_mm(planes["C"], model)
    # nothing that is measured lies at the sensor or behind it, whatever x and y say
    z_mm[~(valid & np.isfinite(z_mm) & (z_mm > 0))] = np.nan
    return z_mm


def _scaled(raw: Plane, axis: Coordinate) -> FloatImage:
    scaled: FloatImage = raw.astype(np.float32)
    scaled *= np.float32(axis.scale)
    scaled += np.float32(axis.offset)
    return scaled


def _z_mm(raw: Plane, model: Coord3dModel) -> FloatImage:
    z_mm = _scaled(raw, model.c)
    if model.stereo is None:
        z_mm *= np.float32(model.unit_mm)
        return z_mm
    scale = np.float32(model.stereo.focal_px * model.stereo.baseline * model.unit_mm)
    np.divide(scale, z_mm, out=z_mm)
    return z_mm


def _valid(
    planes: Mapping[str, Plane], model: Coord3dModel, confidence: Plane | None
) -> npt.NDArray[np.bool_]:
    _check_shapes(planes, confidence)
    first = next(iter(planes.values()))
    valid = np.full(first.shape, not model.zero_is_invalid, dtype=np.bool_)
    if model.zero_is_invalid:
        for raw in planes.values():
            valid |= raw != 0  # NaN too; refused below
    for letter, axis in (("A", model.a), ("B", model.b), ("C", model.c)):
        if letter not in planes:
            continue
        raw = planes[letter]
        if raw.dtype.kind == "f":
            valid &= np.isfinite(raw)
        if axis.invalid is not None:
            # the sensor compares in the plane's own type: -9999.9 is a float32 on the wire
            valid &= raw != np.float32(axis.invalid)
    if model.stereo is not None:
        valid &= _scaled(planes["C"], model.c) > 0
    if confidence is not None:
        valid &= confidence >= model.min_confidence
    return valid


def _check_shapes(planes: Mapping[str, Plane], confidence: Plane | None) -> None:
    arrays = {**planes, **({} if confidence is None else {"confidence": confidence})}
    if not planes or len({array.shape for array in arrays.values()}) > 1:
        shapes = {name: array.shape for name, array in arrays.items()}
        raise ValueError(f"3D components must share one shape, got {shapes or 'none'}")
