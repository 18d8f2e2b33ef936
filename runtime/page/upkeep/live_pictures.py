"""What the cameras see now. Nobody at the box hears of it while nobody looks here."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from threading import Lock, Thread

import numpy as np

from voxgate.runtime.errors import ScanError
from voxgate.runtime.nouns import Picture
from voxgate.runtime.report.view_picture import in_bgr, jpeg
from voxgate.runtime.wire.published import PictureMessage

KEEP_S = 5.0  # without anybody who asks, the box is asked no longer


@dataclass(slots=True)
class _Seen:
    """The newest of one camera. jpeg: once somebody has asked for it."""

    picture: PictureMessage
    heard_s: float
    jpeg: bytes | None = None


class LivePictures:
    """Of one cell; several threads may ask. look: hears what the cameras see, without end."""

    def __init__(
        self,
        look: Callable[[], Iterator[PictureMessage | None]],
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._look = look
        self._now_s = now_s
        self._lock = Lock()
        self._asked_s = -KEEP_S
        self._looks = False
        self._seen: dict[str, _Seen] = {}

    def ages(self) -> list[dict[str, object]]:
        """Each camera's newest picture: its number, and how old it is; none at first.

        Raises ConfigError for a cell that publishes none.
        """
        with self._lock:
            self._asked_s = self._now_s()
            if not self._looks:
                heard = self._look()
                self._looks = True
                self._seen.clear()  # of the last time that somebody looked
                Thread(target=self._follow, args=(heard,), name="pictures", daemon=True).start()
            return [
                {
                    "camera": name,
                    "number": seen.picture.frame_id,
                    "age_s": round(self._now_s() - seen.heard_s, 1),
                }
                for name, seen in sorted(self._seen.items())
            ]

    def jpeg(self, camera: str) -> bytes:
        """The newest of this camera. Raises ScanError where none was seen."""
        with self._lock:
            seen = self._seen.get(camera)
            if seen is None:
                raise ScanError("no picture of such a camera was seen")
            if seen.jpeg is None:
                seen.jpeg = jpeg(in_bgr(_pixels(seen.picture)))
            return seen.jpeg

    def _follow(self, heard: Iterator[PictureMessage | None]) -> None:
        try:
            for picture in heard:
                if self._is_over(picture):
                    return
        finally:
            with self._lock:
                self._looks = False

    def _is_over(self, picture: PictureMessage | None) -> bool:
        """Take one; whether nobody has asked for a while."""
        with self._lock:
            if picture is not None:
                self._seen[picture.camera] = _Seen(picture, self._now_s())
            return self._now_s() - self._asked_s > KEEP_S


def _pixels(message: PictureMessage) -> Picture:
    """(h, w) or (h, w, 3) uint8. Raises ScanError where there are more or fewer than it says."""
    try:
        pixels = np.frombuffer(base64.b64decode(message.pixels), np.uint8)
        size = (message.height_px, message.width_px)
        return pixels.reshape(size if message.channels == 1 else (*size, message.channels))
    except ValueError as error:
        raise ScanError(f"a picture is not understood: {error}") from error
