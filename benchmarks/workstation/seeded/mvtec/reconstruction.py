"""Encoder and decoder of MVTec 3D-AD's benchmark, trained a few steps on the golden scan: enough
that the golden part is not the strangest thing they can be shown."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import torch
from torch import nn

from voxgate.benchmarks.workstation.case import Case, at
from voxgate.benchmarks.workstation.seeded.weights import SEED
from voxgate.export.golden.golden import Golden, load_golden
from voxgate.export.golden.inputs import golden_inputs
from voxgate.export.methods.mvtec.inputs import far_mm, golden_cube, plain_depth, plain_voxels
from voxgate.export.methods.mvtec.networks import decoder, encoder
from voxgate.export.methods.mvtec.reconstruction import SIDE
from voxgate.runtime.fusion.voxels import VoxelGrid

STEPS = 40
RATE = 2e-3
NARROW = (4, 8, 8, 16)  # of the small voxel network
SOURCE = "two state dicts"
VOXEL = ("--shape", "voxel")


def pair_cases(method: str, role: str, folder: Path, scan: Path) -> list[Case]:
    """The small cases, then those of the published size, whose training takes half a minute."""
    depth = save_pair(folder / "fd", scan, 1, 512, False, role=role)
    voxel = save_pair(folder / "fv", scan, 1, 512, True, role=role)
    return [
        *small_pair_cases(method, role, folder, scan),
        Case(f"{method} depth", (method, *at(0.3), *depth), small=False, source=SOURCE),
        Case(f"{method} voxel", (method, *VOXEL, *voxel), small=False, source=SOURCE),
    ]


def small_pair_cases(method: str, role: str, folder: Path, scan: Path) -> list[Case]:
    """role: what the method calls the network after the encoder."""
    depth = save_pair(folder / "sd", scan, 4, 16, False, role=role)
    voxel = save_pair(folder / "sv", scan, 1, 16, True, NARROW, role=role)
    return [
        Case(f"{method} depth", (method, "--colour", *at(0.3), *depth)),
        Case(f"{method} voxel", (method, *VOXEL, *voxel)),
    ]


def save_pair(
    stem: Path,
    scan: Path,
    channels: int,
    latent: int,
    volume: bool,
    widths: tuple[int, ...] = (),
    role: str = "decoder",
) -> tuple[str, ...]:
    """The command's options for both files; role: what it calls the second one."""
    torch.manual_seed(SEED)
    down, up = stem.with_suffix(".encoder.pth"), stem.with_suffix(f".{role}.pth")
    pair = encoder(channels, latent, volume, widths), decoder(channels, latent, volume, widths)
    seen = _cube(_golden(scan)) if volume else _depths(_golden(scan), channels > 1)
    _train(nn.Sequential(*pair), seen)
    torch.save(pair[0].state_dict(), down)
    torch.save(pair[1].state_dict(), up)
    return "--encoder", str(down), f"--{role}", str(up)


@cache
def _golden(scan: Path) -> Golden:
    return load_golden(scan)


def _train(network: nn.Sequential, seen: list[torch.Tensor]) -> None:
    optimiser = torch.optim.Adam(network.parameters(), RATE)
    for step in range(STEPS):
        given = seen[step % len(seen)]
        optimiser.zero_grad()
        nn.functional.mse_loss(network(given), given).backward()
        optimiser.step()


def _depths(golden: Golden, colour: bool) -> list[torch.Tensor]:
    inputs = golden_inputs(golden, ["depth_mm", "image"])
    far = far_mm(golden)
    return [torch.from_numpy(plain_depth(i, golden.rays, SIDE, far, colour)) for i in inputs]


def _cube(golden: Golden) -> list[torch.Tensor]:
    grid = VoxelGrid(golden_cube(golden))
    for view in golden.views:
        grid.add(view, golden.rays, np.eye(4), golden.table_z_mm)
    return [torch.from_numpy(plain_voxels(grid.tensors(), False))]
