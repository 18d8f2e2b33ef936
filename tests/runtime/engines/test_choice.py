"""`auto` chooses aloud; a TensorRT that is broken is never chosen around."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from types import ModuleType

import pytest

from tests.kits import fake_tensorrt, gpu_kit, tiny
from tests.kits.gpu_kit import Box
from voxgate.export.packing.package import write_recipe
from voxgate.runtime.engines.choice import choose
from voxgate.runtime.engines.engine import open_engine
from voxgate.runtime.errors import EngineError
from voxgate.runtime.plans.plan_cache import SIDECAR, PlanCache
from voxgate.runtime.recipe.recipe import Recipe

Break = Callable[[pytest.MonkeyPatch, Box], None]


@pytest.fixture
def recipe(tmp_path: Path) -> Recipe:
    write_recipe(tmp_path / "recipes" / "tiny" / "1", tiny.parts())
    return Recipe.load(tmp_path / "recipes" / "tiny" / "1")


@pytest.fixture
def plans(tmp_path: Path) -> PlanCache:
    return PlanCache(tmp_path / "recipes" / ".plans")


class _Broken:
    """An import that finds the package, and then a library is missing."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        if name == "tensorrt":
            raise self._error


def missing(monkeypatch: pytest.MonkeyPatch, box: Box) -> None:
    monkeypatch.delitem(sys.modules, "tensorrt")
    error = ModuleNotFoundError("No module named 'tensorrt'", name="tensorrt")
    monkeypatch.setattr(sys, "meta_path", [_Broken(error), *sys.meta_path])


def broken(error: Exception) -> Break:
    def install(monkeypatch: pytest.MonkeyPatch, box: Box) -> None:
        monkeypatch.delitem(sys.modules, "tensorrt")
        monkeypatch.setattr(sys, "meta_path", [_Broken(error), *sys.meta_path])

    return install


def another_module(monkeypatch: pytest.MonkeyPatch, box: Box) -> None:
    monkeypatch.setitem(sys.modules, "tensorrt", ModuleType("tensorrt"))


def too_old(monkeypatch: pytest.MonkeyPatch, box: Box) -> None:
    box.tensorrt.module.__dict__["__version__"] = "8.5.2.2"


def updated(monkeypatch: pytest.MonkeyPatch, box: Box) -> None:
    fake_tensorrt.install(monkeypatch, box.gpu, "10.13")


def other_gpu(monkeypatch: pytest.MonkeyPatch, box: Box) -> None:
    box.gpu.capability = (8, 9)


def no_driver(monkeypatch: pytest.MonkeyPatch, box: Box) -> None:
    box.gpu.fail["init"] = "no CUDA-capable device is detected"


def fine(monkeypatch: pytest.MonkeyPatch, box: Box) -> None:
    return None


LIBRARY = OSError("libnvdla_compiler.so: cannot open shared object file")

CHOICES: dict[str, tuple[Break, bool, str, str]] = {
    # what is wrong, whether a plan was built, what auto chooses, and its reason
    "all is well": (fine, True, "tensorrt", "has a plan for this GPU"),
    "no plan was built": (fine, False, "onnxruntime-cpu", "voxgate build"),
    "not installed": (missing, False, "onnxruntime-cpu", "not installed"),
}

REFUSALS: dict[str, tuple[Break, bool, str]] = {
    "a plan, but TensorRT is gone": (missing, True, "TensorRT is not installed"),
    "a library is missing": (broken(LIBRARY), False, "does not load.*JetPack"),
    "an import fails": (broken(ImportError("undefined symbol")), False, "does not load"),
    "something else of that name": (another_module, False, "is not TensorRT"),
    "too old": (too_old, False, "8.6 .JetPack 6.0. is the oldest"),
    "TensorRT was updated": (updated, True, "built by TensorRT 10.3.0, here is TensorRT 10.13"),
    "another GPU": (other_gpu, True, "sm_87.*sm_89"),
    "no driver": (no_driver, True, "nvidia-smi"),
}


@pytest.mark.parametrize("case", CHOICES)
def test_auto_chooses_and_says_why(
    case: str,
    recipe: Recipe,
    plans: PlanCache,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    spoil, built, backend, why = CHOICES[case]
    box = gpu_kit.install(monkeypatch)
    if built:
        gpu_kit.build(recipe, plans)
    spoil(monkeypatch, box)
    with caplog.at_level(logging.INFO, "voxgate.runtime.engines.choice"):
        choice = choose("auto", recipe, plans)
    assert (choice.backend, choice.asked) == (backend, "auto")
    assert why in choice.why
    assert f"backend auto chose {backend}: " in caplog.text
    engine = open_engine(recipe, choice.backend, plans=plans)
    assert engine.backend.startswith(backend)
    engine.close()


def test_auto_serves_from_the_tensorrt_that_has_a_plan(
    recipe: Recipe, plans: PlanCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both are installed; a plan of the one is nothing to the other."""
    box = gpu_kit.install(monkeypatch)
    box.gpu.capability = (8, 9)
    fake_tensorrt.install(monkeypatch, box.gpu, "rtx-1.7")
    gpu_kit.build(recipe, plans, flavour="tensorrt-rtx")
    choice = choose("auto", recipe, plans)
    assert choice.backend == "tensorrt-rtx"
    with closing(open_engine(recipe, choice.backend, plans=plans)) as engine:
        assert engine.backend == "tensorrt-rtx-1.7.1.116"
    with pytest.raises(EngineError, match="built by TensorRT for RTX"):
        open_engine(recipe, "tensorrt", plans=plans)
    monkeypatch.delitem(sys.modules, "tensorrt_rtx")
    with pytest.raises(EngineError, match="TensorRT for RTX is not installed"):
        choose("auto", recipe, plans)


@pytest.mark.parametrize("asked", ["auto", "tensorrt"])
@pytest.mark.parametrize("damage", ["cut off", "of a newer release"])
@pytest.mark.parametrize("gone", [False, True])
def test_a_plan_whose_sidecar_cannot_be_read_is_chosen_around(
    asked: str,
    damage: str,
    gone: bool,
    recipe: Recipe,
    plans: PlanCache,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    box = gpu_kit.install(monkeypatch)
    gpu_kit.build(recipe, plans)
    (sidecar,) = plans.folder.glob(f"*/{SIDECAR}")
    said = sidecar.read_text("utf-8")
    damaged = {"cut off": said[:-20], "of a newer release": said.replace("{", '{"new": 1,', 1)}
    sidecar.write_text(damaged[damage], "utf-8")
    if gone:
        missing(monkeypatch, box)
    with pytest.raises(EngineError, match=r"plan\.json: .*voxgate build|is not installed"):
        open_engine(recipe, choose(asked, recipe, plans).backend, plans=plans)


@pytest.mark.parametrize("case", REFUSALS)
@pytest.mark.parametrize("asked", ["auto", "tensorrt"])
def test_what_is_broken_is_never_chosen_around(
    case: str, asked: str, recipe: Recipe, plans: PlanCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoil, built, words = REFUSALS[case]
    box = gpu_kit.install(monkeypatch)
    if built:
        gpu_kit.build(recipe, plans)
    spoil(monkeypatch, box)
    with pytest.raises(EngineError, match=words):
        open_engine(recipe, choose(asked, recipe, plans).backend, plans=plans)


def test_tensorrt_by_name_without_a_plan_names_the_command(
    recipe: Recipe, plans: PlanCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    gpu_kit.install(monkeypatch)
    with pytest.raises(EngineError, match=r"has no plan.*type: voxgate build"):
        open_engine(recipe, choose("tensorrt", recipe, plans).backend, plans=plans)
