"""EfficientAD from a golden scan to a recipe: steps as published, a model that names everything."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch import nn
from typer.testing import CliRunner

from tests.methods.agreement import agree, refused
from voxgate.benchmarks.workstation.seeded.efficientad import autoencoder, network_s
from voxgate.export.features.anomalib_preprocessing import Preprocess
from voxgate.export.golden.golden import Golden
from voxgate.export.methods.efficientad.load import EfficientAdOptions, load_efficientad
from voxgate.export.training.distillation import EfficientAdLearner, Networks, Pictures, hardest
from voxgate.export.training.efficientad_networks import autoencoder_of, student_of
from voxgate.runtime.cli import app

CHANNELS = 8
STEPS = Preprocess((256, 256), True, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


def test_a_trained_efficientad_needs_further_words(
    small_scans: Path, small_golden: Golden, tmp_path: Path
) -> None:
    torch.manual_seed(2)
    torch.save(network_s(CHANNELS).state_dict(), tmp_path / "teacher.pth")
    others = tmp_path / "others"
    others.mkdir()
    cv2.imwrite(str(others / "a.png"), np.random.default_rng(0).integers(0, 255, (40, 60, 3)))
    out = tmp_path / "model.pth"
    words = ["--teacher", str(tmp_path / "teacher.pth"), "--others", str(others), "--steps", "2"]
    scan = ["--scan", str(small_scans / "golden"), "--out", str(out), "--json"]
    done = CliRunner().invoke(app, ["train", "efficientad", *words, *scan])
    assert done.exit_code == 0, done.output + str(done.exception)
    assert set(json.loads(done.stdout)["losses"]) >= {"student", "autoencoder", "elsewhere"}
    source = load_efficientad(small_golden, EfficientAdOptions(checkpoint=out))
    assert agree(source, small_golden) < 1e-4
    assert source.provenance["size"] == "small"
    assert source.provenance["training"]["steps asked"] == 2
    other = ("efficientad", "--checkpoint", str(out), "--input-px", "512")
    assert "with --input-px 256" in refused(small_scans, tmp_path / "recipe", *other)


def test_a_step_of_efficientad_is_not_the_published_one() -> None:
    """Worked out again: the three losses of the public implementation, without chance in them."""
    generator = torch.Generator().manual_seed(3)
    picture = torch.rand(1, 1, 256, 256, generator=generator, dtype=torch.float64)
    torch.manual_seed(1)
    teacher = student_of("small", CHANNELS).eval().requires_grad_(False)
    student, coder = student_of("small", 2 * CHANNELS), autoencoder_of(256, CHANNELS)
    other_student, other_coder = network_s(2 * CHANNELS), autoencoder(CHANNELS)
    other_student.load_state_dict(student.state_dict())
    other_coder.load_state_dict(coder.state_dict())
    for network in (teacher, student, coder, other_student, other_coder):
        network.double()  # what the teacher says hardly differs, and is divided by its deviation
    for module in (*coder.modules(), *other_coder.modules()):
        if isinstance(module, nn.Dropout):
            module.p = 0.0
        if isinstance(module, nn.Upsample):
            module.mode = "bilinear"  # as published; the seeded one does without
    networks = Networks(teacher, student, coder)
    learner = EfficientAdLearner(networks, Pictures([picture], [picture]), STEPS, count=1)
    learner.jitter = nn.Identity()
    learner.epoch(0, np.random.default_rng(0))

    mean, std = (
        torch.tensor(numbers, dtype=torch.float64)[None, :, None, None]
        for numbers in (STEPS.mean, STEPS.std)
    )
    seen = (picture.repeat(1, 3, 1, 1) - mean) / std
    said = teacher(seen)
    middle = said.mean(dim=(0, 2, 3), keepdim=True)
    said = (said - middle) / (said - middle).square().mean(dim=(0, 2, 3), keepdim=True).sqrt()
    apart = (said - other_student(seen)[:, :CHANNELS]) ** 2
    hard = apart[apart >= torch.quantile(apart, q=0.999)].mean()
    coded = other_coder(seen)
    of_code = (coded - other_student(seen)[:, CHANNELS:]).square().mean()
    (hard + (said - coded).square().mean() + of_code).backward()
    for found, want in ((student, other_student), (coder, other_coder)):
        one, other = (torch.cat([p.grad.flatten() for p in n.parameters()]) for n in (found, want))
        assert float((one - other).abs().max() / other.abs().max()) < 1e-9
    (group,) = learner.optimizer.param_groups
    assert (group["initial_lr"], group["weight_decay"], group["betas"]) == (
        1e-4,
        1e-5,
        (0.9, 0.999),
    )


@pytest.mark.parametrize("count", [1000, 1500, 20_300])
def test_the_hardest_are_others_than_those_of_the_quantile(count: int) -> None:
    numbers = torch.randn(count, generator=torch.Generator().manual_seed(count))
    want = numbers[numbers >= torch.quantile(numbers, 0.999)]
    assert torch.equal(hardest(numbers).sort().values, want.sort().values)


def test_the_medium_teachers_layers_have_other_numbers() -> None:
    state = student_of("medium", CHANNELS).state_dict()
    assert sorted({int(name.partition(".")[0]) for name in state}) == [0, 3, 6, 8, 10, 12]
    assert state["12.weight"].shape == (CHANNELS, CHANNELS, 1, 1)
