"""A calibration board: what is printed on it, where its points are, and its description file.

Board frame, mm: x right, y down, z into the board, seen as printed. Origin: the top left corner of
the squares, or the centre of the top left dot.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from enum import Enum
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from voxgate.calib.numerics.lengths import UNITS_MM
from voxgate.runtime.common.strict_json import Fields, parse_object
from voxgate.runtime.errors import CalibrationError

SCHEMA_VERSION = 1
MAX_BYTES = 1 << 16
MAX_SIDE = 200
LEAST_PITCH_MM, MOST_PITCH_MM = 1.0, 200.0  # of what is printed and held before a robot's camera
LEAST_GAP = 0.1  # of a square, around a marker: below it the corners drown in the marker's edge

DICTIONARIES: dict[str, int] = {
    **{
        f"{bits}x{bits}_{count}": getattr(cv2.aruco, f"DICT_{bits}X{bits}_{count}")
        for bits in (4, 5, 6, 7)
        for count in (50, 100, 250, 1000)
    },
    "aruco_original": cv2.aruco.DICT_ARUCO_ORIGINAL,
    "apriltag_16h5": cv2.aruco.DICT_APRILTAG_16H5,
    "apriltag_25h9": cv2.aruco.DICT_APRILTAG_25H9,
    "apriltag_36h10": cv2.aruco.DICT_APRILTAG_36H10,
    "apriltag_36h11": cv2.aruco.DICT_APRILTAG_36H11,
}


class Kind(str, Enum):
    """What is printed."""

    CHARUCO = "charuco"
    CHEQUERBOARD = "chequerboard"
    CIRCLES = "circles"  # dots in rows and columns
    DOTS = "dots"  # every second row is shifted by half the spacing
    APRILGRID = "aprilgrid"  # Kalibr's: a tag on every place, small black squares between corners


MARKED = (Kind.CHARUCO, Kind.APRILGRID)


@dataclass(frozen=True, slots=True)
class Board:
    """One board. Raises ValueError for one that cannot be printed or told apart.

    columns, rows: of squares, or of dots (for asymmetric dots: dots per row, and rows).
    pitch_mm: side of a square, or distance between neighbouring dots (asymmetric: between rows,
    which is half the distance of two dots in a row). feature_mm: side of a marker or diameter of a
    dot, 0 for a chequerboard; of an AprilGrid pitch_mm is from tag to tag, columns and rows count
    tags. legacy: ChArUco of OpenCV before 4.6, first square a marker.
    """

    kind: Kind
    columns: int
    rows: int
    pitch_mm: float
    feature_mm: float = 0.0
    dictionary: str = ""
    legacy: bool = False

    def __post_init__(self) -> None:
        if not (3 <= self.columns <= MAX_SIDE and 3 <= self.rows <= MAX_SIDE):
            raise ValueError(
                f"a board has 3 to {MAX_SIDE} columns and rows, got {self.columns} x {self.rows}"
            )
        _check_pitch(self.pitch_mm)
        _check_feature(self)
        if self.kind in MARKED:
            _check_dictionary(self)

    @property
    def squares(self) -> bool:
        """Whether the points are corners of squares."""
        return self.kind in (Kind.CHARUCO, Kind.CHEQUERBOARD)

    @property
    def grid(self) -> tuple[int, int]:
        """Points per row and rows of points."""
        return (self.columns - 1, self.rows - 1) if self.squares else (self.columns, self.rows)

    @property
    def points_mm(self) -> npt.NDArray[np.float64]:
        """(n, 3) float64 of the board frame, row by row from the top left; z = 0."""
        if self.kind is Kind.APRILGRID:
            return _tag_corners_mm(self)
        across, down = self.grid
        row, column = (index.ravel() for index in np.mgrid[0:down, 0:across])
        if self.squares:
            x, y = column + 1, row + 1
        elif self.kind is Kind.DOTS:
            x, y = 2 * column + row % 2, row
        else:
            x, y = column, row
        points: npt.NDArray[np.float64] = np.stack([x, y, np.zeros_like(x)], axis=1) * np.float64(
            self.pitch_mm
        )
        return points

    @property
    def half_turn_ambiguous(self) -> bool:
        """Whether the board looks the same upside down, so that its pose has two answers."""
        if self.kind is Kind.CHEQUERBOARD:
            return (self.columns + self.rows) % 2 == 0
        if self.kind is Kind.DOTS:
            return self.rows % 2 == 0
        return self.kind is Kind.CIRCLES

    @classmethod
    def load(cls, path: Path) -> Board:
        """Read a description file. Raises CalibrationError (one line)."""
        try:
            content = path.read_bytes()
            if len(content) > MAX_BYTES:
                raise ValueError("too large for a board's description")
            return _from_fields(parse_object(content.decode("utf-8")))
        except FileNotFoundError as error:
            raise CalibrationError(
                f"{path}: no such file; `voxgate calib board` writes it beside the print"
            ) from error
        except (OSError, ValueError) as error:
            raise CalibrationError(f"{path}: {error}") from error

    def to_json(self) -> str:
        """The description file's text."""
        fields = {"schema_version": SCHEMA_VERSION, "unit": "mm"} | asdict(self)
        return json.dumps(fields | {"kind": self.kind.value}, indent=1) + "\n"

    def charuco(self) -> cv2.aruco.CharucoBoard:
        """OpenCV's object for a ChArUco board."""
        dictionary = cv2.aruco.getPredefinedDictionary(DICTIONARIES[self.dictionary])
        size = (self.columns, self.rows)
        board = cv2.aruco.CharucoBoard(size, self.pitch_mm, self.feature_mm, dictionary)
        board.setLegacyPattern(self.legacy)
        return board


