"""CFM from a golden scan to a recipe: steps as published, a model that needs no further words."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from typer.testing import CliRunner

from tests.methods.agreement import agree, refused
from voxgate.benchmarks.workstation.seeded.cfm import save_points
from voxgate.benchmarks.workstation.seeded.weights import SMALL_VIT, save_backbone
from voxgate.export.golden.golden import Golden
from voxgate.export.methods.cfm.load import CfmOptions, load_cfm
from voxgate.export.training.mapping import CfmLearner, SeenView
from voxgate.runtime.cli import app


@pytest.mark.parametrize("shape", ["depth", "fpfh", "point-mae"])
def test_a_trained_cfm_needs_its_backbone_named_again(
    shape: str, small_scans: Path, small_golden: Golden, tmp_path: Path
) -> None:
    weights = save_backbone(SMALL_VIT, tmp_path / "w.pth")
    out = tmp_path / "cfm.pth"
    words = ["--backbone", SMALL_VIT, "--weights", str(weights), "--input-px", "96"]
    points = save_points(tmp_path)
    if shape == "point-mae":
        words += ["--points-weights", str(points), "--point-groups", "24"]
        words += ["--point-group-size", "8"]
    asked = [*words, "--shape", shape, "--epochs", "3", "--scan", str(small_scans / "golden")]
    done = CliRunner().invoke(app, ["train", "cfm", *asked, "--out", str(out), "--json"])
    assert done.exit_code == 0, done.output + str(done.exception)
    losses = json.loads(done.stdout)["losses"]
    assert losses["held back"] < 2.0  # two vectors by chance
    weights.unlink()
    points.unlink()
    source = load_cfm(small_golden, CfmOptions(checkpoint=out))
    assert agree(source, small_golden) < 1e-3
    assert source.provenance["shape"] == shape
    assert source.provenance["input_px"] == [96, 96]
    assert source.provenance["training"]["epochs"] == 3


def test_a_step_of_cfm_is_not_the_published_one() -> None:
    """Worked out again with the published code's own pieces: linear layers, Adam as it comes,
    torch's cosine similarity of 1e-6, both losses' gradients together."""
    generator = torch.Generator().manual_seed(3)
    views = [
        SeenView(torch.randn(n, 6, generator=generator), torch.randn(n, 4, generator=generator))
        for n in (9, 5)
    ]
    torch.manual_seed(1)
    learner = CfmLearner(views, views[:1], epochs=1)
    there, back = (published(learner, name) for name in ("to_shape", "to_picture"))
    optimizer = torch.optim.Adam([*there.parameters(), *back.parameters()])
    metric = nn.CosineSimilarity(dim=-1, eps=1e-06)
    for index in np.random.default_rng(7).permutation(2):
        seen, shape = views[index].picture, views[index].shape
        optimizer.zero_grad()
        (1 - metric(back(shape), seen).mean()).backward()
        (1 - metric(there(seen), shape).mean()).backward()
        optimizer.step()
    learner.epoch(0, np.random.default_rng(7))
    for found, want in ((learner.to_shape, there), (learner.to_picture, back)):
        for one, other in zip(found.parameters(), want.parameters(), strict=True):
            assert torch.allclose(one, other, atol=1e-6)


def published(learner: CfmLearner, name: str) -> nn.Sequential:
    """A copy of one mapping as it stands, of other layers."""
    state = getattr(learner, name).state_dict()
    layers: list[nn.Module] = []
    for layer in ("input", "projection", "output"):
        weight = state[f"{layer}.weight"]
        linear = nn.Linear(weight.shape[1], weight.shape[0])
        linear.weight.data = weight.clone()
        linear.bias.data = state[f"{layer}.bias"].clone()
        layers += [linear, nn.GELU()]
    return nn.Sequential(*layers[:-1])


def test_mappings_without_a_backbone_are_guessed_for(small_scans: Path, tmp_path: Path) -> None:
    from voxgate.benchmarks.workstation.seeded.cfm import save_checkpoint

    checkpoint = save_checkpoint(tmp_path, 192, 192)
    words = refused(small_scans, tmp_path / "out", "cfm", "--checkpoint", str(checkpoint))
    assert "--weights" in words
