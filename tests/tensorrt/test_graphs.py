"""What a box would be given, built by the real TensorRT: parsed and compiled for two cards."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path

import onnx
import pytest
import tensorrt_rtx_bindings as trt
from typer.testing import CliRunner

from tests.export.graph.test_strips import described, padded
from tests.export.graph.test_strips import model as model_of_maps
from tests.kits import several
from tests.kits.nets import SAMPLES, Build, graph, small_net
from tests.kits.small_scan import small_bracket
from voxgate.export.graph.half import to_half
from voxgate.export.graph.int8 import quantized
from voxgate.export.graph.memory import MB, memory_of
from voxgate.export.graph.real_tensorrt import CARDS, builds, check_by_building
from voxgate.export.graph.strips import in_strips
from voxgate.export.reference.colour_bank import colour_bank
from voxgate.export.reference.filter_bank import filter_bank
from voxgate.runtime.cli import app
from voxgate.runtime.engines.builder import BuildOptions, build, cards, check_cards
from voxgate.runtime.errors import EngineError
from voxgate.runtime.gpu.kernel_compiler import compile_cubin
from voxgate.runtime.gpu.launch import SOURCE, source
from voxgate.runtime.recipe.recipe import Recipe

Bank = Callable[[tuple[int, int], float], onnx.ModelProto]
PRECISIONS: dict[str, Callable[[onnx.ModelProto], onnx.ModelProto]] = {
    "fp32": lambda model: model,
    "fp16": lambda model: to_half(model, samples=SAMPLES),
    "int8": lambda model: quantized(model, SAMPLES),
}


@pytest.mark.parametrize("precision", PRECISIONS)
def test_a_convolutional_graph_is_not_built_in(precision: str) -> None:
    check_by_building(PRECISIONS[precision](small_net()), precision)


@pytest.mark.parametrize("build", [described, padded])
def test_a_convolution_in_strips_is_not_built(build: Build) -> None:
    split = model_of_maps(build)
    assert in_strips(split, memory_of(split).largest // 5) == 1
    for sm in CARDS:
        builds(split, "strips", sm)


@pytest.mark.parametrize("size", [(60, 80), (600, 800)])
@pytest.mark.parametrize("bank", [filter_bank, colour_bank])
def test_the_default_detector_is_not_built_at(bank: Bank, size: tuple[int, int]) -> None:
    check_by_building(bank(size, 6.0), "reference")


def test_a_model_that_needs_more_scratch_memory_is_told_to_do_with_less() -> None:
    """Large pictures are fused into one layer: all that lies between is its scratch memory."""
    content = colour_bank((600, 800), 6.0).SerializeToString()
    with pytest.raises(EngineError, match=r"than --workspace-mb 16 grants: type --workspace-mb 32"):
        build(trt, content, "fp32", BuildOptions(workspace_mb=16), sm=86)


def test_a_plan_takes_other_memory_than_it_is_told_to_take() -> None:
    """The builder is the judge: with that much it builds, with less it does not."""
    content = colour_bank((600, 800), 6.0).SerializeToString()
    scratch = build(trt, content, "fp32", BuildOptions(), sm=86).scratch_bytes
    assert scratch is not None
    enough = BuildOptions(workspace_mb=-(-scratch // MB))
    assert build(trt, content, "fp32", enough, sm=86).scratch_bytes == scratch
    with pytest.raises(EngineError, match="more scratch memory"):
        build(trt, content, "fp32", BuildOptions(workspace_mb=scratch // MB), sm=86)


def test_what_can_be_made_in_turn_lies_in_memory_side_by_side() -> None:
    model = colour_bank((1500, 2000), 6.0)
    for sm in CARDS:
        scratch = builds(model, "reference", sm).scratch_bytes
        assert scratch is not None
        assert scratch < 1.35 * memory_of(model).alive


@pytest.mark.parametrize("most_mb", [180, 90])
def test_the_width_that_is_named_does_not_fit_either(most_mb: int) -> None:
    with pytest.raises(EngineError, match="--gpu-mb") as refused:
        check_by_building(colour_bank((1500, 2000), 6.0), "reference", most_mb)
    (share,) = re.findall(r"(\d+) % of the picture's width fits", str(refused.value))
    smaller = 1500 * int(share) // 100, 2000 * int(share) // 100
    check_by_building(colour_bank(smaller, 6.0), "reference", most_mb)


@pytest.mark.parametrize("sm", cards(trt))
def test_a_card_gets_a_plan_and_no_fusion_kernels(sm: int) -> None:
    """They are compiled on the box: a plan without them would be refused there, and not before."""
    assert compile_cubin(source(), SOURCE, sm)


def test_a_card_that_kernels_do_not_compile_for_gets_a_plan() -> None:
    with pytest.raises(EngineError, match=r"no plan that serves on sm_75, only for sm_80, sm_86"):
        check_cards(trt, (75,))


@pytest.mark.parametrize(("bank", "most_mb"), [(filter_bank, 400), (colour_bank, 1000)])
def test_the_default_detector_takes_more_than_is_stated_at_twelve_megapixels(
    bank: Bank, most_mb: int
) -> None:
    check_by_building(bank((3000, 4000), 6.0), "reference", most_mb=most_mb)


def test_an_operator_that_is_not_built_goes_by_without_its_layers_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Also where the rules know nothing of it."""
    monkeypatch.setattr("voxgate.export.graph.real_tensorrt.check", lambda model, where: None)
    model = graph(lambda b, x: b.op("Cast", b.op("Det", x), to=onnx.TensorProto.FLOAT))
    model.graph.node[1].name = "/head/determinant"
    words = r"a model, built for sm_86: .*name: /head/determinant and operator: Det"
    with pytest.raises(EngineError, match=words):
        check_by_building(model, "a model")


def voxgate(*words: object) -> str:
    done = CliRunner().invoke(app, [str(word) for word in words])
    assert done.exit_code == 0, done.output + str(done.exception)
    return done.stdout


@pytest.mark.timeout(300)
def test_an_exported_recipe_gets_no_plan_for_a_card(tmp_path: Path) -> None:
    """From a golden scan to a recipe that carries plans, by the commands that a person types."""
    recipe = tmp_path / "bracket" / "1"
    scan = small_bracket() / "golden"
    voxgate("export", "reference", "--scan", scan, "--out", recipe, "--check-tensorrt")
    cards = ",".join(f"sm_{sm}" for sm in CARDS)
    said = json.loads(voxgate("build", recipe, "--for", cards, "--json"))
    assert [plan["sm"] for plan in said["plans"]] == list(CARDS)
    assert all(plan["needs_mb"] > plan["bytes"] / MB for plan in said["plans"])
    for plan in Recipe.load(recipe).plans:
        assert plan.content()[:4] != b"\x00" * 4
        assert len(plan.content()) > 10_000


def test_a_further_model_gets_no_plan(tmp_path: Path) -> None:
    recipe = several.write_tiny(tmp_path / "recipes")
    voxgate("build", recipe, "--for", "sm_89")
    names = {plan.section.detector for plan in Recipe.load(recipe).plans}
    assert names == {model.model_name for model in Recipe.load(recipe).models}


def test_a_check_is_promised_without_tensorrt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Said before the work, and nothing is written."""
    for name in ("tensorrt_rtx", "tensorrt_rtx_bindings"):
        monkeypatch.setitem(sys.modules, name, None)
    command = ["export", "reference", "--scan", "nowhere", "--out", str(tmp_path / "r")]
    done = CliRunner().invoke(app, [*command, "--check-tensorrt"])
    assert isinstance(done.exception, EngineError)
    assert "voxgate[plans]" in str(done.exception)
