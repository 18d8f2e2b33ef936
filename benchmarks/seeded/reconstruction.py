"""Encoder and decoder of MVTec 3D-AD's benchmark, trained a few steps on the golden scan: enough
that the golden part is not the strangest thing they can be shown."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import torch
from torch import nn

from voxgate.benchmarks.seeded.checkpoints import SEED
from voxgate.export.golden.golden import Golden, load_golden
from voxgate.export.golden.inputs import golden_inputs
from voxgate.export.methods.mvtec.inputs import far_mm, golden_cube, plain_depth, plain_voxels
from voxgate.export.methods.mvtec.networks import decoder, encoder
from voxgate.export.methods.mvtec.reconstruction import SIDE
from voxgate.runtime.inspection.voxels import VoxelGrid

STEPS = 40
RATE = 2e-3


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
