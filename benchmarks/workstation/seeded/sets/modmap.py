"""ModMap: two transformers' weights and the published file of its four parts."""

from __future__ import annotations

from pathlib import Path

import torch

from voxgate.benchmarks.workstation.case import Case, at
from voxgate.benchmarks.workstation.seeded.weights import SEED, SMALL_VIT, save_backbone
from voxgate.export.methods.modmap.networks import ModMapNetworks, Modulator

FEATURES = 192  # of the small transformer


def small_cases(folder: Path, scan: Path) -> list[Case]:
    small = str(save_backbone(SMALL_VIT, folder / "small.pth"))
    tiny = (
        "modmap", "--weights", small, "--backbone", SMALL_VIT, "--depth-weights", small,
        "--depth-backbone", SMALL_VIT, "--input-px", "96", "--depth-px", "96",
    )  # fmt: skip
    published = save_modmap(folder / "modmap.pth", _views(scan), (FEATURES, FEATURES))
    return [Case("modmap", (*tiny, "--checkpoint", str(published), *at(0.5)))]


def cases(folder: Path, scan: Path) -> list[Case]:
    full = save_backbone("vit_base_patch14_reg4_dinov2", folder / "full.pth", img_size=518)
    depth = save_backbone("vit_small_patch16_dinov3", folder / "depth.pth")
    large = save_modmap(folder / "modmap-full.pth", _views(scan), (768, 384))
    return [
        *small_cases(folder, scan),
        Case(
            "modmap DINOv2 B/14 + S/16 of depth",
            (
                "modmap", "--weights", str(full), "--depth-weights", str(depth),
                "--checkpoint", str(large), "--input-px", "224", "--depth-px", "256", *at(0.5),
            ),
            small=False,
            source="`voxgate train modmap`; its published file and both encoders' weights",
        ),
    ]  # fmt: skip


def _views(scan: Path) -> int:
    return len((scan / "frames.jsonl").read_text().splitlines())


def save_modmap(path: Path, views: int, widths: tuple[int, int]) -> Path:
    """As its authors save it, modulators that do something."""
    torch.manual_seed(SEED)
    networks = ModMapNetworks(views, widths)
    for part in networks.modules():
        if isinstance(part, Modulator):
            torch.nn.init.normal_(part.mlp[2].weight, std=0.3)
    torch.save({name: part.state_dict() for name, part in networks.parts().items()}, path)
    return path
