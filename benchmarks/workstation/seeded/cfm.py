"""CFM: a transformer's weights and the two mappings' state dicts."""

from __future__ import annotations

from pathlib import Path

import torch
from anomalib.models.image.cfm.components import FeatureProjectionMLP

from voxgate.benchmarks.workstation.case import Case, at
from voxgate.benchmarks.workstation.seeded.weights import SEED, SMALL_VIT, save_backbone

FPFH_CHANNELS = 33


def cases(folder: Path, scan: Path) -> list[Case]:
    small = save_backbone(SMALL_VIT, folder / "small.pth")
    full = save_backbone("vit_base_patch14_dinov2", folder / "full.pth", img_size=518)
    tiny = ("cfm", "--backbone", SMALL_VIT, "--weights", str(small), "--input-px", "96", *at(1.5))
    return [
        Case(
            "cfm FPFH",
            (*tiny, "--shape", "fpfh", "--fpfh-step-px", "1", *_pair(folder, 192, FPFH_CHANNELS)),
        ),
        Case("cfm depth", (*tiny, *_pair(folder, 192, 192))),
        Case("cfm anomalib", (*tiny, "--checkpoint", str(save_checkpoint(folder, 192, 192)))),
        Case(
            "cfm DINOv2 B/14 + depth",
            (
                "cfm",
                "--weights",
                str(full),
                "--input-px",
                "224",
                *at(1.5),
                *_pair(folder, 768, 768),
            ),
            small=False,
            source="two mappings, or anomalib's; backbone weights",
        ),
    ]


def save_checkpoint(folder: Path, picture: int, shape: int) -> Path:
    """The layers of an anomalib checkpoint that CFM trains, with mappings of these widths."""
    torch.manual_seed(SEED)
    mappings = {
        "rgb_to_xyz_mapper": FeatureProjectionMLP(picture, shape),
        "xyz_to_rgb_mapper": FeatureProjectionMLP(shape, picture),
    }
    state = {
        f"model.{name}.{layer}": tensor
        for name, mapping in mappings.items()
        for layer, tensor in mapping.state_dict().items()
    }
    path = folder / f"cfm-{picture}-{shape}.ckpt"
    torch.save({"state_dict": state}, path)
    return path


def _pair(folder: Path, picture: int, shape: int) -> tuple[str, ...]:
    """Linear layers, as the public implementation saves them."""
    torch.manual_seed(SEED)
    arguments: list[str] = []
    widths = {"picture-to-shape": (picture, shape), "shape-to-picture": (shape, picture)}
    for name, (given, found) in widths.items():
        state = FeatureProjectionMLP(given, found).state_dict()
        flat = {n: t[:, :, 0, 0] if t.ndim == 4 else t for n, t in state.items()}
        path = folder / f"{name}-{given}-{found}.pth"
        torch.save(flat, path)
        arguments += [f"--{name}", str(path)]
    return tuple(arguments)
