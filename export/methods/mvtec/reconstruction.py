"""Detectors that score what a network cannot reconstruct (MVTec 3D-AD, section 4.1).

The autoencoder and f-AnoGAN differ in how they are trained, not in how they score: an encoder, a
decoder or generator, and the squared difference to the input, the mean over its channels. Depth:
256 x 256, the map zoomed back bilinearly. Voxels: 64^3, a volume detector.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from voxgate.export.features.checkpoint import State, load_state, load_weights, sha256_of
from voxgate.export.features.preprocessing import ToCamera
from voxgate.export.features.published_steps import camera_map
from voxgate.export.golden.golden import Golden
from voxgate.export.golden.inputs import size_px
from voxgate.export.methods.mvtec.inputs import (
    COLOURS,
    DepthPlanes,
    Planes,
    VoxelPlanes,
    depth_inputs,
    far_mm,
    golden_cube,
    plain_depth,
    plain_voxels,
    voxel_inputs,
)
from voxgate.export.methods.mvtec.networks import DEPTH_PX, Stack, decoder, encoder
from voxgate.export.source import RawScore, Source
from voxgate.runtime.engines.engine import Tensor
from voxgate.runtime.errors import EngineError

SIDE = (DEPTH_PX, DEPTH_PX)


@dataclass(frozen=True, slots=True)
class ReconstructionOptions:
    """Two state dicts of one layout; see `export.methods.mvtec_networks` for the layers' names."""

    encoder: Path
    decoder: Path
    volume: bool = False
    colour: bool = False
    far_mm: float | None = None  # the distance that is 1 to the networks; None: the golden scan's

    @property
    def channels(self) -> int:
        """What the encoder's first layer takes."""
        if self.volume:
            return COLOURS if self.colour else 1
        return 1 + COLOURS if self.colour else 1


class ReconstructionNetwork(nn.Module):
    """Inputs -> squared difference to the reconstruction; at the camera's size for depth."""

    def __init__(
        self, planes: nn.Module, networks: tuple[Stack, Stack], to_camera: ToCamera | None
    ) -> None:
        super().__init__()
        self.planes = planes
        self.encoder, self.decoder = networks
        self.map = to_camera or nn.Identity()

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        seen = self.planes(*inputs)
        apart = seen - self.decoder(self.encoder(seen))
        return self.map(apart.square().mean(dim=1, keepdim=True))


def load_reconstruction(method: str, golden: Golden, options: ReconstructionOptions) -> Source:
    """Raises EngineError for files that are not of this layout."""
    networks = _networks(options)
    provenance = {
        "shape": "voxel" if options.volume else "depth",
        "colour": options.colour,
        "encoder_sha256": sha256_of(options.encoder),
        "decoder_sha256": sha256_of(options.decoder),
    }
    if options.volume:
        return _volume(method, golden, options, networks, provenance)
    far, size = options.far_mm or far_mm(golden), size_px(golden)
    planes = DepthPlanes(golden.rays, SIDE, far, options.colour)

    def original(inputs: Mapping[str, Tensor]) -> RawScore:
        seen = plain_depth(inputs, golden.rays, SIDE, far, options.colour)
        return camera_map(_apart(seen, networks), size)

    return Source(
        method=method,
        inputs=depth_inputs(golden, options.colour),
        network=ReconstructionNetwork(planes, networks, ToCamera(SIDE, size)),
        original=original,
        provenance={**provenance, "far_mm": far},
        keep_float32=("planes",),
    )


def _volume(
    method: str,
    golden: Golden,
    options: ReconstructionOptions,
    networks: tuple[Stack, Stack],
    provenance: Mapping[str, object],
) -> Source:
    section = golden_cube(golden)

    def original(inputs: Mapping[str, Tensor]) -> RawScore:
        found: RawScore = _apart(plain_voxels(inputs, options.colour), networks)[0, 0].numpy()
        return found

    return Source(
        method=method,
        detector="volume",
        inputs=voxel_inputs(section, options.colour),
        network=ReconstructionNetwork(VoxelPlanes(options.colour), networks, None),
        original=original,
        provenance=provenance,
        keep_float32=("planes",),
        voxels=section,
    )


def _apart(seen: Planes, networks: tuple[Stack, Stack]) -> torch.Tensor:
    """Mean squared difference per pixel or voxel, by plain torch."""
    with torch.no_grad():
        given = torch.from_numpy(np.ascontiguousarray(seen))
        code = networks[0](given)
        return torch.mean((given - networks[1](code)) ** 2, dim=1, keepdim=True)


def _networks(options: ReconstructionOptions) -> tuple[Stack, Stack]:
    down = load_weights(options.encoder, "an encoder")
    up = load_weights(options.decoder, "a decoder or generator")
    widths, latent = _widths(down, options)
    pair = (
        encoder(options.channels, latent, options.volume, widths),
        decoder(options.channels, latent, options.volume, widths),
    )
    for network, state, path in zip(pair, (down, up), _paths(options), strict=True):
        load_state(network, state, path)
        network.eval().requires_grad_(False)
    return pair


def _paths(options: ReconstructionOptions) -> tuple[Path, Path]:
    return options.encoder, options.decoder


def _widths(state: State, options: ReconstructionOptions) -> tuple[list[int], int]:
    """Channels of the encoder's layers and length of its code, read off its weights."""
    wanted = 5 if options.volume else 10
    shapes = [
        state[f"conv{n}.weight"].shape for n in range(1, wanted + 1) if f"conv{n}.weight" in state
    ]
    dimensions = 5 if options.volume else 4
    if len(shapes) != wanted or any(len(shape) != dimensions for shape in shapes):
        raise EngineError(
            f"{options.encoder}: is no {'voxel' if options.volume else 'depth'} encoder of "
            f"{wanted} convolutions conv1 .. conv{wanted}"
        )
    if shapes[0][1] != options.channels:
        raise EngineError(
            f"{options.encoder}: takes {shapes[0][1]} channels, {options.channels} are given: "
            "choose --colour or --no-colour as it was trained"
        )
    return [shape[0] for shape in shapes[:-1]], shapes[-1][0]
