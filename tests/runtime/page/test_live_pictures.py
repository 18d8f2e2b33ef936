"""Live pictures: asked for only while somebody looks, and never older than they look."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from queue import Queue

import cv2
import numpy as np
import pytest

from tests.kits.cell_kit import until
from voxgate.runtime.errors import ConfigError, ScanError
from voxgate.runtime.page.upkeep.live_pictures import KEEP_S, LivePictures
from voxgate.runtime.wire.published import PictureMessage

NOTHING = None
RED = (200, 10, 10)


def picture(number: int, **changes: object) -> PictureMessage:
    """Two rows of three red pixels."""
    pixels = np.full((2, 3, 3), RED, np.uint8)
    said = {"camera": "cam0", "frame_id": number, "t_host_ns": 1, "channels": 3}
    size = {"width_px": 3, "height_px": 2}
    coded = {"pixels": base64.b64encode(pixels.tobytes()).decode()}
    return PictureMessage.model_validate({**said, **size, **coded, **changes})


class Heard:
    """What the box would say, and how often somebody began to listen to it."""

    def __init__(self) -> None:
        self.said: Queue[PictureMessage | None] = Queue()
        self.began = self.ended = 0
        self.now_s = 100.0

    def look(self) -> Iterator[PictureMessage | None]:
        self.began += 1
        return self._all()

    def _all(self) -> Iterator[PictureMessage | None]:
        try:
            while True:
                yield self.said.get()
        finally:
            self.ended += 1


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
def live(heard: Heard) -> LivePictures:
    return LivePictures(heard.look, lambda: heard.now_s)


def _seen(live: LivePictures, number: int) -> list[dict[str, object]]:
    return until(lambda: [e for e in live.ages() if e["number"] == number], f"picture {number}")


def test_the_box_is_asked_before_anybody_looks_or_after(heard: Heard, live: LivePictures) -> None:
    assert heard.began == 0
    live.ages()
    live.ages()
    heard.said.put(picture(1))
    _seen(live, 1)
    assert heard.began == 1
    heard.now_s += KEEP_S + 1
    heard.said.put(NOTHING)
    until(lambda: heard.ended == 1, "the end of the listening")
    until(
        lambda: live.ages() == [] and heard.began == 2, "to be looked for again, without old ones"
    )
    heard.said.put(picture(2))
    _seen(live, 2)


def test_a_picture_is_wrong_or_looks_new_for_ever(heard: Heard, live: LivePictures) -> None:
    live.ages()
    heard.said.put(picture(1))
    assert _seen(live, 1) == [{"camera": "cam0", "number": 1, "age_s": 0.0}]
    shown = cv2.imdecode(np.frombuffer(live.jpeg("cam0"), np.uint8), cv2.IMREAD_COLOR)
    assert shown is not None
    assert shown.shape == (2, 3, 3)
    np.testing.assert_allclose(shown[0, 0], RED[::-1], atol=12)
    heard.now_s += 4.0
    assert live.ages() == [{"camera": "cam0", "number": 1, "age_s": 4.0}]


def test_the_newest_picture_is_not_the_one_that_is_shown(heard: Heard, live: LivePictures) -> None:
    live.ages()
    for number in range(3):
        heard.said.put(picture(number))
    _seen(live, 2)
    first = live.jpeg("cam0")
    grey = base64.b64encode(bytes(6)).decode()
    heard.said.put(picture(3, channels=1, pixels=grey))
    _seen(live, 3)
    assert live.jpeg("cam0") != first


@pytest.mark.parametrize("changes", [{"pixels": ""}, {"pixels": "!"}, {"height_px": 3}])
def test_pixels_that_do_not_fit_are_a_traceback(
    heard: Heard, live: LivePictures, changes: dict[str, object]
) -> None:
    live.ages()
    heard.said.put(picture(1, **changes))
    _seen(live, 1)
    with pytest.raises(ScanError, match="not understood"):
        live.jpeg("cam0")


def test_a_camera_that_there_is_not_is_a_traceback(live: LivePictures) -> None:
    with pytest.raises(ScanError, match="no picture"):
        live.jpeg("../cam0")


def test_a_cell_without_pictures_is_listened_to_for_ever() -> None:
    def look() -> Iterator[PictureMessage | None]:
        raise ConfigError("the cell publishes no pictures")

    live = LivePictures(look)
    for _ in range(2):
        with pytest.raises(ConfigError, match="no pictures"):
            live.ages()
