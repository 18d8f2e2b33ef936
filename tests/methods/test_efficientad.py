"""EfficientAD's published forms, without the time a whole export takes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from tests.methods.agreement import agree, public_options
from voxgate.benchmarks.workstation.seeded.efficientad import (
    CHANNELS,
    save_checkpoint,
)
from voxgate.export.golden.golden import Golden
from voxgate.export.methods.efficientad.load import EfficientAdOptions, load_efficientad
from voxgate.runtime.errors import EngineError


def test_the_medium_sizes_map_is_the_graphs(small_golden: Golden, tmp_path: Path) -> None:
    given = EfficientAdOptions(checkpoint=save_checkpoint(tmp_path / "m.ckpt", "medium", CHANNELS))
    assert agree(load_efficientad(small_golden, given), small_golden) < 1e-4


@pytest.mark.parametrize("teacher_normalisation", [True, False])
def test_the_public_networks_map_is_the_graphs(
    small_golden: Golden, tmp_path: Path, teacher_normalisation: bool
) -> None:
    given = public_options(tmp_path, teacher_normalisation=teacher_normalisation)
    assert agree(load_efficientad(small_golden, given), small_golden) < 1e-4


def test_a_normalisation_file_is_used(small_golden: Golden, tmp_path: Path) -> None:
    file = tmp_path / "normalisation.npz"
    np.savez(file, mean=np.zeros(32), std=np.ones(32), q_st=[0.0, 0.2], q_ae=[0.0, 0.01])
    given = public_options(tmp_path, normalisation=file)
    assert agree(load_efficientad(small_golden, given), small_golden) < 1e-4
    np.savez(file, mean=np.zeros(32))
    with pytest.raises(EngineError, match="q_st"):
        load_efficientad(small_golden, given)


def test_half_of_a_network_is_named(small_golden: Golden, tmp_path: Path) -> None:
    given = public_options(tmp_path)
    assert given.student is not None
    state = torch.load(given.student)
    torch.save({n: t for n, t in state.items() if not n.startswith("6.")}, given.student)
    with pytest.raises(EngineError, match=r"student\.pth: lacks conv3"):
        load_efficientad(small_golden, given)
