"""`voxgate build`: progress for a person, one object for a program, one line for a mistake."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import onnx
import pytest

from tests.kits import fake_tensorrt, gpu_kit, tiny
from tests.kits.cell_kit import write_cell
from voxgate.export.packing.package import write_recipe
from voxgate.runtime.cli import main
from voxgate.runtime.plans.plan_cache import SIDECAR


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    write_recipe(tmp_path / "recipes" / "tiny" / "1", tiny.parts())
    return tmp_path / "recipes" / "tiny" / "1"


def voxgate(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *words: object
) -> tuple[int, str, str]:
    monkeypatch.setattr(sys, "argv", ["voxgate", *map(str, words)])
    with pytest.raises(SystemExit) as ended:
        main()
    out, err = capsys.readouterr()
    return int(ended.value.code or 0), out, err


def test_a_plan_is_built_beside_the_recipes(
    recipe: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    gpu_kit.install(monkeypatch)
    code, out, _ = voxgate(monkeypatch, capsys, "build", recipe)
    assert code == 0
    assert "tiny/1 for TensorRT 10.3.0 on Numpy Orin, fp32: built in" in out
    assert list((recipe.parents[1] / ".plans").glob(f"*/{SIDECAR}"))
    code, out, _ = voxgate(monkeypatch, capsys, "build", recipe)
    assert code == 0
    assert "was there already" in out


def test_with_both_tensorrts_a_person_says_which(
    recipe: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    box = gpu_kit.install(monkeypatch)
    box.gpu.capability = (8, 9)
    fake_tensorrt.install(monkeypatch, box.gpu, "rtx-1.7")
    code, _, err = voxgate(monkeypatch, capsys, "build", recipe)
    assert code == 2
    assert "tensorrt and tensorrt-rtx are installed: say which, by --flavour" in err
    code, out, _ = voxgate(monkeypatch, capsys, "build", recipe, "--flavour", "tensorrt-rtx")
    assert code == 0
    assert "tiny/1 for TensorRT for RTX 1.7.1.116 on" in out


def test_plans_for_named_cards_go_into_the_recipe(
    recipe: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    gpu_kit.install(monkeypatch, "rtx-1.7")
    code, out, _ = voxgate(monkeypatch, capsys, "build", recipe, "--for", "sm_86,sm_120")
    assert code == 0
    assert "tiny/1 for TensorRT for RTX 1.7.1.116, sm_86, fp32: " in out
    assert f"next: voxgate sign {recipe}" in out
    assert {path.name for path in recipe.glob("*.rtx")} == {"plan.sm_86.rtx", "plan.sm_120.rtx"}
    copy = recipe.parent / "copy"
    options = ("--for", "sm_89", "--out", copy, "--json")
    code, out, _ = voxgate(monkeypatch, capsys, "build", recipe, *options)
    assert code == 0
    (plan,) = json.loads(out)["plans"]
    assert (plan["sm"], plan["flavour"], plan["tensorrt"]) == (89, "tensorrt-rtx", "1.7.1.116")
    assert (copy / "plan.sm_89.rtx").exists()


def test_after_an_upgrade_what_had_a_plan_is_built_as_it_was_and_nothing_else(
    recipe: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    cell = write_cell(tmp_path)
    other = onnx.load_from_string(tiny.difference_model())
    other.doc_string = "never built"
    parts = tiny.parts(manifest=tiny.manifest(version="2"), model=other.SerializeToString())
    write_recipe(recipe.parent / "2", parts)
    box = gpu_kit.install(monkeypatch)
    rebuild = ("build", "--rebuild", "-c", cell)
    code, _, err = voxgate(monkeypatch, capsys, *rebuild)
    assert code == 2
    assert "no recipe of this cell had a plan" in err
    voxgate(monkeypatch, capsys, "build", "tiny/1", "-c", cell, "--level", 1)
    fake_tensorrt.install(monkeypatch, box.gpu, "11.4")
    code, out, _ = voxgate(monkeypatch, capsys, *rebuild, "--json")
    assert code == 0
    sidecar = json.loads(out)
    assert (sidecar["recipe"], sidecar["optimisation_level"]) == ("tiny/1", 1)
    assert sidecar["tensorrt"].startswith("11.4")
    code, out, _ = voxgate(monkeypatch, capsys, *rebuild)
    assert (code, "was there already" in out) == (0, True)


@pytest.mark.parametrize(
    ("words", "says"),
    [((), "say which recipe"), (("--rebuild",), "takes a cell"), (("x/1", "--rebuild"), "a cell")],
)
def test_what_is_to_be_built_is_not_guessed(
    words: tuple[str, ...],
    says: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    code, _, err = voxgate(monkeypatch, capsys, "build", *words)
    assert code == 2
    assert says in " ".join(err.split())


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--for", "86"), "'86' is no card; say sm_86"),
        (("--for", "sm_87"), "a Jetson builds its own"),
        (("--for", "sm_86", "--force"), "--for builds into the recipe"),
        (("--for", "sm_86", "--flavour", "tensorrt"), "--for builds into the recipe"),
        (("--out", "somewhere"), "give --for"),
    ],
)
def test_a_mistaken_card_builds_nothing(
    words: tuple[str, ...],
    says: str,
    recipe: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    gpu_kit.install(monkeypatch, "rtx-1.7")
    code, _, err = voxgate(monkeypatch, capsys, "build", recipe, *words)
    assert code == 2
    assert says in " ".join(err.split())
    assert not list(recipe.glob("*.rtx"))


def test_without_tensorrt_for_rtx_its_package_is_named(
    recipe: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("tensorrt_rtx", "tensorrt_rtx_bindings"):
        monkeypatch.setitem(sys.modules, name, None)
    code, _, err = voxgate(monkeypatch, capsys, "build", recipe, "--for", "sm_86")
    assert code == 2
    assert "TensorRT for RTX is not installed" in err
    assert "voxgate[plans]" in err


def test_a_program_reads_the_sidecar(
    recipe: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    gpu_kit.install(monkeypatch)
    options = ("--plans", tmp_path / "p", "--workspace-mb", 64, "--level", 1, "--json")
    code, out, _ = voxgate(monkeypatch, capsys, "build", recipe, *options)
    assert code == 0
    sidecar = json.loads(out)
    assert (sidecar["recipe"], sidecar["workspace_mb"], sidecar["optimisation_level"]) == (
        *("tiny/1", 64, 1),
    )
    assert list((tmp_path / "p").glob(f"*/{SIDECAR}"))


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("nowhere",), "no manifest.json here"),
        (("{recipe}",), "No module named 'tensorrt'|TensorRT is not installed"),
    ],
)
def test_a_mistake_is_one_line_and_exit_2(
    words: tuple[str, ...],
    says: str,
    recipe: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    filled = [word.format(recipe=recipe) for word in words]
    code, out, err = voxgate(monkeypatch, capsys, "build", *filled)
    assert code == 2
    assert not out
    assert len(err.strip().splitlines()) == 1
    assert any(piece in err for piece in says.split("|"))
    code, out, _ = voxgate(monkeypatch, capsys, "build", *filled, "--json")
    assert set(json.loads(out)) == {"error"}
