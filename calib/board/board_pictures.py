"""Pictures of a board from a folder, and what was found on them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from voxgate.calib.board.board import Board
from voxgate.calib.board.detect import find_board
from voxgate.calib.board.sightings import Sighting, Sightings
from voxgate.runtime.errors import CalibrationError
from voxgate.runtime.nouns import GreyImage

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".pgm")
MAX_BYTES = 256 << 20
MAX_PICTURES = 5000

OnProgress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, eq=False)
class BoardPictures:
    """found: where the board was seen; blank: names of pictures without it.

    digest: sha256 over all pictures' bytes, in the order of their names.
    """

    size_px: tuple[int, int]
    names: tuple[str, ...]
    found: tuple[Sighting, ...]
    blank: tuple[str, ...]
    digest: str

    @property
    def sightings(self) -> Sightings:
        """All in one stack. Raises CalibrationError when the board is on no picture."""
        if not self.found:
            raise CalibrationError(
                f"the board is on none of the {len(self.blank)} pictures: does the description "
                "file belong to it, and is it sharp, lit and whole?"
            )
        return Sightings.stack(self.found)


def list_pictures(folder: Path) -> list[Path]:
    """Picture files of a folder by name. Raises CalibrationError when there is none."""
    if folder.is_file():
        raise CalibrationError(f"{folder}: is a file; name the folder of the pictures")
    if not folder.is_dir():
        raise CalibrationError(f"{folder}: no such folder of pictures")
    files = sorted(file for file in folder.iterdir() if file.suffix.lower() in SUFFIXES)
    if not files:
        raise CalibrationError(f"{folder}: no pictures here ({', '.join(SUFFIXES)})")
    if len(files) > MAX_PICTURES:
        raise CalibrationError(f"{folder}: more than {MAX_PICTURES} pictures")
    return files


def read_grey(file: Path) -> tuple[GreyImage, bytes]:
    """A picture as grey levels, and its bytes. Raises CalibrationError."""
    try:
        with file.open("rb") as opened:
            content = opened.read(MAX_BYTES + 1)
    except OSError as error:
        raise CalibrationError(f"{file}: cannot be read ({error.strerror})") from error
    if len(content) > MAX_BYTES:
        raise CalibrationError(f"{file}: larger than {MAX_BYTES} bytes")
    try:
        flags = cv2.IMREAD_GRAYSCALE | cv2.IMREAD_IGNORE_ORIENTATION
        grey = cv2.imdecode(np.frombuffer(content, np.uint8), flags)
    except cv2.error:
        grey = None
    if grey is None:
        raise CalibrationError(f"{file}: not a picture that can be decoded")
    return np.asarray(grey, np.uint8), content


def find_in_pictures(
    files: Sequence[Path], board: Board, on_progress: OnProgress = lambda done, of: None
) -> BoardPictures:
    """Look for the board in every picture. Raises CalibrationError, also when sizes differ."""
    found: list[Sighting] = []
    blank: list[str] = []
    sizes: dict[tuple[int, int], str] = {}
    digest = hashlib.sha256()
    for done, file in enumerate(files, start=1):
        grey, content = read_grey(file)
        sizes.setdefault((grey.shape[1], grey.shape[0]), file.name)
        if len(sizes) > 1:
            raise CalibrationError(
                "pictures differ in size: "
                + " and ".join(f"{name} has {w} x {h} px" for (w, h), name in sizes.items())
            )
        digest.update(content)
        sighting = find_board(grey, board, file.name)
        if sighting is None:
            blank.append(file.name)
        else:
            found.append(sighting)
        on_progress(done, len(files))
    names = tuple(file.name for file in files)
    return BoardPictures(next(iter(sizes)), names, tuple(found), tuple(blank), digest.hexdigest())
