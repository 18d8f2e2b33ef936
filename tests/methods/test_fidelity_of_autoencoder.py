"""MVTec 3D-AD's autoencoder, worked out anew from the table of its appendix.

Parity cannot see it: both its sides run one network.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

from tests.methods.test_fidelity import Map, enlarged, farthest, first_view
from voxgate.export.golden.golden import Golden
from voxgate.export.golden.inputs import golden_range_mm
from voxgate.export.methods.mvtec.reconstruction import ReconstructionOptions, load_reconstruction

State = dict[str, torch.Tensor]
SIDE, CODE, SLOPE = 256, 512, 0.05
TABLE_3 = (
    *((32, 4, 2, 1), (32, 4, 2, 1), (32, 4, 2, 1), (32, 3, 1, 1), (64, 4, 2, 1)),
    *((64, 3, 1, 1), (128, 4, 2, 1), (64, 3, 1, 1), (32, 3, 1, 1), (CODE, 8, 1, 0)),
)
"""Channels, kernel, stride, padding of the ten convolutions of the encoder."""


def test_the_autoencoders_map_is_not_that_of_its_table(
    small_golden: Golden, tmp_path: Path
) -> None:
    down, up = seeded()
    torch.save(down, tmp_path / "encoder.pth")
    torch.save(up, tmp_path / "decoder.pth")
    files = ReconstructionOptions(tmp_path / "encoder.pth", tmp_path / "decoder.pth")
    given, found = first_view(small_golden, load_reconstruction("autoencoder", small_golden, files))
    seen = distances(small_golden, given["depth_mm"][0, 0])
    error = ((seen - decoded(up, encoded(down, seen))) ** 2)[0, 0].numpy()
    assert farthest(found, enlarged(error, found.shape)) < 1e-4


def seeded() -> tuple[State, State]:
    """Both state dicts, by the names that a training gives its layers."""
    generator = torch.Generator().manual_seed(5)
    down: State = {}
    up: State = {}
    given = [1, *(row[0] for row in TABLE_3)]
    for number, (channels, kernel, *_) in enumerate(TABLE_3, start=1):
        before, mirrored = given[number - 1], len(TABLE_3) + 1 - number
        scale = (before * kernel**2) ** -0.5
        down[f"conv{number}.weight"] = scale * drawn(generator, channels, before, kernel, kernel)
        down[f"conv{number}.bias"] = 0.1 * drawn(generator, channels)
        up[f"conv{mirrored}.weight"] = 0.1 * drawn(generator, channels, before, kernel, kernel)
        up[f"conv{mirrored}.bias"] = 0.1 * drawn(generator, before)
    return down, up


def drawn(generator: torch.Generator, *shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=generator)


def distances(golden: Golden, depth_mm: Map) -> torch.Tensor:
    """(1, 1, 256, 256): how far from the camera each nearest pixel's point is, the golden scan's
    farthest depth being 1."""
    known = golden.scan.calibration
    v, u = np.mgrid[: depth_mm.shape[0], : depth_mm.shape[1]]
    matrix = known.camera_matrix
    x, y = undistorted(
        (u - matrix[0, 2]) / matrix[0, 0], (v - matrix[1, 2]) / matrix[1, 1], known.distortion
    )
    away = depth_mm * np.sqrt(1 + x**2 + y**2) / golden_range_mm(golden)[1]
    rows, columns = (((np.arange(SIDE) + 0.5) * n / SIDE).astype(int) for n in depth_mm.shape)
    return torch.from_numpy(away[np.ix_(rows, columns)])[None, None]


def undistorted(x: Map, y: Map, distortion: Map) -> tuple[Map, Map]:
    """Brown's lens taken off, step by step until nothing changes."""
    k1, k2, p1, p2, k3 = distortion
    seen_x, seen_y = x, y
    for _ in range(100):
        r2 = x**2 + y**2
        radial = 1 + k1 * r2 + k2 * r2**2 + k3 * r2**3
        aside_x = 2 * p1 * x * y + p2 * (r2 + 2 * x**2)
        aside_y = p1 * (r2 + 2 * y**2) + 2 * p2 * x * y
        x, y = (seen_x - aside_x) / radial, (seen_y - aside_y) / radial
    return x, y


def encoded(state: State, x: torch.Tensor) -> torch.Tensor:
    for number, (_, _, stride, padding) in enumerate(TABLE_3, start=1):
        weight, bias = layer(state, number)
        x = rectified(functional.conv2d(x, weight, bias, stride, padding), number)
    return x


def decoded(state: State, x: torch.Tensor) -> torch.Tensor:
    for number, (_, _, stride, padding) in enumerate(reversed(TABLE_3), start=1):
        weight, bias = layer(state, number)
        x = rectified(functional.conv_transpose2d(x, weight, bias, stride, padding), number)
    return x


def layer(state: State, number: int) -> tuple[torch.Tensor, torch.Tensor]:
    return state[f"conv{number}.weight"].double(), state[f"conv{number}.bias"].double()


def rectified(x: torch.Tensor, number: int) -> torch.Tensor:
    """After each but the last: each channel's mean taken off, its spread 1; slope 0.05 below 0."""
    if number == len(TABLE_3):
        return x
    mean, spread = x.mean(dim=(2, 3), keepdim=True), x.var(dim=(2, 3), unbiased=False, keepdim=True)
    x = (x - mean) / (spread + 1e-5).sqrt()
    return torch.where(x > 0, x, SLOPE * x)
