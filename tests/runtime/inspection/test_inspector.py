"""The real inspector on the example bracket: whatever goes wrong, it is named and never a PASS."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from tests.kits.moody_engine import MoodyEngine, Output
from tests.kits.remembering_engine import RememberingEngine
from tests.kits.small_scan import px, small_bracket
from voxgate.runtime.comparison.expected import height_mm
from voxgate.runtime.comparison.registered import Registered
from voxgate.runtime.config.limits import Limits
from voxgate.runtime.config.settings import DEFAULTS
from voxgate.runtime.engines.engine import Tensor, open_engine
from voxgate.runtime.errors import EngineError
from voxgate.runtime.geometry.rays import Rays
from voxgate.runtime.inspection.equipment import Equipment
from voxgate.runtime.inspection.inspector import ALIGNMENT_VIEWS, Inspector
from voxgate.runtime.nouns import Note, Outcome, Reason, Verdict, View
from voxgate.runtime.recipe.manifest import TensorSpec
from voxgate.runtime.recipe.recipe import Recipe
from voxgate.runtime.scans.open_scan import open_scan
from voxgate.runtime.scans.placed import views_of
from voxgate.runtime.scans.scan import Scan

MAX_UNCERTAINTY_MM = 1.0

pytestmark = pytest.mark.slow

Views = list[View]


@pytest.fixture(scope="module")
def recipe(small_recipe: Path) -> Recipe:
    return Recipe.load(small_recipe)


@pytest.fixture(scope="module")
def good_scan() -> Scan:
    return open_scan(small_bracket() / "good")


@pytest.fixture(scope="module")
def all_good(good_scan: Scan) -> tuple[View, ...]:
    return _views(good_scan)


@pytest.fixture(scope="module")
def all_bad() -> tuple[View, ...]:
    return _views(open_scan(small_bracket() / "bad"))


@pytest.fixture
def good(all_good: tuple[View, ...]) -> Views:
    return list(all_good)


@pytest.fixture
def bad(all_bad: tuple[View, ...]) -> Views:
    return list(all_bad)


@pytest.fixture(scope="module")
def only_inspector(recipe: Recipe, good_scan: Scan) -> Iterator[Inspector]:
    engine = MoodyEngine(RememberingEngine(open_engine(recipe)))
    made = Inspector(recipe, good_scan.calibration, engine, Limits())
    yield made
    made.close()


@pytest.fixture
def inspector(only_inspector: Inspector) -> Inspector:
    """As new, with an engine that works."""
    engine = _moody(only_inspector)
    engine.moods.clear()
    engine.runs = 0
    return only_inspector


def _moody(inspector: Inspector) -> MoodyEngine:
    assert isinstance(inspector.engine, MoodyEngine)
    return inspector.engine


def _views(scan: Scan) -> tuple[View, ...]:
    found = views_of(scan, DEFAULTS.max_gap_ns, MAX_UNCERTAINTY_MM)
    views = tuple(view for view in found if isinstance(view, View))
    assert len(views) == len(found)
    return views


def _inspect(inspector: Inspector, views: Sequence[View]) -> Verdict:
    inspector.start()
    for view in views:
        inspector.add(view)
    return inspector.finish()


def _numbers(verdict: Verdict) -> tuple[object, ...]:
    """What a verdict says, less how long it took."""
    assert verdict.alignment is not None
    place = verdict.alignment.reference_from_part.tolist()
    return (
        *(verdict.outcome, verdict.notes, verdict.score, verdict.coverage),
        *(verdict.defects, verdict.views, place),
    )


# --- what goes wrong -> its name ----------------------------------------------------------------


def _changed(number: int, **changes: object) -> Callable[[Views, Rays], Views]:
    def spoil(views: Views, rays: Rays) -> Views:
        views[number] = replace(views[number], **changes)  # type: ignore[arg-type]
        return views

    return spoil


def _empty_fixture(views: Views, rays: Rays) -> Views:
    """As if nobody had put a part there: no return from above the table."""
    return [_without_part(view, rays) for view in views]


def _without_part(view: View, rays: Rays) -> View:
    assert view.depth_mm is not None
    height = height_mm(view.depth_mm, rays, view.part_from_camera)
    depth_mm = np.where(height >= 1.0, np.float32(np.nan), view.depth_mm)
    return replace(view, image=np.zeros_like(view.image), depth_mm=depth_mm)


def _blind(view: View) -> View:
    return replace(view, depth_mm=np.full(view.image.shape, np.nan, np.float32))


def _moved(view: View, *, x_mm: float) -> View:
    pose = view.part_from_camera.copy()
    pose[0, 3] += x_mm
    return replace(view, part_from_camera=pose)


WRONG: dict[str, tuple[Callable[[Views, Rays], Views], set[Reason]]] = {
    "no view at all": (
        lambda views, rays: [],
        {Reason.NO_VIEWS, Reason.MISSING_VIEW, Reason.COVERAGE},
    ),
    "one view only": (
        lambda views, rays: views[:1],
        {Reason.MISSING_VIEW, Reason.COVERAGE},
    ),
    "too few views to align by": (
        lambda views, rays: views[: ALIGNMENT_VIEWS - 1],
        {Reason.MISSING_VIEW, Reason.COVERAGE},
    ),
    "first view missing": (lambda views, rays: views[1:], {Reason.MISSING_VIEW}),
    "last view missing": (lambda views, rays: views[:-1], {Reason.MISSING_VIEW}),
    "same view twice": (lambda views, rays: [*views, views[4]], {Reason.DUPLICATE_VIEW}),
    "same view twice before the part is aligned": (
        lambda views, rays: [views[0], *views],
        {Reason.DUPLICATE_VIEW},
    ),
    "view from elsewhere": (
        lambda views, rays: [*views, _moved(views[4], x_mm=150.0)],
        {Reason.UNPLANNED_VIEW},
    ),
    "view without depth": (
        _changed(5, depth_mm=None),
        {Reason.DEPTH_MISSING, Reason.MISSING_VIEW},
    ),
    "view without depth before the part is aligned": (
        _changed(0, depth_mm=None),
        {Reason.DEPTH_MISSING, Reason.MISSING_VIEW},
    ),
    "view in which nothing returned": (
        lambda views, rays: [*views[:5], _blind(views[5]), *views[6:]],
        {Reason.DEPTH_MISSING},
    ),
    "view from an unsure place": (
        _changed(3, uncertainty_mm=1.01),
        {Reason.POSE_UNCERTAIN, Reason.MISSING_VIEW},
    ),
    "view of another size": (
        _changed(2, image=np.zeros((120, 160), np.uint8), depth_mm=None),
        {Reason.FRAME_INVALID, Reason.MISSING_VIEW},
    ),
    "part 5 mm off its place": (
        lambda views, rays: [_moved(view, x_mm=5.0) for view in views],
        {Reason.MISALIGNED},
    ),
    "empty fixture": (
        _empty_fixture,
        {Reason.ALIGNMENT_FAILED, Reason.DEPTH_MISSING, Reason.COVERAGE},
    ),
    "every view blind": (
        lambda views, rays: [_blind(view) for view in views],
        {Reason.ALIGNMENT_FAILED, Reason.DEPTH_MISSING, Reason.COVERAGE},
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_goes_wrong_with_views_is_named_and_never_a_pass(
    case: str, inspector: Inspector, good: Views
) -> None:
    spoil, reasons = WRONG[case]
    verdict = _inspect(inspector, spoil(good, inspector.equipment.rays))
    assert verdict.outcome is Outcome.INDETERMINATE
    assert reasons <= set(verdict.reasons), verdict.notes


def _fail(output: Output) -> Output:
    raise EngineError("the device was lost")


def _one_nan(output: Output) -> Output:
    spoilt: Output = output.copy()
    spoilt[0, 0, 0, 0] = np.nan
    return spoilt


MOODS: dict[str, Callable[[Output], Output]] = {
    "it fails": _fail,
    "it gives one NaN": _one_nan,
    "it gives infinity": lambda output: np.full_like(output, np.inf),
    "it gives no map": lambda output: output[0, 0],
}


@pytest.mark.parametrize("run", [0, 7])
@pytest.mark.parametrize("mood", MOODS)
def test_an_engine_that_spoils_one_view_is_never_a_pass(
    mood: str, run: int, inspector: Inspector, good: Views
) -> None:
    _moody(inspector).moods[run] = MOODS[mood]
    verdict = _inspect(inspector, good)
    assert verdict.outcome is Outcome.INDETERMINATE
    assert verdict.reasons[0] is Reason.ENGINE_FAILED
    assert verdict.notes[0].detail.startswith(f"view {run}: ")
    assert len(verdict.views) == len(good) - 1


def _hang(inspector: Inspector, since: int, says: Callable[[Output], Output]) -> None:
    """From run `since` on the engine says the same for ever."""
    kept: list[Output] = []

    def mood(output: Output) -> Output:
        kept.append(says(output))
        return kept[0]

    _moody(inspector).moods.update({run: mood for run in range(since, 100)})


HANGS: dict[str, Callable[[Output], Output]] = {
    "repeats itself": lambda output: output.copy(),
    "is silent": np.zeros_like,
    "calls everything nearly bad": lambda output: np.full_like(output, 0.9),
}


@pytest.mark.parametrize("since", [0, 11])
@pytest.mark.parametrize("case", HANGS)
def test_an_engine_that_hangs_half_lets_no_part_pass(
    case: str, since: int, inspector: Inspector, good: Views
) -> None:
    """Its scores are finite and below the threshold; what is wrong is that they do not change."""
    if case == "repeats itself":
        since = max(since - 1, 0)  # somebody has to be repeated
    _hang(inspector, since, HANGS[case])
    verdict = _inspect(inspector, good)
    assert verdict.outcome is Outcome.INDETERMINATE
    assert Reason.ENGINE_FAILED in verdict.reasons


# --- what is gone --------------------------------------------------------------------------------

CUT_MM = 112.0  # above it stands the upper end of the bracket's upright
PROVING = (0, 2, 3, 5, 6, 8, 9, 11)


def _cut(view: View, rays: Rays, behind: bool) -> View:
    """Without what stands above CUT_MM; the table is seen instead, or, with no `behind`, nothing
    is, as where the sensor's range ends."""
    assert view.depth_mm is not None
    pose = view.part_from_camera
    gone = height_mm(view.depth_mm, rays, pose) >= CUT_MM
    gone = cv2.dilate(gone.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    slope = pose[2, 0] * rays.x + pose[2, 1] * rays.y + pose[2, 2]
    table = (-pose[2, 3] / slope).astype(np.float32) if behind else np.float32(np.nan)
    on_table = height_mm(view.depth_mm, rays, pose) < 1.0
    image = np.where(gone, np.median(view.image[on_table]), view.image).astype(np.uint8)
    return replace(view, image=image, depth_mm=np.where(gone, table, view.depth_mm))


def test_a_part_without_one_of_its_pieces_is_a_fail_and_not_half_seen(
    inspector: Inspector, good: Views, good_scan: Scan
) -> None:
    """A third of the views have no return where it stood; the rays of the others passed through."""
    rays = Rays.from_calibration(good_scan.calibration)
    verdict = _inspect(
        inspector, [_cut(view, rays, number in PROVING) for number, view in enumerate(good)]
    )
    assert verdict.outcome is Outcome.FAIL, verdict.notes
    largest = max(verdict.defects, key=lambda defect: defect.volume_mm3)
    assert largest.volume_mm3 > 10_000
    assert largest.centroid_part_mm[2] + largest.size_mm[2] / 2 > CUT_MM
    assert verdict.coverage is not None
    assert verdict.coverage > 0.99


def test_a_defect_does_not_make_an_incomplete_scan_a_fail(inspector: Inspector, bad: Views) -> None:
    verdict = _inspect(inspector, bad[:-1])
    assert verdict.outcome is Outcome.INDETERMINATE
    assert {Reason.MISSING_VIEW, Reason.DEFECT} <= set(verdict.reasons)


def test_what_the_line_rejected_is_never_a_pass(inspector: Inspector, good: Views) -> None:
    inspector.start()
    inspector.reject(Note(Reason.FRAME_LOST, "one frame lost"))
    for view in good:
        inspector.add(view)
    verdict = inspector.finish()
    assert verdict.outcome is Outcome.INDETERMINATE
    assert verdict.notes == (Note(Reason.FRAME_LOST, "one frame lost"),)


# --- one part after the other -------------------------------------------------------------------


def test_a_part_leaves_nothing_behind_for_the_next(
    inspector: Inspector, good: Views, bad: Views
) -> None:
    alone = _inspect(inspector, good)
    assert alone.outcome is Outcome.PASS
    assert _inspect(inspector, bad).outcome is Outcome.FAIL
    assert _numbers(_inspect(inspector, good)) == _numbers(alone)


def test_a_spoilt_part_leaves_nothing_behind_for_the_next(
    inspector: Inspector, good: Views, bad: Views
) -> None:
    alone = _inspect(inspector, bad)
    inspector.start()
    inspector.reject(Note(Reason.ABORTED, "in the middle"))
    for view in good[: ALIGNMENT_VIEWS - 1]:  # still waiting to be aligned by
        inspector.add(view)
    assert _numbers(_inspect(inspector, bad)) == _numbers(alone)


def test_complete_says_when_the_last_planned_view_has_come(
    inspector: Inspector, good: Views
) -> None:
    inspector.start()
    for view in good:
        assert not inspector.complete
        inspector.add(view)
    assert inspector.complete


@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.nightly)])
def test_views_in_another_order_give_the_same_verdict(
    seed: int, inspector: Inspector, good: Views, bad: Views
) -> None:
    order = np.random.default_rng(seed).permutation(len(good))
    for views in (good, bad):
        first, second = (_inspect(inspector, v) for v in (views, [views[i] for i in order]))
        assert (second.outcome, second.reasons) == (first.outcome, first.reasons)
        assert second.score == pytest.approx(first.score, rel=0.1, abs=0.2)
        assert second.coverage == pytest.approx(first.coverage, abs=0.01)
        assert _peaks(second) == pytest.approx(_peaks(first), rel=0.1, abs=0.2)
        assert len(second.defects) == len(first.defects)


