"""The input size of SiM3D (S.6), too slow for every run: one view at 1540 px."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.methods.agreement import agree
from voxgate.benchmarks.workstation.seeded.efficientad import save_checkpoint
from voxgate.benchmarks.workstation.seeded.weights import save_backbone, save_bank
from voxgate.export.golden.golden import Golden
from voxgate.export.methods.efficientad.load import EfficientAdOptions, load_efficientad
from voxgate.export.methods.m3dm import M3dmOptions, load_m3dm
from voxgate.export.progress import silent

SIM3D_PX = 1540
TOKENS = 384  # features of DINOv2 ViT-S


@pytest.mark.nightly
@pytest.mark.parametrize("size", ["small", "medium"])
def test_efficientad_agrees_at_1540_px(size: str, small_golden: Golden, tmp_path: Path) -> None:
    checkpoint = save_checkpoint(tmp_path / "e.ckpt", size, 384)
    options = EfficientAdOptions(checkpoint=checkpoint, input_px=SIM3D_PX)
    assert agree(load_efficientad(small_golden, options), small_golden) < 1e-4


@pytest.mark.nightly
def test_dinov2_agrees_at_1540_px(small_golden: Golden, tmp_path: Path) -> None:
    weights = save_backbone("vit_small_patch14_dinov2", tmp_path / "w.pth", img_size=518)
    np.savez(tmp_path / "svm.npz", coef=[[0.6, 0.3]], offset=[0.2])
    options = M3dmOptions(
        weights,
        "dinov2_vits14",
        picture_bank=save_bank(tmp_path / "pictures.npz", TOKENS),
        shape_bank=save_bank(tmp_path / "shapes.npz", TOKENS),
        svm=tmp_path / "svm.npz",
        input_px=SIM3D_PX,
    )
    assert agree(load_m3dm(small_golden, options, silent), small_golden) < 1e-4
