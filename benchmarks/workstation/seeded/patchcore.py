"""PatchCore: an anomalib checkpoint, and backbones with a bank from the golden scan."""

from __future__ import annotations

from pathlib import Path

import torch
from anomalib.models import Patchcore

from voxgate.benchmarks.workstation.case import Case, at
from voxgate.benchmarks.workstation.seeded.weights import (
    SEED,
    SMALL_PYRAMID,
    SMALL_VIT,
    pictures,
    save_backbone,
    save_lightning,
    settle,
)


def small_cases(folder: Path, scan: Path) -> list[Case]:
    small = _checkpoint(folder / "small.ckpt", SMALL_PYRAMID, 64)
    pyramid = save_backbone(SMALL_PYRAMID, folder / "pyramid.pth")
    vit = save_backbone(SMALL_VIT, folder / "vit.pth")
    own = ("--backbone", SMALL_PYRAMID, "--weights", str(pyramid), "--input-px", "96")
    tokens = ("--backbone", SMALL_VIT, "--weights", str(vit), "--input-px", "96")
    return [
        Case("patchcore", ("patchcore", "--checkpoint", str(small))),
        Case("patchcore depth", ("patchcore", *own, "--modality", "depth", *at(0.7))),
        Case("patchcore both", ("patchcore", *own, "--modality", "both", *at(0.7))),
        Case("patchcore ViT both", ("patchcore", *tokens, "--modality", "both", *at(0.7))),
    ]


def cases(folder: Path, scan: Path) -> list[Case]:
    checkpoint = _checkpoint(folder / "full.ckpt", "wide_resnet50_2", 256)
    vit = save_backbone("vit_small_patch14_dinov2", folder / "s14.pth", img_size=518)
    tokens = ("--backbone", "dinov2_vits14", "--weights", str(vit), "--input-px", "224")
    return [
        *small_cases(folder, scan),
        Case(
            "patchcore WRN-50",
            ("patchcore", "--checkpoint", str(checkpoint)),
            small=False,
            source="anomalib checkpoint",
        ),
        Case(
            "patchcore DINOv2 S/14",
            ("patchcore", *tokens),
            small=False,
            source="backbone weights + golden scan",
        ),
    ]


def _checkpoint(path: Path, backbone: str, side_px: int) -> Path:
    torch.manual_seed(SEED)
    module = Patchcore(
        backbone=backbone,
        pre_trained=False,
        pre_processor=Patchcore.configure_pre_processor((side_px, side_px)),
    )
    settle(module.model)
    module.model.train()
    for picture in pictures((side_px, side_px)):
        module.model(picture)
    module.model.subsample_embedding(0.1)
    return save_lightning(module, path)
