"""Views scored together: the word on each comes when the last is there, or not at all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from tests.kits import tiny
from tests.kits.small_scan import small_bracket
from voxgate.runtime.config.limits import Limits
from voxgate.runtime.config.settings import DEFAULTS
from voxgate.runtime.engines.engine import Engine, Tensor
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
FEATURE, PAIR, ERRORS = (1, 1, 1, 2), (1, 1, 1, 2), (1, 1, 2, 1)
Score = npt.NDArray[np.float32]
IMAGE = TensorSpec(name="image", dtype="uint8", shape=(1, 1, *SIZE))
DEPTH = TensorSpec(name="depth_mm", dtype="float32", shape=(1, 1, *SIZE))
SOURCE, TARGET = (TensorSpec(name=n, dtype="float32", shape=FEATURE) for n in ("source", "target"))
NUMBERS = TensorSpec(name="pair", dtype="uint8", shape=PAIR)
LEAST = TensorSpec(name="errors", dtype="float32", shape=ERRORS)


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
class PairEngine:
    """Errors of two views that tell which they are; keeps what it was asked, `fails` at some."""

    asked: dict[tuple[int, int], tuple[float, float]] = field(default_factory=dict)
    fails: tuple[int, int] | None = None
    backend = "pair"
    inputs = (SOURCE, TARGET, NUMBERS)
    outputs: tuple[TensorSpec, ...] = ()

    def run(self, inputs: dict[str, Tensor]) -> Score:
        source, target = (int(number) for number in inputs["pair"].reshape(2))
        if (source, target) == self.fails:
            raise EngineError("no memory")
        shown = (float(inputs[name].flat[0]) for name in ("source", "target"))
        assert (source, target) not in self.asked
        self.asked[source, target] = (next(shown), next(shown))
        return error_of(source, target).reshape(ERRORS)

    def close(self) -> None:
        """Nothing to give back."""


def error_of(source: int, target: int) -> Score:
    """Least in another source of each target for either direction, and never alike."""
    found = [1 + (source - target - 1) % VIEWS, 1 + (source + 3 * target) % VIEWS]
    return np.array(found, np.float32) + target / 100


@dataclass
class BesideEngine:
    """Scores one view over the threshold, if any; keeps what it was asked."""

    odd: int | None = None
    asked: list[Score] = field(default_factory=list)
    backend = "beside"
    inputs = (LEAST, DEPTH)
    outputs: tuple[TensorSpec, ...] = ()

    def run(self, inputs: dict[str, Tensor]) -> Score:
        assert set(inputs) == {"errors", "depth_mm"}
        errors = np.asarray(inputs["errors"], np.float32)
        view = round((float(errors[0, 0, 0, 0]) % 1) * 100)
        self.asked.append(errors)
        score = np.zeros((1, 1, *SIZE), np.float32)
        score[0, 0, 0, 0] = 0.25 + view / 1000  # the same everywhere, or in two views, is a doubt
        if view == self.odd:
            score[np.asarray(inputs["depth_mm"], np.float32) > 0] = 2.0
        return score

    def close(self) -> None:
        """Nothing to give back."""


@pytest.fixture(scope="module")
def recipe(small_recipe: Path) -> Recipe:
    """The default one's golden views, with three graphs of a set in place of its own."""
    first = Recipe.load(small_recipe)
    features = section("features", GreyEngine.inputs, FEATURE)
    pairs = section("pairs", PairEngine.inputs, ERRORS)
    changes: dict[str, Any] = {
        "detector": "set",
        "schema_version": 2,
        "inputs": BesideEngine.inputs,
        "output": TensorSpec(name="score", dtype="float32", shape=(1, 1, *SIZE)),
        "detectors": (features, pairs),
        "geometry": False,
    }
    silence = Probe({}, np.zeros(SIZE, np.float32))
    own = (
        Detector(features, b"", (Probe({}, np.zeros((1, 2), np.float32)),)),
        Detector(pairs, b"", (Probe({}, np.zeros((2, 1), np.float32)),)),
    )
    manifest = Manifest.model_validate(first.manifest.model_copy(update=changes).model_dump())
    return replace(first, manifest=manifest, probes=(silence,), further=own)


def section(name: str, inputs: tuple[TensorSpec, ...], shape: tuple[int, ...]) -> DetectorSection:
    output = TensorSpec(name="score", dtype="float32", shape=shape)
    return DetectorSection(
        name=name, method="test", tools={}, provenance={}, inputs=inputs, output=output
    )


def inspect(
    recipe: Recipe,
    features: GreyEngine,
    pairs: PairEngine,
    beside: BesideEngine,
    scan: str = "good",
    only: Sequence[int] = range(VIEWS),
) -> Verdict:
    opened = open_scan(small_bracket() / scan)
    further: dict[str, Engine] = {"features": features, "pairs": pairs}
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