def _tag_corners_mm(board: Board) -> npt.NDArray[np.float64]:
    """(4 n, 3), tag by tag as they are numbered, from the bottom left; of each the corners from its
    bottom left, against the clock."""
    tag = np.arange(board.columns * board.rows)
    left = (tag % board.columns) * board.pitch_mm
    top = (board.rows - 1 - tag // board.columns) * board.pitch_mm
    side = board.feature_mm
    x = np.stack([left, left + side, left + side, left], axis=1)
    y = np.stack([top + side, top + side, top, top], axis=1)
    return np.stack([x.ravel(), y.ravel(), np.zeros(x.size)], axis=1).astype(np.float64)


def _check_pitch(pitch_mm: float) -> None:
    if not 0 < pitch_mm < 1e4:
        raise ValueError(f"pitch_mm must be above 0, got {pitch_mm:g}")
    if not LEAST_PITCH_MM <= pitch_mm <= MOST_PITCH_MM:
        meant = [
            f"{pitch_mm * times:g} if {pitch_mm:g} is in {unit}"
            for unit, times in UNITS_MM.items()
            if LEAST_PITCH_MM <= pitch_mm * times <= MOST_PITCH_MM
        ]
        raise ValueError(
            f"pitch_mm {pitch_mm:g} is no board's: {LEAST_PITCH_MM:g} to {MOST_PITCH_MM:g} mm; "
            f"write {', '.join(meant) or 'what a ruler says'}, feature_mm alike"
        )


def _check_feature(board: Board) -> None:
    largest = board.pitch_mm * (1 if board.squares else 0.9)
    if board.kind is Kind.CHEQUERBOARD:
        if board.feature_mm:
            raise ValueError("a chequerboard has neither markers nor dots: feature_mm must be 0")
    elif not 0 < board.feature_mm < largest:
        what = "marker" if board.kind in MARKED else "dot"
        raise ValueError(
            f"feature_mm, the {what}'s size, must be between 0 and {largest:g} mm, "
            f"got {board.feature_mm:g}"
        )
    elif board.squares and board.feature_mm > (1 - LEAST_GAP) * board.pitch_mm:
        raise ValueError(
            f"a marker of {board.feature_mm:g} mm leaves too little white in a square of "
            f"{board.pitch_mm:g} mm: at most {(1 - LEAST_GAP) * board.pitch_mm:g}"
        )


def _check_dictionary(board: Board) -> None:
    if board.dictionary not in DICTIONARIES:
        raise ValueError(
            f"dictionary must be one of {', '.join(DICTIONARIES)}, got {board.dictionary!r}"
        )
    markers = board.columns * board.rows // (2 if board.squares else 1)
    known = cv2.aruco.getPredefinedDictionary(DICTIONARIES[board.dictionary]).bytesList.shape[0]
    if markers > known:
        raise ValueError(
            f"{board.columns} x {board.rows} {'squares' if board.squares else 'tags'} need "
            f"{markers} markers, dictionary {board.dictionary} has {known}: choose a larger one"
        )


def _from_fields(fields: Fields) -> Board:
    version = fields.integer("schema_version", 0, 1 << 31)
    if version != SCHEMA_VERSION:
        raise ValueError(f"schema_version {version} is unknown, this VoxGate reads 1")
    if fields.text("unit") != "mm":
        raise ValueError('unit must be "mm"')
    kind = fields.text("kind")
    if kind not in {each.value for each in Kind}:
        raise ValueError(f"kind must be one of {', '.join(k.value for k in Kind)}, got {kind!r}")
    charuco = kind == Kind.CHARUCO.value
    marked = kind in {each.value for each in MARKED}
    return Board(
        kind=Kind(kind),
        columns=fields.integer("columns", 0, MAX_SIDE),
        rows=fields.integer("rows", 0, MAX_SIDE),
        pitch_mm=fields.number("pitch_mm", 0, 1e4),
        feature_mm=0.0 if kind == "chequerboard" else fields.number("feature_mm", 0, 1e4),
        dictionary=fields.text("dictionary") if marked else "",
        legacy=charuco and bool(fields.values.get("legacy", False)),
    )
