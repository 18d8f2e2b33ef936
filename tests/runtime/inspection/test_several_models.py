"""A recipe of several models: what any of them does not prove good is not PASS."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from typer.testing import CliRunner

from tests.kits import several, tiny
from tests.kits.moody_engine import MoodyEngine
from tests.kits.small_scan import px, small_bracket
from tests.kits.spoilt_recipe import flip_a_bit, replace_file
from voxgate.export.evaluation.cases import Picture, PictureTruth
from voxgate.export.evaluation.judges.per_view import ListeningInspector
from voxgate.export.evaluation.judges.picture_judge import PictureJudge
from voxgate.export.packing.combine import combined
from voxgate.export.packing.package import write_recipe
from voxgate.runtime.cli import app
from voxgate.runtime.common.crew import Crew
from voxgate.runtime.config.limits import Limits
from voxgate.runtime.config.settings import DEFAULTS
from voxgate.runtime.engines.engine import Engine, open_engine, open_further
from voxgate.runtime.errors import EngineError, RecipeError
from voxgate.runtime.geometry.rays import Rays
from voxgate.runtime.inspection.inputs import ViewInputs
from voxgate.runtime.inspection.inspector import Inspector
from voxgate.runtime.nouns import Outcome, Reason, Verdict, View
from voxgate.runtime.offline.inspect_scan import inspect_folder
from voxgate.runtime.recipe.manifest import TensorSpec
from voxgate.runtime.recipe.recipe import Recipe
from voxgate.runtime.recipe.scorer import write_scorer
from voxgate.runtime.recipe.sections.shapes import FpfhSection
from voxgate.runtime.scans.open_scan import open_scan
from voxgate.runtime.scans.placed import views_of
from voxgate.runtime.volume.volume import Volume

pytestmark = pytest.mark.slow

MARK = px(280, 312), px(384, 416)  # on the bracket in every view


@pytest.fixture(scope="module")
def scans() -> Path:
    return small_bracket()


@pytest.fixture(scope="module")
def recipes(scans: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return several.write_shape_and_look(scans / "golden", tmp_path_factory.mktemp("recipes"))


@pytest.fixture(scope="module")
def good(scans: Path) -> list[View]:
    return _views(scans / "good")


@pytest.fixture(scope="module")
def both(recipes: Path, scans: Path) -> Iterator[Inspector]:
    with closing(_open(recipes / "both", scans)) as inspector:
        yield inspector


def _views(scan: Path) -> list[View]:
    return [v for v in views_of(open_scan(scan), DEFAULTS.max_gap_ns, 1.0) if isinstance(v, View)]


def _open(recipe: Path, scans: Path, kind: type[Inspector] = Inspector) -> Inspector:
    calibration = open_scan(scans / "good").calibration
    return kind.open(Recipe.load(recipe), calibration, Limits())


def _inspect(inspector: Inspector, views: list[View]) -> Verdict:
    inspector.start()
    for view in views:
        inspector.add(view)
    return inspector.finish()


def _marked(view: View) -> View:
    """A dark mark: the shape is the golden part's."""
    image = view.image.copy()
    image[MARK] = 0
    return replace(view, image=image)


def _scores(volume: Volume) -> dict[tuple[int, ...], float]:
    voxels = volume.occupied()
    return dict(zip(map(tuple, voxels.ijk.tolist()), voxels.score.tolist(), strict=True))


# --- the verdict ---------------------------------------------------------------------------------


def test_a_defect_that_only_the_second_model_sees_fails_the_part(
    recipes: Path, scans: Path, good: list[View], both: Inspector
) -> None:
    marked = [_marked(view) for view in good]
    with closing(_open(recipes / "shape", scans)) as first:
        assert _inspect(first, marked).outcome is Outcome.PASS
    assert _inspect(both, good).outcome is Outcome.PASS
    assert _inspect(both, marked).outcome is Outcome.FAIL


@pytest.mark.nightly
def test_the_volume_is_the_worst_of_every_single_recipe_voxel_by_voxel(
    recipes: Path, scans: Path, both: Inspector
) -> None:
    """What flickers at edges stays left out for the one that left it out, and not for the other."""
    bad = _views(scans / "bad")
    _inspect(both, bad)
    together = _scores(both.volume)
    worst: dict[tuple[int, ...], float] = {}
    for name in ("shape", "look"):
        with closing(_open(recipes / name, scans)) as single:
            assert _inspect(single, bad).views
            for at, score in _scores(single.volume).items():
                worst[at] = max(score, worst.get(at, 0.0))
    assert together == worst
    assert max(together.values()) > 1.0


def test_evaluation_hears_the_views_of_such_a_recipe_too(
    recipes: Path, scans: Path, both: Inspector, good: list[View]
) -> None:
    marked = [_marked(view) for view in good]
    _inspect(both, marked)
    with closing(_open(recipes / "both", scans, ListeningInspector)) as listening:
        assert isinstance(listening, ListeningInspector)
        _inspect(listening, marked)
        loudest = max(float(view.score.max()) for view in listening.views)
    assert loudest == both.volume.peak