def views_of_part(name: str) -> list[View]:
    arrivals = views_of(open_scan(small_bracket() / name), DEFAULTS.max_gap_ns, 1.0)
    return [view for view in arrivals if isinstance(view, View)]


def test_a_view_is_scored_beside_other_views_than_its_parts(recipe: Recipe) -> None:
    features, pairs, beside = GreyEngine(), PairEngine(), BesideEngine()
    verdict = inspect(recipe, features, pairs, beside)
    assert verdict.outcome is Outcome.PASS, verdict.notes
    assert features.runs == VIEWS
    views = views_of_part("good")
    planned = [recipe.plan.match(view.part_from_camera) for view in views]
    grey = {number: float(view.image.mean()) for number, view in zip(planned, views, strict=True)}
    assert set(pairs.asked) == set(product(range(VIEWS), repeat=2))  # each once: it asserts that
    for (source, target), shown in pairs.asked.items():
        assert shown == pytest.approx((grey[source], grey[target]), rel=1e-6)
    least = [np.min([error_of(s, t) for s in range(VIEWS)], axis=0) for t in range(VIEWS)]
    asked = sorted((errors.reshape(2) for errors in beside.asked), key=lambda each: each[0] % 1)
    assert np.array_equal(asked, least)


def test_the_pairs_of_earlier_views_are_left_for_the_last(recipe: Recipe) -> None:
    """While the robot moves they cost nothing; after the last view they are the verdict's time."""
    pairs, views = PairEngine(), views_of_part("good")
    further: dict[str, Engine] = {"features": GreyEngine(), "pairs": pairs}
    calibration = open_scan(small_bracket() / "good").calibration
    inspector = Inspector(recipe, calibration, BesideEngine(), Limits(), further=further)
    try:
        inspector.start()
        for view in views[:-1]:
            inspector.add(view)
        assert len(pairs.asked) == (VIEWS - 1) ** 2
        inspector.add(views[-1])
        assert len(pairs.asked) == VIEWS**2
        inspector.finish()
        assert len(pairs.asked) == VIEWS**2
    finally:
        inspector.close()


def test_a_defect_that_the_set_shows_passes(recipe: Recipe) -> None:
    verdict = inspect(recipe, GreyEngine(), PairEngine(), BesideEngine(odd=3))
    assert verdict.outcome is not Outcome.PASS
    assert verdict.score == pytest.approx(2.0)
    peaks = {report.view: report.peak_score for report in verdict.views}
    assert peaks[3] == pytest.approx(2.0)
    assert peaks[4] == pytest.approx(0.254)


def test_the_part_before_is_seen_beside_this_one(recipe: Recipe) -> None:
    pairs, beside, views = PairEngine(), BesideEngine(), views_of_part("good")
    further: dict[str, Engine] = {"features": GreyEngine(), "pairs": pairs}
    calibration = open_scan(small_bracket() / "good").calibration
    inspector = Inspector(recipe, calibration, beside, Limits(), further=further)
    try:
        inspector.inspect(views[:5])
        assert not beside.asked
        pairs.asked.clear()
        inspector.inspect(views)
        assert len(pairs.asked) == VIEWS**2
        assert len(beside.asked) == VIEWS
    finally:
        inspector.close()


def test_a_set_with_a_gap_is_scored(recipe: Recipe) -> None:
    beside = BesideEngine(odd=3)
    there = [n for n in range(VIEWS) if n != 7]
    verdict = inspect(recipe, GreyEngine(), PairEngine(), beside, only=there)
    assert not beside.asked
    assert verdict.outcome is Outcome.INDETERMINATE
    assert Reason.MISSING_VIEW in verdict.reasons


@pytest.mark.parametrize(
    ("features", "pairs"),
    [
        (GreyEngine(spoilt={6: EngineError("no memory")}), PairEngine()),
        (GreyEngine(), PairEngine(fails=(2, 6))),
    ],
)
def test_a_view_that_could_not_be_held_against_the_others_passes(
    features: GreyEngine, pairs: PairEngine, recipe: Recipe
) -> None:
    beside = BesideEngine()
    verdict = inspect(recipe, features, pairs, beside)
    assert not beside.asked
    assert verdict.outcome is Outcome.INDETERMINATE
    assert Reason.ENGINE_FAILED in verdict.reasons
    broken = "features" if features.spoilt else "pairs"
    assert any(broken in note.detail for note in verdict.notes)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"detector": "set"}, "takes the input errors"),
        ({"inputs": (LEAST,)}, "takes the input errors"),
        ({"detector": "set", "inputs": (LEAST,)}, "two further models, called features and pairs"),
    ],
)
def test_a_manifest_of_half_a_set_is_read(changes: dict[str, Any], words: str) -> None:
    fields = tiny.manifest().model_dump()
    with pytest.raises(ValueError, match=words):
        Manifest.model_validate({**fields, **changes})
