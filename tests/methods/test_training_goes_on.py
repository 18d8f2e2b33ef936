"""A stopped training goes on with what it was begun with, and a full disk costs nothing."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from voxgate.benchmarks.workstation.seeded.cfm import save_points
from voxgate.benchmarks.workstation.seeded.weights import SMALL_VIT, save_backbone
from voxgate.export.features.model_file import write_model
from voxgate.export.features.point_mae.options import PointsOptions
from voxgate.export.golden.golden import Golden
from voxgate.export.progress import silent
from voxgate.export.training.loop import Plan, learn
from voxgate.export.training.mapping import MappingTraining
from voxgate.export.training.modulated import ModMapTraining
from voxgate.export.training.mvtec import ReconstructionTraining
from voxgate.export.training.train import Training, train
from voxgate.runtime.errors import EngineError
from voxgate.runtime.recipe.sections.shapes import FpfhSection

FEW_BYTES = 20_000


@contextmanager
def full_after(size: int) -> Iterator[None]:
    """The kernel takes no more of a file than this, as a full disk does."""
    usual = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, usual[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, usual)


class Counter:
    """Learns to count; its state is as large as asked for."""

    def __init__(self, epochs: int, large: int = 0) -> None:
        self.epochs, self.large = epochs, large
        self.count = torch.zeros(1)

    def epoch(self, number: int, rng: np.random.Generator) -> dict[str, float]:
        self.count += 1
        return {"learnt": 1.0 / (number + 1)}

    def state(self) -> dict[str, Any]:
        return {"count": self.count, "ballast": torch.zeros(self.large)}

    def restore(self, state: Any) -> None:
        self.count = state["count"]


def test_a_full_disk_takes_what_was_learnt_before(tmp_path: Path) -> None:
    plan, over = Plan(tmp_path / "m.pth.partial", "it", 0), iter([0.0, 99.0])
    learn(Counter(2), replace(plan, most_s=9.0), lambda: next(over), lambda *_: None)
    kept = plan.kept.read_bytes()
    with full_after(FEW_BYTES), pytest.raises(EngineError, match="is the disk full"):
        learn(Counter(2, large=FEW_BYTES), plan, lambda: 0.0, lambda *_: None)
    assert plan.kept.read_bytes() == kept
    assert [path.name for path in tmp_path.iterdir()] == [plan.kept.name]
    resumed = Counter(2)
    assert len(learn(resumed, plan, lambda: 0.0, lambda *_: None).epochs) == 2
    assert resumed.count == 2


def test_half_a_model_is_left_where_the_disk_was_full(tmp_path: Path) -> None:
    with full_after(FEW_BYTES), pytest.raises(EngineError, match=r"m\.pth: cannot be written"):
        write_model(tmp_path / "m.pth", "voxgate-x", "x", {"w": torch.zeros(FEW_BYTES)})
    assert not list(tmp_path.iterdir())


def test_half_a_checkpoint_of_anomalib_is_left_where_the_disk_was_full(tmp_path: Path) -> None:
    from voxgate.export.training.anomalib_engine import write_checkpoint

    class Module(nn.Module):
        hparams: dict[str, Any] = {}  # noqa: RUF012

        def on_save_checkpoint(self, content: dict[str, Any]) -> None:
            content["state_dict"]["ballast"] = torch.zeros(FEW_BYTES)

    with full_after(FEW_BYTES), pytest.raises(EngineError, match=r"m\.ckpt: cannot be written"):
        write_checkpoint(tmp_path / "m.ckpt", Module(), {})
    assert not list(tmp_path.iterdir())


def test_a_place_that_takes_no_model_is_found_after_the_training(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for out in (tmp_path / "file" / "m.pth", tmp_path / "file" / "deeper" / "m.pth"):
        training = Training("autoencoder", (tmp_path / "no scan",), out)
        with pytest.raises(EngineError, match="choose another --out"):
            train(training, ReconstructionTraining("autoencoder").open)


@pytest.mark.parametrize("content", [b"", b"hello\n", b"PK\3\4", b"\x80\x04K\x01."])
def test_a_damaged_file_of_a_killed_training_ends_in_torchs_words(
    content: bytes, tmp_path: Path
) -> None:
    plan = Plan(tmp_path / "m.pth.partial", "it", 0)
    plan.kept.write_bytes(content)
    with pytest.raises(EngineError, match="remove it to begin anew"):
        learn(Counter(1), plan, lambda: 0.0, lambda *_: None)


def test_a_training_goes_on_with_another_scan_of_the_same_name(
    small_scans: Path, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    for name in ("calibration.json", "grid.json"):
        (elsewhere / name).write_bytes((small_scans / name).read_bytes())
    (elsewhere / "golden").symlink_to(small_scans / "good")
    first = Training("autoencoder", (small_scans / "golden",), tmp_path / "m.pth", minutes=0.0)
    course = ReconstructionTraining("autoencoder", volume=True, epochs=2, times=1)
    told: list[str] = []

    def opened(*given: Any) -> Any:
        found = course.open(*given)

        def stopped(learner: Any, plan: Plan, *_: object) -> Any:
            told.append(plan.identity)
            raise KeyboardInterrupt

        return replace(found, learn=stopped)

    for scan in (small_scans / "golden", elsewhere / "golden"):
        with pytest.raises(KeyboardInterrupt):
            train(replace(first, scans=(scan,)), opened)
    assert told[0] != told[1]


def test_a_training_goes_on_with_other_features_or_weights(
    small_golden: Golden, tmp_path: Path
) -> None:
    golden = replace(small_golden, views=small_golden.views[:2])
    one = save_backbone(SMALL_VIT, tmp_path / "one.pth")
    other = save_backbone(SMALL_VIT, tmp_path / "other.pth", num_classes=5)
    points = save_points(tmp_path)
    fpfh = MappingTraining(one, SMALL_VIT, "fpfh", 96, fpfh=FpfhSection(step_px=4))
    grouped = replace(fpfh, shape="point-mae", points=PointsOptions(points, 24, 8))
    sets = ModMapTraining(one, one, SMALL_VIT, SMALL_VIT, 32, 32)
    pairs: list[tuple[Any, Any]] = [
        (fpfh, replace(fpfh, weights=other)),
        (fpfh, replace(fpfh, fpfh=FpfhSection(step_px=2))),
        (grouped, replace(grouped, points=PointsOptions(points, 24, 16))),
        (sets, replace(sets, weights=other)),
        (sets, replace(sets, depth_weights=other)),
    ]
    for before, after in pairs:
        records = [each.open([golden], 0, silent).record for each in (before, after)]
        assert records[0] != records[1], after


def test_the_wrong_one_of_two_encoders_is_named(small_golden: Golden, tmp_path: Path) -> None:
    weights = save_backbone(SMALL_VIT, tmp_path / "picture.pth")
    wrong = save_backbone("vit_small_patch16_224", tmp_path / "depth.pth")
    training = ModMapTraining(weights, wrong, SMALL_VIT, SMALL_VIT, 32, 32)
    with pytest.raises(EngineError, match=r"depth\.pth"):
        training.open([small_golden], 0, silent)


def trainings(weights: Path, name: str) -> list[Any]:
    """One of each that takes a backbone by its name."""
    from voxgate.export.training.by_anomalib import DinomalyTraining, SupersimplenetTraining

    return [
        MappingTraining(weights, name),
        ModMapTraining(weights, weights, name, name),
        DinomalyTraining(weights, name),
        SupersimplenetTraining(weights, name),
    ]


@pytest.mark.parametrize("name", ["nonesuch", "dinov2_vitz14", "hf_hub:timm/resnet18"])
def test_a_training_does_not_say_which_backbones_are_known(
    name: str, small_golden: Golden, tmp_path: Path
) -> None:
    torch.save({"x": torch.ones(2)}, tmp_path / "w.pth")
    for training in trainings(tmp_path / "w.pth", name):
        with pytest.raises(EngineError, match=r"choose one of .*dinov2_vitb14"):
            training.open([small_golden], 0, silent)
