"""What the graph must call the same, and what it must not."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
import onnxruntime
import pytest

from voxgate.export.golden.disturbance import disturbed
from voxgate.export.reference.filter_bank import FULL_SCALE, filter_bank

SIZE_PX = (98, 125)  # no multiple of anything
GREY = 110
Picture = npt.NDArray[np.uint8]


@pytest.fixture(scope="module")
def score() -> Score:
    return Score(filter_bank(SIZE_PX, FULL_SCALE).SerializeToString())


class Score:
    """The graph as a function of pictures (h, w)."""

    def __init__(self, model: bytes) -> None:
        self._session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])

    def __call__(
        self, image: Picture, golden: Picture, gloss: Picture | None = None
    ) -> npt.NDArray[np.float32]:
        planes = {"image": image, "reference": golden, "gloss": np.zeros_like(image)}
        if gloss is not None:
            planes["gloss"] = gloss
        (found,) = self._session.run(None, {n: p[None, None] for n, p in planes.items()})
        assert found.shape == (1, 1, *image.shape)
        return np.asarray(found[0, 0], np.float32)


def _flat(grey: int = GREY) -> Picture:
    return np.full(SIZE_PX, grey, np.uint8)


def _part(seed: int = 1) -> Picture:
    """A picture with faces, edges and a fine texture."""
    rng = np.random.default_rng(seed)
    picture = np.full(SIZE_PX, 90.0)
    picture[20:70, 30:90] = 140
    picture[45:55] += 25
    fine = cv2.GaussianBlur(rng.normal(0, 8, SIZE_PX), (0, 0), 1.5)
    soft = cv2.GaussianBlur(picture, (0, 0), 1.0)
    return np.clip(np.asarray(soft) + np.asarray(fine), 0, 255).astype(np.uint8)


def _marked(picture: Picture, grey: int, radius_px: int) -> Picture:
    v, u = np.mgrid[: SIZE_PX[0], : SIZE_PX[1]]
    inside = np.hypot(u - 60, v - 60) <= radius_px
    return np.asarray(np.clip(picture.astype(np.int16) + grey * inside, 0, 255), np.uint8)


def test_the_golden_picture_itself_scores_zero(score: Score) -> None:
    assert score(_part(), _part()).max() == 0


@pytest.mark.parametrize("seed", range(3))
def test_other_light_and_noise_is_no_defect(score: Score, seed: int) -> None:
    again = disturbed(_part(), np.random.default_rng(seed))
    assert score(again, _part()).max() < 1


@pytest.mark.parametrize("light", [0.8, 1.25])
def test_another_lamp_is_a_mark_where_print_meets_paint_or_the_part_ends(
    score: Score, light: float
) -> None:
    """The camera's tone curve is a square root; off the part the golden picture is the other."""
    golden = _part()
    lit = np.rint(np.clip(golden * np.sqrt(light), 0, 255)).astype(np.uint8)
    off_part = np.s_[:, 95:]
    golden[off_part] = lit[off_part]
    assert score(lit, golden).max() < 0.2


def test_what_brighter_light_makes_white_is_taken_for_its_light(score: Score) -> None:
    """A camera whose tone curve is straight: a polished pipe over a sandblasted plate, and beside
    the part the golden picture is the other."""
    golden = _part()
    golden[30:65, 20:60] = 230
    lit = np.rint(np.clip(golden * 1.25, 0, 255)).astype(np.uint8)
    off_part = np.s_[:, 85:]
    golden[off_part] = lit[off_part]
    assert score(lit, golden).max() < 0.5


def test_light_that_falls_across_the_picture_is_a_mark(score: Score) -> None:
    across = np.sqrt(np.linspace(0.8, 1.2, SIZE_PX[1]))
    lit = np.rint(np.clip(_part() * across, 0, 255)).astype(np.uint8)
    assert score(lit, _part()).max() < 0.7


def test_a_mark_is_taken_for_the_light_on_a_picture_that_agrees_exactly_elsewhere(
    score: Score,
) -> None:
    assert score(_marked(_part(), -60, 3), _part())[60, 60] > 1


@pytest.mark.parametrize(
    ("rows", "columns"),
    [((48, 49), (40, 64)), ((40, 64), (48, 49)), ((48, 50), (48, 50))],
    ids=["along", "across", "spot"],
)
def test_a_scratch_of_a_pixel_or_a_spot_of_two_is_an_edge_that_shimmers(
    score: Score, rows: tuple[int, int], columns: tuple[int, int]
) -> None:
    marked = _flat()
    marked[slice(*rows), slice(*columns)] += 40
    assert score(marked, _flat())[48, 48] > 1.2


@pytest.mark.parametrize("shift_px", [0.25, 0.5])
def test_half_a_pixel_of_misplacement_is_no_defect(score: Score, shift_px: float) -> None:
    move = np.array([[1, 0, shift_px], [0, 1, shift_px]], np.float32)
    shifted = cv2.warpAffine(_part(), move, SIZE_PX[::-1], borderMode=cv2.BORDER_REPLICATE)
    assert score(np.asarray(shifted, np.uint8), _part()).max() < 1