def _peaks(verdict: Verdict) -> dict[int, float]:
    """Best score per view; the part's may stand at the weight of lost surface or at the most."""
    return {view.view: view.peak_score for view in verdict.views}


# --- recipes without golden views ---------------------------------------------------------------


SPOT = px(290, 310), px(390, 410)


class SpotEngine:
    """A model that looks at the image alone and gives `peak` at one place of every view."""

    backend = "spot"
    inputs: tuple[TensorSpec, ...] = ()
    outputs: tuple[TensorSpec, ...] = ()

    def __init__(self, peak: float) -> None:
        self._peak = peak
        self.spot = SPOT

    def run(self, inputs: dict[str, Tensor]) -> Output:
        assert list(inputs) == ["image"]
        score = np.zeros(inputs["image"].shape, np.float32)
        rows, columns = self.spot
        score[..., rows, columns] = self._peak
        return score

    def close(self) -> None:
        """Nothing to give back."""


@pytest.mark.parametrize(("peak", "outcome"), [(0.5, Outcome.PASS), (2.0, Outcome.FAIL)])
def test_a_recipe_without_golden_views_inspects_by_its_model_alone(
    peak: float, outcome: Outcome, recipe: Recipe, good_scan: Scan, good: Views
) -> None:
    image_only = tuple(spec for spec in recipe.manifest.inputs if spec.name == "image")
    manifest = recipe.manifest.model_copy(update={"inputs": image_only})
    bare = replace(recipe, reference=(), manifest=manifest)
    inspector = Inspector(bare, good_scan.calibration, SpotEngine(peak), Limits())
    try:
        verdict = _inspect(inspector, [_returning(view) for view in good])
    finally:
        inspector.close()
    assert verdict.outcome is outcome, verdict.notes
    assert verdict.score == pytest.approx(peak)
    assert verdict.alignment is None


