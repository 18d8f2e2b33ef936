"""ModMap from a golden scan to verdicts: its published arithmetic, and a set with a gap."""

from __future__ import annotations

import json
import shutil
from contextlib import closing
from itertools import product
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch
from torch import nn
from torch.nn import functional
from typer.testing import CliRunner

from tests.methods.agreement import exported, refused
from tests.methods.test_fidelity import enlarged, farthest, imagenet
from voxgate.benchmarks.workstation.case import at
from voxgate.benchmarks.workstation.seeded.sets.modmap import save_modmap
from voxgate.benchmarks.workstation.seeded.weights import SMALL_VIT, save_backbone
from voxgate.export.evaluation.run.evaluate import Plan, evaluate
from voxgate.export.features.backbones.load import load_tokens
from voxgate.export.golden.golden import Golden
from voxgate.export.golden.inputs import golden_inputs, golden_range_mm
from voxgate.export.graph.real_tensorrt import CARDS, builds
from voxgate.export.graph.tracing import RAW, trace
from voxgate.export.methods.modmap.load import ModMapOptions, load_modmap
from voxgate.export.methods.modmap.model_file import Encoder, TrainedModMap, write_modmap
from voxgate.export.training.modulated import ModMapLearner, SeenSet
from voxgate.runtime.cli import app
from voxgate.runtime.config.limits import Limits
from voxgate.runtime.config.settings import DEFAULTS
from voxgate.runtime.inspection.inspector import Inspector
from voxgate.runtime.nouns import Outcome, Reason, Verdict, View
from voxgate.runtime.recipe.recipe import Recipe
from voxgate.runtime.scans.open_scan import open_scan
from voxgate.runtime.scans.placed import views_of
from voxgate.runtime.scans.scan import Scan

SIDE, TARGET = 96, 5
State = dict[str, torch.Tensor]


def options(folder: Path, views: int) -> ModMapOptions:
    weights = save_backbone(SMALL_VIT, folder / "w.pth")
    checkpoint = save_modmap(folder / "modmap.pth", views, (192, 192))
    return ModMapOptions(checkpoint, weights, weights, SMALL_VIT, SMALL_VIT, SIDE, SIDE)


def modulated(state: State, x: torch.Tensor, source: int, target: int, views: int) -> torch.Tensor:
    """FiLM by a perceptron of the two views' one-hot words."""
    word = torch.zeros(1, 2 * views)
    word[0, source] = word[0, views + target] = 1.0
    hidden = functional.gelu(functional.linear(word, state["mlp.0.weight"], state["mlp.0.bias"]))
    gamma, beta = functional.linear(hidden, state["mlp.2.weight"], state["mlp.2.bias"]).chunk(
        2, dim=1
    )
    return gamma * x + beta


def mapped(state: State, x: torch.Tensor) -> torch.Tensor:
    for name in ("input", "projection"):
        x = functional.gelu(functional.linear(x, state[f"{name}.weight"], state[f"{name}.bias"]))
    return functional.linear(x, state["output.weight"], state["output.bias"])


def test_the_map_of_a_view_is_not_the_published_one(small_golden: Golden, tmp_path: Path) -> None:
    count = len(small_golden.views)
    asked = options(tmp_path, count)
    source = load_modmap(small_golden, asked)
    assert source.together is not None
    sees, pairs = (ort.InferenceSession(trace(s).SerializeToString()) for s in source.together)
    given = list(golden_inputs(small_golden, ["image", "depth_mm"]))
    views = np.stack([sees.run([RAW], shown)[0][0, 0] for shown in given])[None]
    network = load_tokens(SMALL_VIT, tmp_path / "w.pth", (SIDE, SIDE))
    near, far = golden_range_mm(small_golden)
    pictures: list[np.ndarray] = []
    depths: list[np.ndarray] = []
    for shown in given:
        depth = shown["depth_mm"][0, 0].astype(np.float64)
        scaled = np.clip((depth - near) / (far - near), 0, 1) * (depth > 0)
        for plane, found in ((shown["image"][0, 0], pictures), (scaled * 255, depths)):
            square = np.pad(plane, ((25, 25), (0, 0)), "edge")
            with torch.no_grad():
                found.append(network(imagenet(square[None, None], SIDE))[0].flatten(1).T)
    both = torch.cat([torch.stack(pictures), torch.stack(depths)], dim=2).numpy()
    assert farthest(views[0], both) < 1e-4

    parts = torch.load(asked.checkpoint)
    least = {}
    for name, there, back in (("image2depth", pictures, depths), ("depth2image", depths, pictures)):
        modality = "image" if name == "image2depth" else "depth"
        errors = []
        for number in range(count):
            x = modulated(parts[f"modulator_{modality}"], there[number], number, TARGET, count)
            foretold = mapped(parts[f"model_{name}"], x)
            errors.append(1 - functional.cosine_similarity(foretold, back[TARGET], dim=-1))
        least[name] = torch.stack(errors).min(dim=0).values.reshape(6, 6).double().numpy()
    want = np.prod([enlarged(small, (200, 200))[25:175] for small in least.values()], axis=0)
    want *= given[TARGET]["depth_mm"][0, 0] > 0
    found = []
    for number in range(count):
        pair = np.array([number, TARGET], np.uint8).reshape(1, 1, 1, 2)
        two = {"source": views[:1, number][None], "target": views[:1, TARGET][None]}
        found.append(pairs.run([RAW], {**two, "pair": pair})[0])
    scores = ort.InferenceSession(trace(source).SerializeToString())
    shown = {"errors": np.min(found, axis=0), "depth_mm": given[TARGET]["depth_mm"]}
    assert farthest(scores.run([RAW], shown)[0][0, 0], want) < 1e-3
    back = pairs.run([RAW], {**two, "pair": pair[..., ::-1].copy()})[0]
    assert farthest(back[0, 0], found[-1][0, 0]) > 1e-2  # views are told apart


