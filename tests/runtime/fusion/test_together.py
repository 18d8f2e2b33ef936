"""Views scored together: the word on each comes when the last is there, or not at all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from tests.kits import tiny
from tests.kits.small_scan import small_bracket
from voxgate.runtime.config.limits import Limits
from voxgate.runtime.config.settings import DEFAULTS
from voxgate.runtime.engines.engine import Tensor
from voxgate.runtime.errors import EngineError
from voxgate.runtime.inspection.inspector import Inspector
from voxgate.runtime.nouns import Outcome, Reason, Verdict, View
from voxgate.runtime.recipe.contents import Probe
from voxgate.runtime.recipe.manifest import DetectorSection, Manifest, TensorSpec
from voxgate.runtime.recipe.recipe import Detector, Recipe
from voxgate.runtime.scans.open_scan import open_scan
from voxgate.runtime.scans.placed import views_of

pytestmark = pytest.mark.slow

VIEWS, SIZE = 12, (150, 200)
FEATURE, NUMBER = (1, 1, 1, 2), (1, 1, 1, 1)
Score = npt.NDArray[np.float32]
IMAGE = TensorSpec(name="image", dtype="uint8", shape=(1, 1, *SIZE))
DEPTH = TensorSpec(name="depth_mm", dtype="float32", shape=(1, 1, *SIZE))
SEEN = TensorSpec(name="views", dtype="float32", shape=(1, VIEWS, 1, 2))
TARGET = TensorSpec(name="view", dtype="uint8", shape=NUMBER)


@dataclass
class GreyEngine:
    """Of one view its mean grey level, and -1; `spoilt` runs say something else, or raise."""

    spoilt: dict[int, float | Exception] = field(default_factory=dict)
    runs: int = 0
    backend = "grey"
    inputs = (IMAGE,)
    outputs: tuple[TensorSpec, ...] = ()

    def run(self, inputs: dict[str, Tensor]) -> Score:
        says = self.spoilt.get(self.runs, float(inputs["image"].mean()))
        self.runs += 1
        if isinstance(says, Exception):
            raise says
        return np.array([says, -1.0], np.float32).reshape(FEATURE)

    def close(self) -> None:
        """Nothing to give back."""


@dataclass
class BesideEngine:
    """Scores one view over the threshold, if any; keeps what it was asked."""

    odd: int | None = None
    asked: list[tuple[int, Score]] = field(default_factory=list)
    backend = "beside"
    inputs = (SEEN, TARGET, DEPTH)
    outputs: tuple[TensorSpec, ...] = ()

    def run(self, inputs: dict[str, Tensor]) -> Score:
        view = int(inputs["view"].reshape(()))
        assert set(inputs) == {"views", "view", "depth_mm"}
        self.asked.append((view, np.asarray(inputs["views"], np.float32)))
        score = np.zeros((1, 1, *SIZE), np.float32)
        score[0, 0, 0, 0] = 0.25 + view / 1000  # the same everywhere, or in two views, is a doubt
        if view == self.odd:
            score[np.asarray(inputs["depth_mm"], np.float32) > 0] = 2.0
        return score

    def close(self) -> None:
        """Nothing to give back."""


@pytest.fixture(scope="module")
def recipe(small_recipe: Path) -> Recipe:
    """The default one's golden views, with two graphs of a set in place of its own."""
    first = Recipe.load(small_recipe)
    output = TensorSpec(name="score", dtype="float32", shape=FEATURE)
    features = tiny_section(inputs=(IMAGE,), output=output)
    changes: dict[str, Any] = {
        "detector": "set",
        "schema_version": 2,
        "inputs": BesideEngine.inputs,
        "output": TensorSpec(name="score", dtype="float32", shape=(1, 1, *SIZE)),
        "detectors": (features,),
        "geometry": False,
    }
    silence = Probe({}, np.zeros(SIZE, np.float32))
    own = Detector(features, b"", (Probe({}, np.zeros((1, 2), np.float32)),))
    manifest = Manifest.model_validate(first.manifest.model_copy(update=changes).model_dump())
    return replace(first, manifest=manifest, probes=(silence,), further=(own,))


