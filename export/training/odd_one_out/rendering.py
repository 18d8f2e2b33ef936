"""Views of the volume are rendered again: rays through it, what they meet on the way, summed.

Section 3.2, equation 3: volume rendering (Mildenhall et al. 2020) of colour, mask and features;
what a ray meets is interpolated between the voxels around it. Density is what is lost on the
length of a voxel, so a step of t voxels lets e^(-density t) through.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch.nn.functional import grid_sample

SAMPLES = 128  # on each ray, section 4.2
NEAREST = 1e-3
LEAST_SLOPE = 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class Rays:
    """starts (3,) and ways (r, 3), length 1, in voxels; enter and leave (r,) along them, where the
    volume begins and ends; a ray that misses it leaves where it enters."""

    start: torch.Tensor
    ways: torch.Tensor
    enter: torch.Tensor
    leave: torch.Tensor


def rays_of(picture_from_voxel: torch.Tensor, side: int, voxels: tuple[int, int, int]) -> Rays:
    """Of side x side places of a picture, row by row; picture_from_voxel (3, 4)."""
    device = picture_from_voxel.device
    inverse = torch.linalg.inv(picture_from_voxel[:, :3].double())
    start = -inverse @ picture_from_voxel[:, 3].double()
    at = (torch.arange(side, dtype=torch.float64, device=device) + 0.5) / side
    v, u = torch.meshgrid(at, at, indexing="ij")
    ways = torch.stack([u.reshape(-1), v.reshape(-1), torch.ones_like(u).reshape(-1)], 1)
    ways = ways @ inverse.T
    ways = ways / ways.norm(dim=1, keepdim=True)
    slope = torch.where(ways.abs() < LEAST_SLOPE, torch.full_like(ways, LEAST_SLOPE), ways)
    high = torch.tensor(voxels, dtype=torch.float64, device=device)
    first, last = -start / slope, (high - start) / slope
    enter = torch.minimum(first, last).amax(dim=1).clamp(min=NEAREST)
    leave = torch.maximum(torch.maximum(first, last).amin(dim=1), enter)
    found = (each.float() for each in (start, ways, enter, leave))
    return Rays(*found)


def render(
    density: torch.Tensor, carried: torch.Tensor, rays: Rays, samples: int = SAMPLES
) -> tuple[torch.Tensor, torch.Tensor]:
    """(r, c) of what the volume carries (1, c, x, y, z), and (r,) how much of each ray was met, by
    density (1, 1, x, y, z)."""
    step = (rays.leave - rays.enter) / samples
    middle = torch.arange(samples, dtype=torch.float32, device=step.device) + 0.5
    along = rays.enter[:, None] + step[:, None] * middle
    points = rays.start + rays.ways[:, None] * along[..., None]
    dense = _sampled(density, points)[0]
    through = torch.exp(-dense * step[:, None])
    before = torch.cumprod(torch.cat([torch.ones_like(step[:, None]), through[:, :-1]], 1), dim=1)
    weight = before * (1 - through)
    return (_sampled(carried, points) * weight).sum(dim=2).T, weight.sum(dim=1)


def _sampled(volume: torch.Tensor, points: torch.Tensor) -> torch.Tensor:
    """(c, r, s) of (1, c, x, y, z) at points (r, s, 3), in voxels."""
    size = torch.tensor(volume.shape[2:], dtype=torch.float32, device=volume.device)
    place = (points / size * 2 - 1).flip(-1)[None, None]
    return grid_sample(volume, place, padding_mode="border", align_corners=False)[0, :, 0]
