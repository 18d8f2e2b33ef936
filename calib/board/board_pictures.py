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
from voxgate.calib.board.exif import UPRIGHT, orientation
from voxgate.calib.board.repeats import Repeat, first_of
from voxgate.calib.board.sightings import Sighting, Sightings
from voxgate.calib.board.why_blank import LOOKED_AT, why_blank
from voxgate.runtime.common.text import natural
from voxgate.runtime.errors import CalibrationError
from voxgate.runtime.nouns import GreyImage

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".pgm")
MAX_BYTES = 256 << 20
MAX_PICTURES = 5000

OnProgress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, eq=False)
class BoardPictures:
    """found: where the board was seen; blank: names of pictures without it; repeats: pictures that
    show again what another one shows, and count with it; why_none: where found is empty.

    digest: sha256 over all pictures' bytes, in the order of their names.
    """

    size_px: tuple[int, int]
    names: tuple[str, ...]
    found: tuple[Sighting, ...]
    blank: tuple[str, ...]
    repeats: tuple[Repeat, ...]
    digest: str
    why_none: str | None = None

    @property
    def sightings(self) -> Sightings:
        """All in one stack. Raises CalibrationError when the board is on no picture."""
        if not self.found:
            asked = "does the description file belong to it, and is it sharp, lit and whole?"
            raise CalibrationError(
                f"the board is on none of the {len(self.blank)} pictures: {self.why_none or asked}"
            )
        return Sightings.stack(self.found)


def list_pictures(folder: Path) -> list[Path]:
    """Picture files of a folder, in natural order of names. Raises CalibrationError for none."""
    if folder.is_file():
        raise CalibrationError(f"{folder}: is a file; name the folder of the pictures")
    if not folder.is_dir():
        raise CalibrationError(f"{folder}: no such folder of pictures")
    files = sorted(
        # a name that begins with a dot is what macOS leaves beside a file
        (f for f in folder.iterdir() if f.suffix.lower() in SUFFIXES and f.name[0] != "."),
        key=lambda file: natural(file.name),
    )
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
    if orientation(content) != UPRIGHT:
        raise CalibrationError(
            f"{file}: its EXIF says that it is shown turned (orientation {orientation(content)}), "
            "and the box gets pictures as the sensor reads them: save all of them without EXIF, as "
            "the sensor reads them"
        )
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
    search = _Search(board)
    for done, file in enumerate(files, start=1):
        search.take(file)
        on_progress(done, len(files))
    return search.result(tuple(file.name for file in files))


class _Search:
    """What was found so far."""

    def __init__(self, board: Board) -> None:
        self._board = board
        self._found: list[Sighting] = []
        self._blank: list[str] = []
        self._blank_pictures: list[GreyImage] = []
        self._repeats: list[Repeat] = []
        self._name_of: dict[bytes, str] = {}
        self._size: tuple[tuple[int, int], str] | None = None
        self._digest = hashlib.sha256()

    def take(self, file: Path) -> None:
        """Look at one more picture."""
        grey, content = read_grey(file)
        size_px = self._checked_size(grey, file.name)
        self._digest.update(content)
        first = self._name_of.setdefault(hashlib.sha256(grey.tobytes()).digest(), file.name)
        if first != file.name:
            self._repeats.append(Repeat(file.name, first))
            return
        sighting = find_board(grey, self._board, file.name)
        if sighting is None:
            self._blank.append(file.name)
            self._blank_pictures += [grey] if len(self._blank) <= LOOKED_AT else []
        elif (of := first_of(sighting, self._found, size_px)) is not None:
            self._repeats.append(Repeat(file.name, of))
        else:
            self._found.append(sighting)

    def result(self, names: tuple[str, ...]) -> BoardPictures:
        """After all of them."""
        assert self._size is not None  # a folder has pictures, or it was refused
        return BoardPictures(
            self._size[0],
            names,
            tuple(self._found),
            tuple(self._blank),
            tuple(self._repeats),
            self._digest.hexdigest(),
            None if self._found else why_blank(self._blank_pictures, self._board),
        )

    def _checked_size(self, grey: GreyImage, name: str) -> tuple[int, int]:
        size_px = (grey.shape[1], grey.shape[0])
        if self._size is None:
            self._size = (size_px, name)
        (width, height), first = self._size
        if size_px != (width, height):
            raise CalibrationError(
                f"pictures differ in size: {first} has {width} x {height} px and "
                f"{name} has {size_px[0]} x {size_px[1]} px"
            )
        return size_px