def _returning(view: View) -> View:
    """With a return in every pixel of the spot: as far as the farthest of it."""
    assert view.depth_mm is not None
    depth_mm = view.depth_mm.copy()
    spot = depth_mm[SPOT]
    np.copyto(spot, np.nanmax(spot), where=np.isnan(spot))
    return replace(view, depth_mm=depth_mm)


def test_a_model_that_wants_golden_views_which_its_recipe_lacks_is_never_a_pass(
    recipe: Recipe, good_scan: Scan, good: Views
) -> None:
    bare = replace(recipe, reference=())
    inspector = Inspector(bare, good_scan.calibration, open_engine(recipe), Limits())
    try:
        verdict = _inspect(inspector, good)
    finally:
        inspector.close()
    assert verdict.outcome is Outcome.INDETERMINATE
    assert {Reason.ENGINE_FAILED, Reason.NO_VIEWS} <= set(verdict.reasons)


# --- trained models, which score alone ----------------------------------------------------------


def _alone(recipe: Recipe, scan: Scan, peak: float, *, golden: bool = True) -> Inspector:
    """A model that sees the picture, without the golden surface's geometry."""
    image_only = tuple(spec for spec in recipe.manifest.inputs if spec.name == "image")
    manifest = recipe.manifest.model_copy(update={"inputs": image_only, "geometry": False})
    reference = recipe.reference if golden else ()
    trained = replace(recipe, reference=reference, manifest=manifest)
    return Inspector(trained, scan.calibration, SpotEngine(peak), Limits())