def test_a_step_of_modmap_is_not_the_published_one() -> None:
    """Worked out again with modules as its authors write them: one-hot words, one cycle."""
    generator = torch.Generator().manual_seed(3)
    views, patches, a, b = 3, 5, 6, 4
    seen = SeenSet(
        torch.randn(views, patches, a, generator=generator),
        torch.randn(views, patches, b, generator=generator),
    )
    torch.manual_seed(1)
    learner = ModMapLearner([seen], epochs=2)
    names = ("model_image2depth", "model_depth2image", "modulator_image", "modulator_depth")
    states = {n: learner.networks.parts()[n].state_dict() for n in names}
    parts = {n: nn.ParameterDict({k.replace(".", "/"): t.clone() for k, t in s.items()})
             for n, s in states.items()}  # fmt: skip
    optimizer = torch.optim.Adam([p for part in parts.values() for p in part.values()], 1e-4)
    rate = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=5e-4, total_steps=2, pct_start=0.1, cycle_momentum=False
    )
    plain = {n: {k.replace("/", "."): t for k, t in part.items()} for n, part in parts.items()}
    cosine = nn.CosineSimilarity(dim=-1)
    for number in range(2):
        losses = []
        for source, target in product(range(views), repeat=2):
            x = modulated(plain["modulator_image"], seen.picture[source], source, target, views)
            shape = 1 - cosine(mapped(plain["model_image2depth"], x), seen.shape[target]).mean()
            x = modulated(plain["modulator_depth"], seen.shape[source], source, target, views)
            picture = 1 - cosine(mapped(plain["model_depth2image"], x), seen.picture[target]).mean()
            losses.append(shape + picture)
        optimizer.zero_grad()
        torch.stack(losses).mean().backward()
        optimizer.step()
        rate.step()
        learner.epoch(number, np.random.default_rng(number))
    for name in names:
        for layer, found in learner.networks.parts()[name].state_dict().items():
            assert torch.allclose(found, plain[name][layer], atol=1e-6), (name, layer)