def tiny_section(**more: Any) -> DetectorSection:
    return DetectorSection(name="features", method="test", tools={}, provenance={}, **more)


def inspect(
    recipe: Recipe,
    features: GreyEngine,
    beside: BesideEngine,
    scan: str = "good",
    only: Sequence[int] = range(VIEWS),
) -> Verdict:
    opened = open_scan(small_bracket() / scan)
    further = {"features": features}
    inspector = Inspector(recipe, opened.calibration, beside, Limits(), further=further)
    try:
        inspector.start()
        arrivals = views_of(opened, DEFAULTS.max_gap_ns, 1.0)
        for number, view in enumerate(view for view in arrivals if isinstance(view, View)):
            if number in only:
                inspector.add(view)
        assert not beside.asked  # nobody is asked before the last is there
        return inspector.finish()
    finally:
        inspector.close()


def test_a_view_is_scored_beside_other_views_than_its_parts(recipe: Recipe) -> None:
    features, beside = GreyEngine(), BesideEngine()
    verdict = inspect(recipe, features, beside)
    assert verdict.outcome is Outcome.PASS, verdict.notes
    assert features.runs == VIEWS
    assert sorted(view for view, _ in beside.asked) == list(range(VIEWS))
    seen = beside.asked[0][1]
    assert all(np.array_equal(each, seen) for _, each in beside.asked)
    scan = open_scan(small_bracket() / "good")
    views = [v for v in views_of(scan, DEFAULTS.max_gap_ns, 1.0) if isinstance(v, View)]
    planned = [recipe.plan.match(view.part_from_camera) for view in views]
    for number, view in zip(planned, views, strict=True):
        assert isinstance(number, int)
        assert seen[0, number, 0, 0] == pytest.approx(float(view.image.mean()), rel=1e-6)


def test_a_defect_that_the_set_shows_passes(recipe: Recipe) -> None:
    verdict = inspect(recipe, GreyEngine(), BesideEngine(odd=3))
    assert verdict.outcome is not Outcome.PASS
    assert verdict.score == pytest.approx(2.0)
    peaks = {report.view: report.peak_score for report in verdict.views}
    assert peaks[3] == pytest.approx(2.0)
    assert peaks[4] == pytest.approx(0.254)


def test_the_part_before_is_seen_beside_this_one(recipe: Recipe) -> None:
    scan = open_scan(small_bracket() / "good")
    features, beside = GreyEngine(), BesideEngine()
    further = {"features": features}
    inspector = Inspector(recipe, scan.calibration, beside, Limits(), further=further)
    try:
        arrivals = [v for v in views_of(scan, DEFAULTS.max_gap_ns, 1.0) if isinstance(v, View)]
        inspector.inspect(arrivals[:5])
        assert not beside.asked
        inspector.inspect(arrivals)
        assert len(beside.asked) == VIEWS
    finally:
        inspector.close()


def test_a_set_with_a_gap_is_scored(recipe: Recipe) -> None:
    beside = BesideEngine(odd=3)
    verdict = inspect(recipe, GreyEngine(), beside, only=[n for n in range(VIEWS) if n != 7])
    assert not beside.asked
    assert verdict.outcome is Outcome.INDETERMINATE
    assert Reason.MISSING_VIEW in verdict.reasons


def test_a_view_whose_features_are_lost_passes(recipe: Recipe) -> None:
    beside = BesideEngine()
    lost = GreyEngine(spoilt={6: EngineError("no memory")})
    verdict = inspect(recipe, lost, beside)
    assert not beside.asked
    assert verdict.outcome is Outcome.INDETERMINATE
    assert Reason.ENGINE_FAILED in verdict.reasons
    assert any("features" in note.detail for note in verdict.notes)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"detector": "set"}, "takes the input views"),
        ({"inputs": (SEEN,)}, "takes the input views"),
        ({"detector": "set", "inputs": (SEEN,)}, "one further model, called features"),
    ],
)
def test_a_manifest_of_half_a_set_is_read(changes: dict[str, Any], words: str) -> None:
    fields = tiny.manifest().model_dump()
    with pytest.raises(ValueError, match=words):
        Manifest.model_validate({**fields, **changes})
