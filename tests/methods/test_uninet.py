"""UniNet by day: its smallest model is a large one, and whole scans of it wait for the night."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.methods.agreement import agree
from voxgate.benchmarks.workstation.seeded import uninet
from voxgate.export.golden.golden import Golden
from voxgate.export.methods.uninet import load_uninet
from voxgate.runtime.errors import EngineError


def test_a_map_is_another_than_anomalibs(small_golden: Golden, tmp_path: Path) -> None:
    path = uninet.save_checkpoint(tmp_path / "c.ckpt", uninet.SMALL, 64)
    assert agree(load_uninet(small_golden, path), small_golden) < 1e-4


def test_a_teacher_that_torchvision_does_not_know_ends_in_its_words(
    small_golden: Golden, tmp_path: Path
) -> None:
    built = {"pre_processor": True, "teacher_backbone": "nonesuch"}
    torch.save(
        {"state_dict": {"model.x": torch.ones(1)}, "hyper_parameters": built}, tmp_path / "c.ckpt"
    )
    with pytest.raises(EngineError, match="none of torchvision's"):
        load_uninet(small_golden, tmp_path / "c.ckpt")
