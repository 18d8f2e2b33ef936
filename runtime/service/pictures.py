"""What the cameras see, small and seldom, for people who look; no verdict waits for it.

Nothing is done while nobody subscribes. A picture waits while a verdict is being made, and of those
that wait only the newest of each camera is kept. The socket is not the verdicts': who reads too
slowly there loses pictures.
"""

from __future__ import annotations

import base64

import numpy as np
import numpy.typing as npt

from voxgate.runtime.common.timings import NS_PER_MS
from voxgate.runtime.nouns import Device, Frame, Picture
from voxgate.runtime.service.doors import Sockets
from voxgate.runtime.wire.published import LARGEST_PICTURE_PX, PictureMessage, picture_topic

PERIOD_NS = 500 * NS_PER_MS  # of one camera
LOOK_NS = 250 * NS_PER_MS  # how often it is asked whether somebody subscribes


class Pictures:
    """Of one cell."""

    def __init__(self, cell: str, sockets: Sockets) -> None:
        self._topic = picture_topic(cell)
        self._sockets = sockets
        self._is_looked_at = False
        self._look_ns = 0
        self._due_ns: dict[str, int] = {}
        self._waiting: dict[str, Frame] = {}

    def seen(self, frame: Frame, now_ns: int) -> None:
        """A frame has come; most are passed over."""
        if not self._is_looked_at or frame.device is not Device.CAMERA:
            return
        if now_ns >= self._due_ns.get(frame.camera, 0):
            self._waiting[frame.camera] = frame

    def tick(self, now_ns: int, is_deciding: bool) -> None:
        """Publish one that waits, unless a verdict is being made."""
        if now_ns >= self._look_ns:
            self._look_ns = now_ns + LOOK_NS
            self._is_looked_at = self._sockets.is_looked_at(self._topic)
            if not self._is_looked_at:
                self._waiting.clear()
        if not self._waiting or is_deciding:
            return
        name, frame = self._waiting.popitem()
        self._due_ns[name] = now_ns + PERIOD_NS
        self._sockets.show(self._topic, picture_message(frame).to_json())


def picture_message(frame: Frame) -> PictureMessage:
    """The frame's picture, every so manieth pixel of it: a preview is not worth a filter's time."""
    pixels = _thinned(frame.image)
    height_px, width_px = pixels.shape[:2]
    return PictureMessage(
        camera=frame.camera,
        frame_id=frame.frame_id,
        t_host_ns=frame.t_arrival_ns,
        width_px=width_px,
        height_px=height_px,
        channels=3 if pixels.ndim == 3 else 1,
        pixels=base64.b64encode(pixels.tobytes()).decode(),
    )


def _thinned(picture: Picture) -> npt.NDArray[np.uint8]:
    step = -(-max(picture.shape[:2]) // LARGEST_PICTURE_PX)
    return np.ascontiguousarray(picture[::step, ::step])
