"""What hue alone must show, and what of colour is only light."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
import onnxruntime
import pytest

from tests.kits.painted import BEIGE, BLUE, RED, Hue, balanced, luma_of
from voxgate.export.golden.disturbance import disturbed
from voxgate.export.reference.colour_bank import colour_bank
from voxgate.export.reference.filter_bank import FULL_SCALE

SIZE_PX = (98, 125)  # no multiple of anything
CAP = np.s_[30:50, 40:70]
Colour = npt.NDArray[np.uint8]


@pytest.fixture(scope="module")
def score() -> Score:
    return Score(colour_bank(SIZE_PX, FULL_SCALE).SerializeToString())


class Score:
    """The graph as a function of pictures (h, w, 3)."""

    def __init__(self, model: bytes) -> None:
        self._session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])

    def __call__(self, image: Colour, golden: Colour) -> npt.NDArray[np.float32]:
        planes = {
            "image": image.transpose(2, 0, 1)[None],
            "reference": golden.transpose(2, 0, 1)[None],
            "gloss": np.zeros((1, 1, *SIZE_PX), np.uint8),
        }
        (found,) = self._session.run(None, planes)
        return np.asarray(found[0, 0], np.float32)


def _part(cap: Hue = BLUE, body: Hue = BEIGE, place: tuple[slice, slice] = CAP) -> Colour:
    """Faces, edges, a fine texture, a cap of a colour of its own; luma as without colour."""
    grey = np.full(SIZE_PX, 90.0)
    grey[20:70, 30:90] = 120
    fine = cv2.GaussianBlur(np.random.default_rng(1).normal(0, 8, SIZE_PX), (0, 0), 1.5)
    grey = np.asarray(cv2.GaussianBlur(grey, (0, 0), 1.0)) + np.asarray(fine)
    hue = np.empty((*SIZE_PX, 3))
    hue[:] = body
    hue[place] = cap
    return np.asarray(np.clip(np.rint(grey[..., None] * hue), 0, 255), np.uint8)


def test_the_golden_picture_itself_scores_zero(score: Score) -> None:
    assert score(_part(), _part()).max() == 0


@pytest.mark.parametrize("seed", range(3))
def test_other_light_another_white_and_noise_are_no_defect(score: Score, seed: int) -> None:
    again = disturbed(_part(), np.random.default_rng(seed))
    assert score(again, _part()).max() < 1


@pytest.mark.parametrize("gains", [(1.06, 1.0, 0.95), (0.93, 1.0, 1.07), (1.15, 1.15, 1.15)])
def test_a_white_balance_that_drifted_is_no_defect(
    score: Score, gains: tuple[float, float, float]
) -> None:
    assert score(balanced(*gains)(_part()), _part()).max() < 0.5


@pytest.mark.parametrize("gains", [(1.0, 1.0, 1.0), (1.05, 1.0, 0.96)])
def test_a_cap_of_another_hue_and_the_same_grey_is_found(
    score: Score, gains: tuple[float, float, float]
) -> None:
    red = _part(RED)
    assert np.abs(luma_of(red) - luma_of(_part())).max() <= 1
    found = score(balanced(*gains)(red), _part())
    assert found[CAP].max() > 1
    found[CAP] = 0
    found[20:60, 30:80] = 0  # smoothing reaches
    assert found.max() < 0.5


def test_a_third_of_another_colour_does_not_pass_for_light(score: Score) -> None:
    third = np.s_[0:98, 0:42]
    found = score(_part(RED, place=third), _part(BLUE, place=third))
    assert found[10:90, 5:35].min() > 1
    assert found[:, 60:].max() < 1


def test_a_part_that_is_of_another_colour_all_over_does_not_pass_for_light(score: Score) -> None:
    assert score(_part(RED, RED), _part(BLUE, BLUE)).max() > 1


def test_a_cell_that_is_darker_and_redder_by_much_is_not_balanced_away(score: Score) -> None:
    assert score(balanced(1.5, 1.0, 0.6)(_part()), _part()).max() > 1


@pytest.mark.parametrize("levels", [-40, 40])
def test_a_grey_mark_is_found_in_colour_too(score: Score, levels: int) -> None:
    marked = _part().astype(np.int16)
    v, u = np.mgrid[: SIZE_PX[0], : SIZE_PX[1]]
    marked[np.hypot(u - 60, v - 60) <= 4] += levels
    assert score(np.asarray(np.clip(marked, 0, 255), np.uint8), _part()).max() > 1
