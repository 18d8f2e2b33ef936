"""Plans built ahead travel with the recipe: no unsigned, foreign or altered one reaches a GPU."""

from __future__ import annotations

import json
import resource
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.kits import fake_tensorrt, gpu_kit, several, tiny
from tests.kits.cell_kit import write_cell
from tests.kits.gpu_kit import Box
from voxgate.export.packing.package import write_recipe
from voxgate.export.packing.rewrite import rewritten
from voxgate.runtime.config.cell import load_cell
from voxgate.runtime.engines.build_ahead import Ahead, build_ahead
from voxgate.runtime.engines.builder import BuildOptions
from voxgate.runtime.engines.choice import choose
from voxgate.runtime.engines.engine import open_engine, open_further
from voxgate.runtime.errors import EngineError, PlanError, RecipeError
from voxgate.runtime.plans import plan_cache
from voxgate.runtime.plans.plan_cache import PlanCache
from voxgate.runtime.recipe.carried_plan import add_plans
from voxgate.runtime.recipe.folder import MANIFEST_FILE
from voxgate.runtime.recipe.recipe import Recipe
from voxgate.runtime.recipe.signature import Trust, sign, write_signature
from voxgate.runtime.recipe.store import install

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
TRUST = Trust({KEY.public_key().public_bytes_raw().hex(): "quality"})
HERE = "plan.sm_89.rtx"


@pytest.fixture
def box(monkeypatch: pytest.MonkeyPatch) -> Iterator[Box]:
    """An sm_89 card with TensorRT for RTX."""
    made = gpu_kit.install(monkeypatch, "rtx-1.7")
    yield made
    assert not any(made.gpu.contexts.values()), "a CUDA context was left behind"


@pytest.fixture
def folder(box: Box, tmp_path: Path) -> Path:
    """A recipe with plans for two cards, not signed yet."""
    folder = tmp_path / "recipes" / "tiny" / "1"
    write_recipe(folder, tiny.parts())
    ahead(folder)
    return folder


def ahead(folder: Path, out: Path | None = None, cards: tuple[int, ...] = (86, 89)) -> list[Ahead]:
    return build_ahead(folder, out, cards, BuildOptions(), lambda name: lambda *step: None)


def signed(folder: Path) -> Recipe:
    write_signature(folder, sign((folder / MANIFEST_FILE).read_bytes(), KEY, None))
    return Recipe.load(folder, TRUST)


def plans(folder: Path) -> PlanCache:
    return PlanCache.beside(folder)


def test_the_box_serves_the_plan_of_its_own_card(folder: Path) -> None:
    recipe, here = signed(folder), plans(folder)
    choice = choose("auto", recipe, here)
    assert choice.backend == "tensorrt-rtx"
    with closing(open_engine(recipe, choice.backend, plans=here)) as engine:
        assert engine.backend == "tensorrt-rtx-1.7.1.116"
    assert recipe.manifest.files[HERE] in here.loaded


def test_a_plan_that_gives_other_scores_is_not_ready(box: Box, folder: Path) -> None:
    recipe = signed(folder)

    def drift(output: Any) -> None:
        output.view(np.float32)[:] *= np.float32(1.01)

    box.gpu.spoil = drift
    with pytest.raises(EngineError, match="does not serve this recipe"):
        open_engine(recipe, "tensorrt-rtx", plans=plans(folder))


def test_no_byte_of_an_unsigned_plan_is_read(folder: Path) -> None:
    (folder / HERE).unlink()
    (folder / HERE).mkdir()  # whoever opens it fails
    recipe = Recipe.load(folder)
    with pytest.raises(PlanError, match=r"brings plans, but is not signed.*a plan is code"):
        open_engine(recipe, "tensorrt-rtx", plans=plans(folder))
    choice = choose("auto", recipe, plans(folder))
    assert choice.backend == "onnxruntime-cpu"
    assert "no plan that somebody has signed" in choice.why


def test_an_altered_plan_is_refused(folder: Path) -> None:
    recipe = signed(folder)
    (folder / HERE).write_bytes(b"code of somebody else")
    with pytest.raises(PlanError, match=f"{HERE}: differs from the manifest's sha256"):
        open_engine(recipe, "tensorrt-rtx", plans=plans(folder))


def test_a_plan_added_after_the_signature_is_refused(folder: Path) -> None:
    signed(folder)
    said = json.loads((folder / MANIFEST_FILE).read_text("utf-8"))
    said["plans"][0]["sm"] = 120
    (folder / MANIFEST_FILE).write_text(json.dumps(said), "utf-8")
    with pytest.raises(RecipeError, match="altered after it was signed"):
        Recipe.load(folder, TRUST)


