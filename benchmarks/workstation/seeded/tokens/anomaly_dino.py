"""AnomalyDINO: anomalib checkpoints, and weights with a memory of the golden scan."""

from __future__ import annotations

from pathlib import Path

import timm
import torch
from anomalib.models import AnomalyDINO

from voxgate.benchmarks.workstation.case import Case, at
from voxgate.benchmarks.workstation.seeded.tokens.small_dino import SMALL, SMALL_PX, awaken
from voxgate.benchmarks.workstation.seeded.weights import SEED, pictures, save_lightning
from voxgate.export.methods.tokens.encoder import as_in_anomalib


def small_cases(folder: Path, scan: Path) -> list[Case]:
    small = save_checkpoint(folder / "small.ckpt", SMALL_PX)
    masked = save_checkpoint(folder / "masked.ckpt", SMALL_PX, num_neighbours=3, masking=True)
    weights = str(save_weights(folder / "s14.pth"))
    own = ("--weights", weights, "--input-px", "84", "--coreset", "0.3", "--masking")
    return [
        Case("anomaly-dino", ("anomaly-dino", "--checkpoint", str(small), *at(0.2)), slow=True),
        Case("anomaly-dino masked", ("anomaly-dino", "--checkpoint", str(masked), *at(0.2))),
        Case("anomaly-dino golden", ("anomaly-dino", *own, *at(0.1)), slow=True),
    ]


def cases(folder: Path, scan: Path) -> list[Case]:
    full = save_checkpoint(folder / "full.ckpt", 252)
    weights = save_weights(folder / "full.pth")
    return [
        *small_cases(folder, scan),
        Case(
            "anomaly-dino DINOv2 S/14, 252 px",
            ("anomaly-dino", "--checkpoint", str(full), *at(0.2)),
            small=False,
            source="anomalib checkpoint",
        ),
        Case(
            "anomaly-dino DINOv2 S/14, 448 px",
            ("anomaly-dino", "--weights", str(weights), *at(0.1)),
            small=False,
            source="backbone weights + golden scan",
        ),
    ]


def save_checkpoint(path: Path, side_px: int, **options: object) -> Path:
    """As anomalib fits it: every picture once, then its memory."""
    torch.manual_seed(SEED)
    with as_in_anomalib():
        module = AnomalyDINO(
            encoder_name=SMALL,
            pre_processor=AnomalyDINO.configure_pre_processor((side_px, side_px)),
            **options,
        )
        awaken(module.model)
        module.model.train()
        for picture in pictures((side_px, side_px)):
            module.model(picture)
        module.model.fit()
    return save_lightning(module, path)


def save_weights(path: Path) -> Path:
    """A DINOv2 S/14 as its hub names it."""
    torch.manual_seed(SEED)
    network = timm.create_model(SMALL, pretrained=False)
    awaken(network)
    torch.save(network.state_dict(), path)
    return path
