"""CFM: a transformer's weights and the two mappings' state dicts."""

from __future__ import annotations

from pathlib import Path

import torch
from anomalib.models.image.cfm.components import FeatureProjectionMLP

from voxgate.benchmarks.workstation.case import Case, at
from voxgate.benchmarks.workstation.seeded.weights import SEED, SMALL_VIT, save_backbone
from voxgate.export.features.point_mae.weights import seeded_points

FPFH_CHANNELS, POINT_MAE = 33, 1152


def small_cases(folder: Path, scan: Path) -> list[Case]:
    small = save_backbone(SMALL_VIT, folder / "small.pth")
    tiny = ("cfm", "--backbone", SMALL_VIT, "--weights", str(small), "--input-px", "96", *at(1.5))
    return [
        Case(
            "cfm FPFH",
            (*tiny, "--shape", "fpfh", "--fpfh-step-px", "1", *_pair(folder, 192, FPFH_CHANNELS)),
        ),
        Case(
            "cfm Point-MAE",
            (*tiny, *few_points(folder), "--cells", "20", *_pair(folder, 192, POINT_MAE)),
        ),
        Case("cfm depth", (*tiny, *_pair(folder, 192, 192))),
        Case("cfm anomalib", (*tiny, "--checkpoint", str(save_checkpoint(folder, 192, 192)))),
    ]


def cases(folder: Path, scan: Path) -> list[Case]:
    full = save_backbone("vit_base_patch14_dinov2", folder / "full.pth", img_size=518)
    return [
        *small_cases(folder, scan),
        Case(
            "cfm DINO B/8 + Point-MAE",
            (
                "cfm",
                "--backbone",
                "dino_vitb8",
                "--weights",
                str(_dino(folder)),
                "--input-px",
                "224",
                "--shape",
                "point-mae",
                "--cells",
                "28",
                *at(1.5),
                "--points-weights",
                str(save_points(folder)),
                *_pair(folder, 768, POINT_MAE),
            ),
            small=False,
            source="CVLAB's two mappings, or anomalib's; DINO's and Point-MAE's weights",
        ),
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


def _dino(folder: Path) -> Path:
    return save_backbone("vit_base_patch8_224.dino", folder / "dino.pth")


def few_points(folder: Path) -> tuple[str, ...]:
    """A small Point-MAE, and the options of an exporter that make it see the shape."""
    sees = ("--shape", "point-mae", "--points-weights", str(save_points(folder)))
    return (*sees, "--point-groups", "48", "--point-group-size", "16")


def save_points(folder: Path) -> Path:
    """Point-MAE's weights by chance, in the form they are published in."""
    path = folder / "point-mae.pth"
    torch.save(seeded_points(SEED), path)
    return path


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


def save_pair(folder: Path, picture: int, shape: int) -> tuple[Path, Path]:
    """Linear layers, as the public implementation saves them: to shape, and back."""
    torch.manual_seed(SEED)
    return _saved(folder / "there.pth", picture, shape), _saved(folder / "back.pth", shape, picture)


def _saved(path: Path, given: int, found: int) -> Path:
    state = FeatureProjectionMLP(given, found).state_dict()
    flat = {n: t[:, :, 0, 0] if t.ndim == 4 else t for n, t in state.items()}
    path = path.with_stem(f"{path.stem}-{given}-{found}")
    torch.save(flat, path)
    return path


def _pair(folder: Path, picture: int, shape: int) -> tuple[str, ...]:
    there, back = save_pair(folder, picture, shape)
    return "--picture-to-shape", str(there), "--shape-to-picture", str(back)