def _without_return(view: View, rows: slice, columns: slice) -> View:
    """As over gloss, black glue or a hole: the sensor says nothing there."""
    assert view.depth_mm is not None
    depth_mm = view.depth_mm.copy()
    depth_mm[rows, columns] = np.nan
    return replace(view, depth_mm=depth_mm)


@pytest.mark.parametrize("side_px", [5, 3])
def test_a_defect_that_returns_no_depth_is_found_by_a_model_that_scores_alone(
    side_px: int, recipe: Recipe, good_scan: Scan, good: Views
) -> None:
    rows, columns = (slice(end - side_px, end) for end in (px(0, 300).stop, px(0, 400).stop))
    inspector = _alone(recipe, good_scan, 10.0)
    engine = inspector.engine
    assert isinstance(engine, SpotEngine)
    engine.spot = rows, columns
    try:
        verdict = _inspect(inspector, [_without_return(view, rows, columns) for view in good])
    finally:
        inspector.close()
    assert verdict.outcome is Outcome.FAIL, verdict.notes
    assert verdict.score == pytest.approx(10.0)


def test_a_score_that_nothing_places_is_never_a_pass(
    recipe: Recipe, good_scan: Scan, good: Views
) -> None:
    inspector = _alone(recipe, good_scan, 10.0, golden=False)
    try:
        verdict = _inspect(inspector, [_without_return(view, *SPOT) for view in good])
    finally:
        inspector.close()
    assert verdict.outcome is Outcome.INDETERMINATE
    assert Reason.DEPTH_MISSING in verdict.reasons