@pytest.fixture(scope="module")
def trained(small_scans: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of one golden scan, a few epochs; the encoders' files are gone."""
    folder = tmp_path_factory.mktemp("modmap")
    weights, out = save_backbone(SMALL_VIT, folder / "w.pth"), folder / "modmap.pth"
    encoders = ("--weights", str(weights), "--depth-weights", str(weights), "--backbone", SMALL_VIT)
    sizes = ("--depth-backbone", SMALL_VIT, "--input-px", "96", "--depth-px", "96")
    asked = ["train", "modmap", *encoders, *sizes, "--epochs", "4"]
    golden = ("--scan", str(small_scans / "golden"))
    done = CliRunner().invoke(app, [*asked, *golden, "--out", str(out), "--json"])
    assert done.exit_code == 0, done.output + str(done.exception)
    assert json.loads(done.stdout)["losses"]["to shape"] < 1.0  # two vectors by chance
    weights.unlink()
    return out


@pytest.fixture(scope="module")
def served(trained: Path, small_scans: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its recipe, in FP16. Four epochs tell little: the golden part is nearly as strange as
    anything."""
    recipe = tmp_path_factory.mktemp("served") / "recipe"
    asked = ("modmap", "--checkpoint", str(trained), "--precision", "fp16", *at(0.2))
    full, reduced = exported(asked, small_scans, recipe)["parity"]
    assert full["relative_error"] <= 1e-4
    assert full["part_score_error"] < reduced["part_score_error"] <= 1e-2
    assert full["agreeing"] == reduced["agreeing"] == reduced["scans"] == 3
    return recipe


def test_a_set_in_half_precision_is_served_in_full(served: Path) -> None:
    loaded = Recipe.load(served)
    for section, model in zip(loaded.manifest.detectors, loaded.models[1:], strict=True):
        assert section.precision == model.manifest.precision == "fp16"
        weights = onnx.load_from_string(model.model).graph.initializer
        assert onnx.TensorProto.FLOAT16 in {each.data_type for each in weights}
        off = {row["precision"]: row["relative_error"] for row in section.provenance["parity"]}
        assert off["fp32"] <= 1e-4
        assert off["fp32"] < off["fp16"] <= 1e-2


@pytest.mark.timeout(600)
def test_no_card_builds_a_set_in_half_precision(served: Path) -> None:
    pytest.importorskip("tensorrt_rtx_bindings", reason="no wheel for this Python or processor")
    models = Recipe.load(served).models
    assert len(models) == 3
    for model, sm in product(models, CARDS):
        builds(onnx.load_from_string(model.model), f"modmap {model.model_name} fp16", sm)


@pytest.mark.timeout(600)
def test_a_trained_modmap_is_served_by_fewer_views(served: Path, small_scans: Path) -> None:
    loaded = Recipe.load(served)
    scan = open_scan(small_scans / "bad")
    with_all, with_gap = (verdict_of(loaded, scan, leave_out) for leave_out in (None, 4))
    assert len(with_all.views) == 12
    assert with_all.score is not None
    assert with_gap.outcome is Outcome.INDETERMINATE
    assert Reason.MISSING_VIEW in with_gap.reasons
    # a set with a gap is none: what it would say there, nobody trained it for
    assert max(view.peak_score for view in with_gap.views) == 0.0
    assert max(view.peak_score for view in with_all.views) > 0.0


@pytest.mark.timeout(600)
def test_a_set_is_evaluated_by_other_scores_than_its_verdicts(
    served: Path, small_scans: Path, tmp_path: Path
) -> None:
    part = tmp_path / "bracket"
    shutil.copytree(small_scans, part)
    for name in ("good", "bad"):
        (part / "test").mkdir(exist_ok=True)
        (part / name).rename(part / "test" / name)
    found = evaluate(Plan(source=served, folder=part, store=tmp_path / "store"))
    assert not found.failed
    assert len(found.records) == 2
    loaded = Recipe.load(served)
    for record in found.records:
        scan = open_scan(part / "test" / Path(record.name).name)
        verdict = verdict_of(loaded, scan, None)
        assert (record.outcome, record.score) == (verdict.outcome.value, verdict.score)
        # what every view says is heard one by one too: rules of fusion stand beside the runtime's
        assert record.rules["max"] == record.score > 0


def test_a_set_is_exported_in_a_precision_that_nobody_held_to_it(
    trained: Path, small_scans: Path, tmp_path: Path
) -> None:
    given = ("modmap", "--checkpoint", str(trained), "--precision", "int8")
    assert "choose --precision fp16" in refused(small_scans, tmp_path / "out", *given)


def test_what_a_person_says_of_a_trained_modmap_is_passed_over(
    small_scans: Path, tmp_path: Path
) -> None:
    encoder = Encoder(SMALL_VIT, {}, "", SIDE)
    write_modmap(tmp_path / "m.pth", TrainedModMap(encoder, encoder, "pad", (1.0, 2.0), {}, {}))
    given = (small_scans, tmp_path / "out", "modmap", "--checkpoint", str(tmp_path / "m.pth"))
    assert "with --depth-px 96" in refused(*given, "--depth-px", "112")
    assert "leave --depth-weights out" in refused(*given, "--depth-weights", str(tmp_path))


def verdict_of(recipe: Recipe, scan: Scan, leave_out: int | None) -> Verdict:
    with closing(Inspector.open(recipe, scan.calibration, Limits())) as inspector:
        arrivals = [v for v in views_of(scan, DEFAULTS.max_gap_ns, 1.0) if isinstance(v, View)]
        return inspector.inspect(a for number, a in enumerate(arrivals) if number != leave_out)


def test_a_modmap_of_another_plan_is_served(small_scans: Path, tmp_path: Path) -> None:
    asked = options(tmp_path, 7)
    weights = ("--weights", str(asked.weights), "--depth-weights", str(asked.weights))
    words = ("--backbone", SMALL_VIT, "--depth-backbone", SMALL_VIT)
    sizes = ("--input-px", "96", "--depth-px", "96")
    given = ("modmap", "--checkpoint", str(asked.checkpoint), *words)
    said = refused(small_scans, tmp_path / "out", *given, *weights, *sizes)
    assert "knows 7 views, the golden scan has 12" in said
    assert "--depth-weights" in refused(small_scans, tmp_path / "out", *given, *sizes)
    save_modmap(asked.checkpoint, 12, (192, 192))
    uneven = ("--input-px", "96", "--depth-px", "128")
    assert "as many" in refused(small_scans, tmp_path / "out", *given, *weights, *uneven)
    mappings = ("modmap", "--checkpoint", str(asked.weights), *words, *weights, *sizes)
    assert "checkpoint of ModMap" in refused(small_scans, tmp_path / "out", *mappings)
