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
from voxgate.export.features.model_file import check_as_learnt
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
from voxgate.export.methods.mvtec.model_file import read_pair
from voxgate.export.methods.mvtec.networks import DEPTH_PX, Stack, decoder, encoder
from voxgate.export.source import RawScore, Source
from voxgate.runtime.engines.engine import Tensor
from voxgate.runtime.errors import EngineError
from voxgate.runtime.recipe.manifest import VoxelSection

SIDE = (DEPTH_PX, DEPTH_PX)


@dataclass(frozen=True, slots=True)
class ReconstructionOptions:
    """What `voxgate train` wrote, or two state dicts of one layout; see `networks` for the layers.

    far_mm: the distance that is 1 to two given networks; None: the golden scan's.
    """

    encoder: Path | None = None
    decoder: Path | None = None
    volume: bool = False
    colour: bool = False
    far_mm: float | None = None
    checkpoint: Path | None = None


@dataclass(frozen=True, slots=True, eq=False)
class _Pair:
    """far_mm and cube: as trained, None: as the golden scan has them."""

    networks: tuple[Stack, Stack]
    volume: bool
    colour: bool
    far_mm: float | None
    cube: VoxelSection | None
    provenance: Mapping[str, object]


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
    if (options.checkpoint is None) == (options.encoder is None or options.decoder is None):
        raise EngineError(f"{method} takes either --checkpoint, or both of its networks")
    if options.checkpoint is None:
        pair = _of_two_files(options)
    else:
        pair = _as_trained(method, options.checkpoint, options)
    return _volume(method, golden, pair) if pair.volume else _depth(method, golden, pair)


def _depth(method: str, golden: Golden, pair: _Pair) -> Source:
    far, size = pair.far_mm or far_mm(golden), size_px(golden)
    planes = DepthPlanes(golden.rays, SIDE, far, pair.colour)

    def original(inputs: Mapping[str, Tensor]) -> RawScore:
        seen = plain_depth(inputs, golden.rays, SIDE, far, pair.colour)
        return camera_map(_apart(seen, pair.networks), size)

    return Source(
        method=method,
        inputs=depth_inputs(golden, pair.colour),
        network=ReconstructionNetwork(planes, pair.networks, ToCamera(SIDE, size)),
        original=original,
        provenance={**pair.provenance, "far_mm": far},
        keep_float32=("planes",),
    )


def _volume(method: str, golden: Golden, pair: _Pair) -> Source:
    section = pair.cube or golden_cube(golden)

    def original(inputs: Mapping[str, Tensor]) -> RawScore:
        found: RawScore = _apart(plain_voxels(inputs, pair.colour), pair.networks)[0, 0].numpy()
        return found

    return Source(
        method=method,
        detector="volume",
        inputs=voxel_inputs(section, pair.colour),
        network=ReconstructionNetwork(VoxelPlanes(pair.colour), pair.networks, None),
        original=original,
        provenance=pair.provenance,
        keep_float32=("planes",),
        voxels=section,
    )


def _apart(seen: Planes, networks: tuple[Stack, Stack]) -> torch.Tensor:
    """Mean squared difference per pixel or voxel, by plain torch."""
    with torch.no_grad():
        given = torch.from_numpy(np.ascontiguousarray(seen))
        code = networks[0](given)
        return torch.mean((given - networks[1](code)) ** 2, dim=1, keepdim=True)


def _as_trained(method: str, path: Path, options: ReconstructionOptions) -> _Pair:
    trained = read_pair(path, method)
    words = {
        "volume": ("--shape voxel", trained.volume),
        "colour": ("--colour", trained.colour),
        "far_mm": ("--far-mm", trained.far_mm),
    }
    check_as_learnt(path, options, words)
    states = trained.encoder, trained.decoder
    networks = _networks(states, (path, path), trained.volume, trained.colour)
    provenance = {**_words(trained.volume, trained.colour), "checkpoint_sha256": sha256_of(path)}
    provenance |= {"training": dict(trained.record)}
    return _Pair(networks, trained.volume, trained.colour, trained.far_mm, trained.cube, provenance)


def _of_two_files(options: ReconstructionOptions) -> _Pair:
    assert options.encoder is not None  # both are there
    assert options.decoder is not None
    files = options.encoder, options.decoder
    down = load_weights(options.encoder, "an encoder")
    up = load_weights(options.decoder, "a decoder or generator")
    networks = _networks((down, up), files, options.volume, options.colour)
    sums = {"encoder_sha256": sha256_of(files[0]), "decoder_sha256": sha256_of(files[1])}
    provenance = {**_words(options.volume, options.colour), **sums}
    return _Pair(networks, options.volume, options.colour, options.far_mm, None, provenance)


def _words(volume: bool, colour: bool) -> dict[str, object]:
    return {"shape": "voxel" if volume else "depth", "colour": colour}


def _networks(
    states: tuple[State, State], files: tuple[Path, Path], volume: bool, colour: bool
) -> tuple[Stack, Stack]:
    channels = channels_of(volume, colour)
    widths, latent = _widths(states[0], files[0], volume, channels)
    pair = (
        encoder(channels, latent, volume, widths),
        decoder(channels, latent, volume, widths),
    )
    for network, state, path in zip(pair, states, files, strict=True):
        load_state(network, state, path)
        network.eval().requires_grad_(False)
    return pair


def channels_of(volume: bool, colour: bool) -> int:
    """What the encoder's first layer takes."""
    if volume:
        return COLOURS if colour else 1
    return 1 + COLOURS if colour else 1


def _widths(state: State, path: Path, volume: bool, channels: int) -> tuple[list[int], int]:
    """Channels of the encoder's layers and length of its code, read off its weights."""
    wanted = 5 if volume else 10
    shapes = [
        state[f"conv{n}.weight"].shape for n in range(1, wanted + 1) if f"conv{n}.weight" in state
    ]
    dimensions = 5 if volume else 4
    if len(shapes) != wanted or any(len(shape) != dimensions for shape in shapes):
        raise EngineError(
            f"{path}: is no {'voxel' if volume else 'depth'} encoder of {wanted} convolutions "
            f"conv1 .. conv{wanted}"
        )
    if shapes[0][1] != channels:
        raise EngineError(
            f"{path}: takes {shapes[0][1]} channels, {channels} are given: choose --colour or "
            "--no-colour as it was trained"
        )
    return [shape[0] for shape in shapes[:-1]], shapes[-1][0]