def test_edges_that_flicker_are_no_defects_to_a_model_that_sees_depth(
    recipe: Recipe, good_scan: Scan, good: Views
) -> None:
    shape = recipe.manifest.output.shape
    depth = (TensorSpec(name="depth_mm", dtype="float32", shape=shape),)
    manifest = recipe.manifest.model_copy(update={"inputs": depth, "geometry": False})
    seeing = replace(recipe, manifest=manifest)
    inspector = Inspector(seeing, good_scan.calibration, SilentSpots(), Limits())
    try:
        few = _inspect(inspector, good).defects
        assert sum(defect.voxels for defect in few) < 20  # of some hundred that flicker
        hidden = [_without_return(view, *SPOT) for view in good]
        assert len(_inspect(inspector, hidden).defects) > len(few)
    finally:
        inspector.close()


class SilentSpots(SpotEngine):
    """A model that is shown the depth and calls every pixel without return strange."""

    def __init__(self) -> None:
        super().__init__(9.0)

    def run(self, inputs: dict[str, Tensor]) -> Output:
        return np.where(np.asarray(inputs["depth_mm"], np.float32) > 0, 0, self._peak).astype(
            np.float32
        )


def test_the_golden_scan_played_as_a_part_proves_nothing(inspector: Inspector) -> None:
    verdict = _inspect(inspector, _views(open_scan(small_bracket() / "golden")))
    assert verdict.outcome is Outcome.INDETERMINATE
    assert verdict.reasons == (Reason.DUPLICATE_VIEW,)
    assert "golden scan's own" in verdict.notes[0].detail


class LookingEngine(SpotEngine):
    """A model that looks until somebody judges the shape."""

    def __init__(self, judged: threading.Event) -> None:
        super().__init__(0.5)
        self._judged = judged

    def run(self, inputs: dict[str, Tensor]) -> Output:
        assert self._judged.wait(60), "the shape waits until the model has looked"
        self._judged.clear()
        return super().run(inputs)


def test_the_shape_is_judged_while_a_model_looks(
    recipe: Recipe, good_scan: Scan, good: Views, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One after the other, the last view's verdict is a third later."""
    image_only = tuple(spec for spec in recipe.manifest.inputs if spec.name == "image")
    manifest = recipe.manifest.model_copy(update={"inputs": image_only})
    judged, judge = threading.Event(), Equipment.judge

    def telling(*of: Any) -> Registered | None:
        judged.set()
        return judge(*of)

    monkeypatch.setattr(Equipment, "judge", telling)
    looking = replace(recipe, manifest=manifest)
    inspector = Inspector(looking, good_scan.calibration, LookingEngine(judged), Limits())
    try:
        assert _inspect(inspector, good).outcome is Outcome.PASS
    finally:
        inspector.close()
