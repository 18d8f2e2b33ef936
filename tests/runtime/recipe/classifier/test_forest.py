"""Our trees against XGBoost's own prediction, to 1e-6, in the three forms of SegAD's ablation."""

from __future__ import annotations

import io
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from voxgate.export.quality.forests import FOREST_KINDS, grown, read_booster
from voxgate.runtime.recipe.classifier.forest import Forest
from voxgate.runtime.recipe.scorer import Scorer, chance, read_scorer, write_scorer

COLUMNS = 24


@lru_cache
def _booster(kind: str) -> Any:
    return grown(*_rows(0, 60), kind)


def _rows(seed: int, count: int) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
    rng = np.random.default_rng(seed)
    bad = rng.random(count) > 0.6
    rows = rng.normal(0, 1, (count, COLUMNS)) + bad[:, None] * rng.random(COLUMNS)
    rows[rng.random(rows.shape) < 0.05] = np.nan  # a zone that was not seen
    return rows.astype(np.float32), bad


@pytest.mark.slow
@pytest.mark.parametrize(
    "kind",
    [
        FOREST_KINDS[0],
        *(pytest.param(kind, marks=pytest.mark.nightly) for kind in FOREST_KINDS[1:]),
    ],
)
def test_every_margin_is_the_librarys(kind: str) -> None:
    import xgboost

    booster = _booster(kind)
    forest = read_booster(booster)
    rows, _ = _rows(1, 200)
    theirs = booster.predict(xgboost.DMatrix(rows), output_margin=True)
    ours = [forest.margin(row) for row in rows]
    assert np.abs(np.array(ours) - theirs).max() <= 1e-6
    assert np.ptp(theirs) > 0.1  # it learnt something to be compared


@pytest.mark.nightly
@pytest.mark.slow
def test_the_paper_sizes() -> None:
    sizes = {kind: len(read_booster(_booster(kind)).roots) for kind in FOREST_KINDS}
    assert sizes == {"brf": 10 * 200, "rf": 2000, "bt": 2000}


@pytest.mark.slow
def test_bad_parts_outscore_good_ones() -> None:
    forest = read_booster(_booster("brf"))
    rows, bad = _rows(2, 80)
    margins = np.array([forest.margin(row) for row in rows])
    assert margins[bad].mean() > margins[~bad].mean()


def test_a_scorer_survives_its_file() -> None:
    forest = read_booster(_booster("brf"))
    scorer = Scorer(forest, ("model",), tuple(f"c{n}" for n in range(COLUMNS)), 0.7)
    with np.load(io.BytesIO(write_scorer(scorer)), allow_pickle=False) as file:
        again = read_scorer(dict(file))
    row = _rows(3, 1)[0][0]
    assert again.forest.margin(row) == forest.margin(row)
    assert again.threshold == 0.7


def test_a_tree_that_never_ends_is_refused() -> None:
    with pytest.raises(ValueError, match="behind their parent"):
        Forest(
            feature=np.array([0, -1], np.int32),
            value=np.zeros(2, np.float32),
            yes=np.array([0, 0], np.int32),
            no=np.array([1, 0], np.int32),
            missing_yes=np.zeros(2, np.bool_),
            roots=np.array([0], np.int32),
            base=0.0,
            features=1,
        )


@pytest.mark.slow
def test_a_row_of_another_length_is_refused() -> None:
    forest = read_booster(_booster("brf"))
    with pytest.raises(ValueError, match="features"):
        forest.margin(np.zeros(3, np.float32))


def test_chance_of_a_margin() -> None:
    assert chance(0.0) == 0.5
    assert chance(1e9) == pytest.approx(1.0)