@pytest.mark.nightly  # by day: test_inspect_scan.py
def test_a_scan_gives_the_same_verdict_again(recipes: Path, scans: Path) -> None:
    first, again = (inspect_folder(scans / "bad", recipes / "both") for _ in range(2))
    assert first.message.outcome == "FAIL"
    assert first.message.defects == again.message.defects
    assert first.message.score == again.message.score
    assert first.message.backend == "onnxruntime-cpu"


# --- what fails in one of them -------------------------------------------------------------------


def _not_a_number(output: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    spoilt: npt.NDArray[np.float32] = output.copy()
    spoilt[..., 5, 5] = np.nan
    return spoilt


def _smaller(output: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    smaller: npt.NDArray[np.float32] = output[..., 1:]
    return smaller


def _broken(output: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    raise EngineError(f"the GPU is lost, {output.nbytes} bytes with it")


@pytest.mark.parametrize(
    "mood",
    [_not_a_number, *(pytest.param(m, marks=pytest.mark.nightly) for m in (_smaller, _broken))],
)
def test_a_second_model_that_fails_in_one_view_is_never_a_pass(
    mood: Callable[[npt.NDArray[np.float32]], npt.NDArray[np.float32]],
    recipes: Path,
    good: list[View],
    scans: Path,
) -> None:
    recipe, calibration = Recipe.load(recipes / "both"), open_scan(scans / "good").calibration
    first = open_engine(recipe)
    further = open_further(recipe, "onnxruntime-cpu", 2, None, first)
    moody: dict[str, Engine] = {"look": MoodyEngine(further["look"], {4: mood})}
    made = Inspector(recipe, calibration, first, Limits(), further=moody)
    with closing(made) as inspector:
        verdict = _inspect(inspector, good)
        assert _inspect(inspector, good).outcome is Outcome.PASS  # the next part is not held to it
    assert verdict.outcome is Outcome.INDETERMINATE
    (note,) = [note for note in verdict.notes if note.reason is Reason.ENGINE_FAILED]
    assert "view 4: detector look: " in note.detail
    assert 4 not in [view.view for view in verdict.views]


def test_nobody_inspects_by_the_first_model_alone(recipes: Path, scans: Path) -> None:
    recipe, calibration = Recipe.load(recipes / "both"), open_scan(scans / "good").calibration
    with closing(open_engine(recipe)) as engine, pytest.raises(RecipeError, match="look"):
        Inspector(recipe, calibration, engine, Limits())


def test_a_second_model_that_is_not_proven_serves_nothing_and_leaves_nothing_open(
    tmp_path: Path,
) -> None:
    recipe = Recipe.load(several.write_tiny(tmp_path))
    (second,) = recipe.further
    off = replace(second, probes=(tiny.probe(),))
    with closing(open_engine(recipe)) as first:
        with pytest.raises(EngineError, match=r"detector half: probe 0.*is off by"):
            open_further(replace(recipe, further=(off,)), "onnxruntime-cpu", 1, None, first)
        silent = replace(second, probes=())
        with pytest.raises(EngineError, match="detector half: the recipe has no probe"):
            open_further(replace(recipe, further=(silent,)), "onnxruntime-cpu", 1, None, first)


# --- the files -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["model.half.onnx", "probe.half.npz"])
def test_a_second_model_that_was_altered_or_is_missing_is_refused(
    name: str, tmp_path: Path
) -> None:
    folder = several.write_tiny(tmp_path)
    flip_a_bit(folder / name)
    with pytest.raises(RecipeError, match=f"{name}: differs from the manifest"):
        Recipe.load(folder)
    (folder / name).unlink()
    with pytest.raises(RecipeError, match=name):
        Recipe.load(folder)


def test_a_reader_of_single_models_refuses_several_and_reads_one_as_ever(tmp_path: Path) -> None:
    folder = several.write_tiny(tmp_path)
    assert json.loads((folder / "manifest.json").read_text())["schema_version"] == 2
    single = json.loads((tmp_path / "a" / "1" / "manifest.json").read_text())
    assert single["schema_version"] == 1
    assert "detectors" not in single


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"schema_version": 1}, "2 says that there are detectors"),
        ({"detectors": []}, "2 says that there are detectors"),
        ({"name": "model"}, "that is a channel already"),
        ({"name": "../escape"}, "name"),
        ({"name": "full"}, "not listed"),
        ({"twice": True}, "names of their own"),
    ],
)
def test_a_manifest_whose_models_contradict_is_refused(
    change: dict[str, object], told: str, tmp_path: Path
) -> None:
    path = several.write_tiny(tmp_path) / "manifest.json"
    manifest = json.loads(path.read_text())
    if "name" in change:
        manifest["detectors"][0] |= change
    elif "twice" in change:
        manifest["detectors"] *= 2
    else:
        manifest |= change
    path.write_text(json.dumps(manifest))
    with pytest.raises(RecipeError, match=told):
        Recipe.load(path.parent)


