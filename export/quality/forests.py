"""The three classifiers of SegAD's supplement (A.1), grown by XGBoost, taken apart for the box."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import numpy.typing as npt

from voxgate.runtime.errors import EngineError
from voxgate.runtime.recipe.classifier.forest import LEAF, Forest

ROUNDS = {"brf": 10, "rf": 1, "bt": 2000}
TREES = {"brf": 200, "rf": 2000, "bt": 1}
RATE = {"brf": 0.3, "rf": 1.0, "bt": 0.3}
FOREST_KINDS = tuple(ROUNDS)
SAMPLING = 0.6
DEPTH = 5
L1 = 1.0
SEED = 5
PARITY = 1e-6
PARITY_ROWS = 64

Rows = npt.NDArray[np.float32]
Labels = npt.NDArray[np.bool_]


def grown(rows: Rows, bad: Labels, kind: str = "brf") -> Any:
    """An XGBoost booster. rows (n, features) float32, NaN where a zone was not seen; bad (n,).

    brf: boosted random forest, 10 rounds of 200 trees; rf: 2000 trees in one round; bt: 2000 rounds
    of one tree. Depth 5, rows, columns per tree and per node sampled to 0.6 (bt: per tree all), L1
    of 1, `binary:logitraw`; all bad parts together weigh as much as the good ones, whatever their
    numbers (`scale_pos_weight`). Source: SegAD supplement, A.1, and its published code. Raises
    EngineError without xgboost, or with parts of one kind only.
    """
    try:
        import xgboost
    except ImportError as error:
        raise EngineError(f"{error}; type: pip install 'voxgate[scorer]'") from error
    if bad.all() or not bad.any():
        raise EngineError(
            f"a classifier needs good and bad parts, got {bad.sum()} bad of {len(bad)}"
        )
    parameters = {
        "objective": "binary:logitraw",
        "eta": RATE[kind],
        "max_depth": DEPTH,
        "num_parallel_tree": TREES[kind],
        "subsample": SAMPLING,
        "colsample_bytree": 1.0 if kind == "bt" else SAMPLING,
        "colsample_bynode": SAMPLING,
        "alpha": L1,
        "scale_pos_weight": float((~bad).sum() / bad.sum()),
        "seed": SEED,
        "nthread": 1,  # the same forest on every machine
        "verbosity": 0,
    }
    return xgboost.train(
        parameters, xgboost.DMatrix(rows, label=bad.astype(np.float32)), ROUNDS[kind]
    )


def read_booster(booster: Any) -> Forest:
    """The booster's trees as arrays, held against its own prediction on random rows.

    Raises EngineError when a margin differs by more than 1e-6.
    """
    model = json.loads(bytes(booster.save_raw("json")))["learner"]
    trees = model["gradient_booster"]["model"]["trees"]
    told = model["learner_model_param"]
    # a number, or a list of one, by version; `binary:logitraw` starts its sum from it
    base = float(np.ravel(json.loads(told["base_score"]))[0])
    forest = _joined(trees, int(told["num_feature"]), base)
    _hold_against(forest, booster)
    return forest


def _joined(trees: list[dict[str, Any]], features: int, base: float) -> Forest:
    counts = [len(tree["left_children"]) for tree in trees]
    roots = np.concatenate([[0], np.cumsum(counts)[:-1]]).astype(np.int32)
    left, right, feature, value, missing = (
        np.concatenate([np.asarray(tree[name]) for tree in trees])
        for name in (
            "left_children",
            "right_children",
            "split_indices",
            "split_conditions",
            "default_left",
        )
    )
    offset = np.repeat(roots, counts)
    leaf = left == LEAF
    return Forest(
        feature=np.where(leaf, LEAF, feature).astype(np.int32),
        value=value.astype(np.float32),
        yes=np.where(leaf, 0, left + offset).astype(np.int32),
        no=np.where(leaf, 0, right + offset).astype(np.int32),
        missing_yes=missing.astype(np.bool_),
        roots=roots,
        base=base,
        features=features,
    )


def margins(booster: Any, rows: Rows) -> npt.NDArray[np.float64]:
    """(n,) what the library itself says of rows (n, features), before it becomes a chance."""
    import xgboost

    told = booster.predict(xgboost.DMatrix(rows), output_margin=True)
    return np.asarray(told, np.float64)


def _hold_against(forest: Forest, booster: Any) -> None:
    rng = np.random.default_rng(SEED)
    rows = rng.normal(0, 3, (PARITY_ROWS, forest.features)).astype(np.float32)
    worst = float(np.abs(margins(booster, rows) - [forest.margin(row) for row in rows]).max())
    if not worst <= PARITY:
        raise EngineError(
            f"the forest is off by {worst:.2g} from XGBoost, at most {PARITY} is allowed"
        )
