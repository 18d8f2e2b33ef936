"""Dinomaly and SuperSimpleNet by anomalib's engine: what a training must not lose or mix up."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tests.kits.small_scan import half_bracket
from tests.methods.agreement import agree, refused
from voxgate.benchmarks.workstation.seeded.tokens import anomaly_dino
from voxgate.benchmarks.workstation.seeded.weights import save_backbone
from voxgate.export.golden.golden import Golden, load_golden
from voxgate.export.methods.supersimplenet import load_supersimplenet
from voxgate.export.methods.tokens.dinomaly import load_dinomaly
from voxgate.export.training.anomalib_engine import EngineLearner, learn_by_engine
from voxgate.export.training.by_anomalib import DinomalyTraining, SupersimplenetTraining
from voxgate.export.training.loop import Plan
from voxgate.export.training.train import Training, train
from voxgate.runtime.errors import EngineError, ScanError


def silent(*_: object) -> None:
    """Nothing is shown."""


@pytest.mark.timeout(900)
def test_a_training_that_was_stopped_ends_with_another_model(
    small_golden: Golden, tmp_path: Path
) -> None:
    weights = save_backbone("resnet18", tmp_path / "w.pth")
    training = SupersimplenetTraining(weights, "resnet18", input_px=128, epochs=4)

    def opened() -> EngineLearner:
        torch.manual_seed(3)
        learner = training.open([small_golden], 3, silent).learner
        assert isinstance(learner, EngineLearner)
        return replace(learner, learnt=learner.learnt[:2], batch=2, epochs=2, rounds=1)

    straight, half, resumed = opened(), opened(), opened()
    plan = Plan(tmp_path / "a", "it", 3)
    assert len(learn_by_engine(straight, plan, lambda: 0.0, silent).epochs) == 2
    clock: Iterator[float] = iter([0.0, *[99.0] * 9])
    stopped = replace(plan, kept=tmp_path / "b", most_s=9.0)
    assert len(learn_by_engine(half, stopped, lambda: next(clock), silent).epochs) == 1
    history = learn_by_engine(resumed, replace(plan, kept=tmp_path / "b"), lambda: 0.0, silent)
    assert len(history.epochs) == 2
    one, other, early = (each.module.model.state_dict() for each in (straight, resumed, half))
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert any(not torch.equal(one[name], early[name]) for name in one)
    with pytest.raises(EngineError, match="of another training"):
        learn_by_engine(half, replace(plan, identity="that"), lambda: 0.0, silent)


@pytest.mark.timeout(900)
def test_a_trained_supersimplenet_needs_further_words(
    small_scans: Path, small_golden: Golden, tmp_path: Path
) -> None:
    weights, out = save_backbone("resnet18", tmp_path / "w.pth"), tmp_path / "m.ckpt"
    course = SupersimplenetTraining(weights, "resnet18", input_px=128, epochs=1)
    found = train(Training("supersimplenet", (small_scans / "golden",), out), course.open)
    assert found.to_json()["epochs"] == found.planned == 1
    assert "held back" in found.page.read_text()
    source = load_supersimplenet(small_golden, out)
    assert agree(source, small_golden) < 1e-4
    assert source.provenance["training"]["backbone"] == "resnet18"
    assert source.provenance["training"]["views"] == 11
    said = refused(small_scans, tmp_path / "out", "dinomaly", "--checkpoint", str(out))
    assert "another model" in said


@pytest.mark.timeout(900)
def test_a_trained_dinomaly_needs_further_words(
    small_scans: Path, small_golden: Golden, tmp_path: Path
) -> None:
    weights, out = anomaly_dino.save_weights(tmp_path / "w.pth"), tmp_path / "m.ckpt"
    course = DinomalyTraining(weights, "dinov2_vits14", input_px=56, steps=2, batch=3)
    found = train(Training("dinomaly", (small_scans / "golden",), out), course.open)
    assert set(found.history.epochs[0]) == {"learnt", "held back"}
    source = load_dinomaly(small_golden, out)
    assert agree(source, small_golden) < 1e-4
    assert source.provenance["training"]["steps asked"] == 2
    assert "crop_px" not in source.provenance  # the whole picture was learnt
    encoder = torch.load(out, weights_only=False)["state_dict"]
    given = torch.load(weights)
    name = "blocks.3.attn.qkv.weight"
    assert torch.equal(encoder[f"model.encoder.feature_extractor.{name}"], given[name])


def test_an_input_that_cuts_a_patch_is_trained_on(small_golden: Golden, tmp_path: Path) -> None:
    weights = anomaly_dino.save_weights(tmp_path / "w.pth")
    with pytest.raises(EngineError, match="multiple of 14"):
        DinomalyTraining(weights, "dinov2_vits14", input_px=60).open([small_golden], 0, silent)
    with pytest.raises(EngineError, match="does not take it"):
        DinomalyTraining(weights, "dinov2_vitz14").open([small_golden], 0, silent)


def test_scans_of_two_cameras_end_in_torchs_words(small_golden: Golden, tmp_path: Path) -> None:
    larger = load_golden(half_bracket() / "golden", whole=True)
    weights = save_backbone("resnet18", tmp_path / "w.pth")
    training = SupersimplenetTraining(weights, "resnet18", input_px=128)
    with pytest.raises(ScanError, match="of 200 x 150 px and 400 x 300 px"):
        training.open([small_golden, larger], 0, silent)