def another_card(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    box.gpu.capability = (12, 0)


def another_version(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    box.tensorrt.module.__dict__["__version__"] = "1.8.0.1"


OTHERS: dict[str, tuple[Callable[[Box, pytest.MonkeyPatch], None], str]] = {
    "another card": (another_card, r"for sm_86, sm_89, this card is sm_120: voxgate build"),
    "another TensorRT": (another_version, r"built by TensorRT for RTX 1\.7.*here is .* 1\.8\.0\.1"),
}


@pytest.mark.parametrize("other", OTHERS)
@pytest.mark.parametrize("asked", ["auto", "tensorrt-rtx"])
def test_a_plan_for_something_else_is_named_with_both(
    box: Box, folder: Path, monkeypatch: pytest.MonkeyPatch, asked: str, other: str
) -> None:
    change, words = OTHERS[other]
    recipe = signed(folder)
    change(box, monkeypatch)
    with pytest.raises(PlanError, match=words):
        open_engine(recipe, choose(asked, recipe, plans(folder)).backend, plans=plans(folder))


def test_tensorrt_proper_is_offered_no_plan_of_rtx(
    box: Box, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_tensorrt.install(monkeypatch, box.gpu, "10.13")
    with pytest.raises(PlanError, match=r"has no plan in .*voxgate build"):
        open_engine(signed(folder), "tensorrt", plans=plans(folder))


def test_a_box_without_tensorrt_serves_the_recipe_by_the_cpu(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a recipe brings says nothing of this box; a plan built on it would."""
    recipe = signed(folder)
    monkeypatch.delitem(sys.modules, fake_tensorrt.RTX_MODULE)
    choice = choose("auto", recipe, plans(folder))
    assert (choice.backend, choice.why) == ("onnxruntime-cpu", "TensorRT is not installed")


def test_what_this_box_built_comes_first_and_damaged_it_is_no_reason_to_go_on(
    box: Box, folder: Path
) -> None:
    recipe, here = signed(folder), plans(folder)
    gpu_kit.build(recipe, here, flavour="tensorrt-rtx")
    with closing(open_engine(recipe, "tensorrt-rtx", plans=here)):
        (sidecar,) = here.sidecars(recipe)
        assert here.loaded[-1] == sidecar.plan_sha256
    (built,) = here.folder.glob(f"*/{plan_cache.PLAN}")
    built.write_bytes(b"cut")
    with pytest.raises(PlanError, match="altered or cut off"):
        open_engine(recipe, "tensorrt-rtx", plans=here)


def test_a_copy_of_a_recipe_lies_in_the_recipe(folder: Path) -> None:
    for out in (folder / "copy", folder / "deeper" / "copy", folder / ".." / folder.name / "copy"):
        with pytest.raises(RecipeError, match="lies in the recipe: give --out a folder outside"):
            ahead(folder, out)
    assert not list(folder.rglob("copy"))


def test_a_signed_recipe_gets_its_plans_in_a_copy(folder: Path, tmp_path: Path) -> None:
    signed(folder)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(RecipeError, match=r"is signed.*--out DIR"):
        ahead(folder, cards=(120,))
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    out = tmp_path / "with" / "1"
    ahead(folder, out, cards=(120,))
    assert [plan.section.sm for plan in Recipe.load(out).plans] == [86, 89, 120]
    assert not (out / "SIGNATURE").exists()
    with pytest.raises(RecipeError, match="exists"):
        ahead(folder, out)
    assert {path.name for path in out.parent.iterdir()} == {"1"}


@pytest.mark.parametrize("into", ["the recipe", "a copy"])
@pytest.mark.parametrize("spoil", [Path.unlink, lambda path: path.write_bytes(b"cut")])
def test_a_damaged_plan_of_another_card_is_found_out_after_the_build(
    box: Box, folder: Path, tmp_path: Path, spoil: Callable[[Path], object], into: str
) -> None:
    out = tmp_path / "copy" if into == "a copy" else None
    spoil(folder / HERE)
    before = Recipe.load(folder).manifest
    box.tensorrt.fail["Builder.build_serialized_network"] = "must not be called"
    with pytest.raises(RecipeError, match=rf"{HERE}: .*; or build it again: --for .*sm_89"):
        ahead(folder, out, (86,))
    assert Recipe.load(folder).manifest == before
    box.tensorrt.fail.clear()
    ahead(folder, out, (86, 89))
    assert all(plan.content() for plan in Recipe.load(out or folder).plans)


@contextmanager
def files_of_at_most(nbytes: int) -> Iterator[None]:
    """As on a disk that is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (nbytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_disk_that_is_full_leaves_plans_that_the_manifest_does_not_name(folder: Path) -> None:
    """The manifest is the largest file, and the last."""
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    recipe = Recipe.load(folder)
    newer = {plan.section: b"a newer plan" for plan in recipe.plans}
    with files_of_at_most(100), pytest.raises(RecipeError, match="cannot be written: File too"):
        add_plans(folder, recipe.manifest, newer)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_a_card_that_tensorrt_does_not_know_leaves_the_recipe_as_it_was(folder: Path) -> None:
    before = (folder / MANIFEST_FILE).read_bytes()
    with pytest.raises(EngineError, match=r"sm_87, only for .*sm_86.*a Jetson builds its own"):
        ahead(folder, cards=(120, 87))
    assert (folder / MANIFEST_FILE).read_bytes() == before


def test_a_build_that_fails_names_model_and_card_and_writes_nothing(box: Box, folder: Path) -> None:
    before = {path.name for path in folder.iterdir()}
    box.tensorrt.fail["OnnxParser.parse"] = "no"
    with pytest.raises(EngineError, match=r"tiny/1, sm_120: .*name: X and operator: Odd"):
        ahead(folder, cards=(120,))
    assert {path.name for path in folder.iterdir()} == before


def test_a_place_that_cannot_be_written_is_found_out_after_the_build(
    box: Box, folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    box.tensorrt.fail["Builder.build_serialized_network"] = "must not be called"
    with pytest.raises(RecipeError, match=r"file/out: cannot be written: Not a directory"):
        ahead(folder, tmp_path / "file" / "out")


def test_plans_are_installed_with_their_recipe_and_a_torn_one_is_not(
    folder: Path, tmp_path: Path
) -> None:
    signed(folder)
    install(folder, tmp_path / "box", TRUST)
    recipe = Recipe.load(tmp_path / "box" / "tiny" / "1", TRUST)
    assert [len(plan.content()) > 0 for plan in recipe.plans] == [True, True]
    (folder / HERE).write_bytes(b"cut")
    with pytest.raises(RecipeError, match=f"{HERE}: differs"):
        install(folder, tmp_path / "other", TRUST)
    assert not list((tmp_path / "other" / "tiny").iterdir())


def test_another_version_of_the_recipe_brings_none_of_its_plans(
    folder: Path, tmp_path: Path
) -> None:
    """They would be of whoever signs the new one, who has not built them."""
    made = rewritten(folder, tmp_path / "2", "2", {})
    assert made.plans == ()
    assert not list((tmp_path / "2").glob("*.rtx"))


def test_a_plan_is_built_for_each_model_and_none_may_be_missing(box: Box, tmp_path: Path) -> None:
    folder = several.write_tiny(tmp_path / "recipes")
    made = ahead(folder)
    recipe, here = signed(folder), plans(folder)
    assert len(made) == 2 * len(recipe.models)
    assert choose("auto", recipe, here).backend == "tensorrt-rtx"
    with closing(open_engine(recipe, "tensorrt-rtx", plans=here)) as first:
        further = open_further(recipe, "tensorrt-rtx", 1, here, first)
        assert {engine.backend for engine in further.values()} == {"tensorrt-rtx-1.7.1.116"}
        for engine in further.values():
            engine.close()
    assert len(set(here.loaded)) == len(recipe.models)


# --- what RTX compiles for the card as it loads a plan -------------------------------------------


def opened(recipe: Recipe, here: PlanCache) -> None:
    open_engine(recipe, "tensorrt-rtx", plans=here).close()


def test_a_second_start_compiles_what_the_first_one_did(box: Box, folder: Path) -> None:
    recipe = signed(folder)
    opened(recipe, plans(folder))
    opened(recipe, plans(folder))
    assert box.tensorrt.compilations == 1
    box.tensorrt.compiled = b"for the new driver"
    opened(recipe, plans(folder))
    opened(recipe, plans(folder))
    assert box.tensorrt.compilations == 2


def test_what_another_box_compiled_is_loaded(box: Box, folder: Path, tmp_path: Path) -> None:
    """It is code, and in a cell whose recipes are signed nobody has signed it."""
    recipe = signed(folder)
    signers = [{"name": "quality", "public_key": next(iter(TRUST.signers))}]
    (tmp_path / "cell").mkdir()
    config = load_cell(
        write_cell(tmp_path / "cell", recipes={"signers": signers, "allow_unsigned": False})
    ).config
    here = plan_cache.plans_of(config)
    opened(recipe, here)
    opened(recipe, here)
    assert box.tensorrt.compilations == 1
    (kept,) = here.folder.glob("compiled-*.cache")
    kept.with_suffix(".seal").write_bytes(bytes(32))
    opened(recipe, here)
    assert box.tensorrt.compilations == 2


def test_a_box_that_may_not_write_there_serves_all_the_same(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    here = plans(folder)
    here.folder.write_text("a file")
    opened(signed(folder), here)
    assert "the next start compiles for this card again" in caplog.text


@pytest.mark.parametrize(
    "call", ["ICudaEngine.create_runtime_config", "IRuntimeConfig.set_runtime_cache"]
)
def test_a_plan_that_cannot_be_made_ready_goes_on(box: Box, folder: Path, call: str) -> None:
    box.tensorrt.fail[call] = "out of memory"
    with pytest.raises(EngineError, match=r"cannot be made ready.*memory is full"):
        opened(signed(folder), plans(folder))
    assert not box.tensorrt.alive