def test_a_scorer_that_hears_a_model_which_is_not_there_is_refused(tmp_path: Path) -> None:
    folder = several.write_tiny(tmp_path)
    names = tuple(name.replace("model/", "ghost/") for name in tiny.scorer().names)
    scorer = replace(tiny.scorer(), channels=("ghost",), names=names)
    replace_file(folder, "scorer.npz", write_scorer(scorer))
    with pytest.raises(
        RecipeError, match=r"unknown detectors.*ghost.*known: model, geometry, half"
    ):
        Recipe.load(folder)


# --- what is shared ------------------------------------------------------------------------------


def test_shape_is_described_once_for_all_models_that_ask_for_the_same(
    good: list[View], scans: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[FpfhSection] = []

    def counted(depth_mm: object, rays: Rays, section: FpfhSection, crew: Crew) -> object:
        asked.append(section)
        return np.zeros((1, 33, 4, 4), np.float32)

    monkeypatch.setattr("voxgate.runtime.inspection.inputs.description", counted)
    coarse, fine = FpfhSection(step_px=4), FpfhSection(step_px=2)
    spec = (TensorSpec(name="fpfh", dtype="float32", shape=(1, 33, 4, 4)),)
    rays = Rays.from_calibration(open_scan(scans / "good").calibration)
    with Crew(1) as crew:
        inputs = ViewInputs(0, good[0], None, rays, crew)
        for section in (coarse, fine, FpfhSection(step_px=4)):
            inputs.of(tiny.manifest(inputs=spec, fpfh=section))
    assert asked == [coarse, fine]


# --- through the commands ------------------------------------------------------------------------


@pytest.mark.nightly  # by day a threshold does
def test_a_classifier_hears_every_model_apart(recipes: Path, scans: Path, tmp_path: Path) -> None:
    arguments = [
        "scorer", recipes / "both", "--good", scans / "good", "--bad", scans / "bad",
        "--generated", 3, "--out", tmp_path / "4", "--version", "4", "--json",
    ]  # fmt: skip
    result = CliRunner().invoke(app, [str(each) for each in arguments])
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["detectors"] == ["model", "geometry", "look"]
    loaded = Recipe.load(tmp_path / "4")
    assert loaded.scorer is not None
    assert any(name.startswith("look/") for name in loaded.scorer.names)
    outcomes = {
        name: inspect_folder(scans / name, tmp_path / "4").verdict.outcome.value
        for name in ("good", "bad")
    }
    assert outcomes == {"good": "PASS", "bad": "FAIL"}


@pytest.mark.nightly  # by day of one model: quality/
def test_a_threshold_is_found_for_all_models_together(recipes: Path, scans: Path) -> None:
    arguments = ["threshold", recipes / "both", scans / "good", "--false-rejects", 0.5]
    more = ["--again", 0, "--json"]
    result = CliRunner().invoke(app, [str(each) for each in (*arguments, *more)])
    assert result.exit_code == 0, result.output
    (zone,) = json.loads(result.stdout)["zones"]
    peak = inspect_folder(scans / "good", recipes / "both").verdict.score
    assert peak is not None
    assert zone["threshold"] > 0.99 * min(peak, 1.0) * 0.5


def test_the_folder_can_be_moved(recipes: Path, scans: Path, tmp_path: Path) -> None:
    shutil.copytree(recipes / "both", tmp_path / "elsewhere")
    assert inspect_folder(scans / "good", tmp_path / "elsewhere").message.outcome == "PASS"


# --- single pictures -----------------------------------------------------------------------------


@dataclass(frozen=True)
class OnePicture:
    """A picture with a bright pixel, or a dark one."""

    grey: int
    name: str = "one"
    part: str = "tiny"
    source: Path = Path()

    def picture(self) -> Picture:
        image = np.full(tiny.SHAPE[2:], 100, np.uint8)
        image[3, 4] = self.grey
        return Picture(image)

    def truth(self) -> PictureTruth:
        return PictureTruth(np.ones(tiny.SHAPE[2:], np.bool_), anomalous=True)


def test_single_pictures_are_judged_by_the_worst_of_all_models(tmp_path: Path) -> None:
    """One of the models sees what is bright, the other what is dark."""
    for name, dark in (("bright", False), ("dark", True)):
        write_recipe(tmp_path / name, several.brightness_parts(name, dark))
    recipe = combined([tmp_path / "bright", tmp_path / "dark"], tmp_path / "both", "2")
    with closing(PictureJudge(recipe, DEFAULTS)) as judge:
        for grey, score in ((255, 1.0), (0, 1.0), (100, 155 / 255)):
            record, _ = judge.judge(OnePicture(grey), "k")
            assert record.score == pytest.approx(score)
