"""What a classifier is told of a zone is what SegAD's published code tells it, by scipy's words."""

from __future__ import annotations

import numpy as np
from scipy.stats import kurtosis, skew

from voxgate.runtime.common.crew import Crew
from voxgate.runtime.recipe.classifier.zone_statistics import feature_names, features
from voxgate.runtime.recipe.zones import Zones
from voxgate.runtime.volume.grid import GridSpec
from voxgate.runtime.volume.lift import lift_points
from voxgate.runtime.volume.volume import Volume


def test_a_zones_statistics_are_others_than_published() -> None:
    volume = Volume(GridSpec((0.0, 0.0, 0.0), (8, 8, 8), 1.0))
    points = np.argwhere(np.ones((8, 8, 8))) + np.float32(0.5)
    score = np.random.default_rng(4).exponential(0.2, len(points)).astype(np.float32)
    with Crew(1) as crew:
        lift_points(volume, points, score, 0, crew)
    zones = Zones.whole()
    (zone,) = zones.names
    row = dict(
        zip(
            feature_names(("model",), zones),
            features({"model": volume}, zones, np.eye(4)),
            strict=True,
        )
    )
    want = {
        f"model/{zone}/q99.5": np.quantile(score.astype(float), 0.995),
        f"model/{zone}/skew": skew(score.astype(float)),
        f"model/{zone}/kurtosis": kurtosis(score.astype(float)),
        f"model/{zone}/mean": score.mean(),
        "model/max": score.max(),
    }
    assert set(row) == set(want)
    for name, value in want.items():
        assert np.isclose(row[name], value, rtol=1e-5), name