def test_a_texture_of_another_phase_is_no_defect(score: Score) -> None:
    assert score(_part(seed=2), _part(seed=1)).max() < 1


@pytest.mark.parametrize(
    ("grey", "radius_px"), [(-30, 2), (+30, 2), (-15, 6), (-15, 10), (+15, 10)]
)
def test_a_mark_is_a_defect(score: Score, grey: int, radius_px: int) -> None:
    found = score(_marked(_flat(), grey, radius_px), _flat())
    assert found[60, 60] > 1
    assert found[20, 20] < 1


def _barred(shift_px: float) -> Picture:
    """A code of bars of 2.4 px on paper."""
    across = np.arange(SIZE_PX[1] * 8) / 8 + shift_px
    black = np.random.default_rng(7).random(200)[(across / 2.4).astype(int)] > 0.5
    row = np.where(black, 50.0, 220.0).reshape(-1, 8).mean(axis=1)
    picture = np.full(SIZE_PX, 130.0)
    picture[30:80, 20:105] = row[20:105]
    soft = cv2.GaussianBlur(picture, (0, 0), 0.7)
    return np.rint(np.asarray(soft)).astype(np.uint8)


def _stained(picture: Picture) -> Picture:
    """Paint over 7 mm takes 60 % of the light away."""
    v, u = np.mgrid[: SIZE_PX[0], : SIZE_PX[1]]
    light = np.where(np.hypot(u - 60, v - 55) <= 7, np.sqrt(0.4), 1.0)
    return np.rint(picture * light).astype(np.uint8)


def test_a_stain_on_bars_is_taken_for_bars_that_lie_elsewhere(score: Score) -> None:
    stained = score(_stained(_barred(0.6)), _barred(0.0))
    assert stained[50:61, 55:66].max() > 1
    assert score(_barred(0.6), _barred(0.0)).max() < 0.8


def test_a_single_hot_pixel_is_no_defect(score: Score) -> None:
    hot = _flat()
    hot[40, 40] = 160
    assert score(hot, _flat()).max() < 1


def test_a_highlight_that_moves_on_metal_is_no_defect(score: Score) -> None:
    moved, metal = _marked(_flat(), 40, 6), np.full(SIZE_PX, 80, np.uint8)
    assert score(moved, _flat()).max() > 1
    assert score(moved, _flat(), gloss=metal).max() < 1


def test_black_against_white_is_finite(score: Score) -> None:
    found = score(_flat(0), _flat(255))
    assert np.isfinite(found).all()


def test_the_border_is_no_defect(score: Score) -> None:
    assert score(disturbed(_flat(), np.random.default_rng(0)), _flat()).max() < 1


def test_full_scale_is_the_score_1() -> None:
    image, golden = _marked(_flat(), -20, 4), _flat()
    models = [filter_bank(SIZE_PX, scale).SerializeToString() for scale in (3.0, 6.0)]
    half, full = (Score(model)(image, golden) for model in models)
    np.testing.assert_allclose(half, 2 * full, rtol=1e-5)


def _grained(seed: int, even_px: int = 0) -> Picture:
    """A grain of some 12 px on all of a face, but for an even place in its middle."""
    grain = cv2.GaussianBlur(np.random.default_rng(seed).normal(0, 1, SIZE_PX), (0, 0), 2.5)
    v, u = np.mgrid[: SIZE_PX[0], : SIZE_PX[1]]
    uneven = np.clip(np.hypot(u - 60, v - 50) / max(even_px, 1) - 1, 0, 1)
    return np.asarray(np.rint(GREY + 6 * uneven * grain / grain.std()), np.uint8)


@pytest.mark.parametrize("seed", range(2, 5))
def test_grain_is_a_mark_where_the_golden_part_happens_to_be_even(score: Score, seed: int) -> None:
    found = score(_grained(seed), _grained(1, even_px=8))
    assert found[42:58, 52:68].max() < 1


def test_print_and_edges_around_an_even_place_are_taken_for_its_grain(score: Score) -> None:
    """A faint spot of 4 px scores as it does on an empty sheet."""
    drawn = _flat()
    drawn[:, :40] -= 60
    drawn[78:82, 86:90] = 40
    alone = score(_marked(_flat(), -14, 2), _flat())[60, 60]
    assert score(_marked(drawn, -14, 2), drawn)[60, 60] > 0.95 * alone


def test_the_grain_of_the_table_is_taken_for_the_parts(score: Score) -> None:
    """Off the part the golden picture is the other."""
    golden = _flat()
    golden[:, 75:] = _grained(1)[:, 75:]
    alone = score(_marked(_flat(), -14, 2), _flat())[60, 60]
    assert score(_marked(golden, -14, 2), golden)[60, 60] > 0.95 * alone
