"""A vision transformer of anomalib, its patches' places brought once to one size of pictures.

anomalib has timm bring them there at every picture, without smoothing, and for that exchanges a
function of timm's for the rest of the process: `as_in_anomalib` does so for a while only.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import torch
from anomalib.models.components.feature_extractors import timm as anomalib_timm
from timm.models import eva, vision_transformer
from torch import nn

from voxgate.export.features.anomalib_checkpoint import AnomalibCheckpoint
from voxgate.export.features.preprocessing import Size
from voxgate.export.methods.from_anomalib import without_downloads
from voxgate.runtime.errors import EngineError

RESAMPLE = "resample_abs_pos_embed"
AnyModule = TypeVar("AnyModule", bound=nn.Module)


@contextmanager
def as_in_anomalib() -> Iterator[None]:
    """Places are resampled as anomalib has it, and nothing is fetched."""
    before = getattr(vision_transformer, RESAMPLE)
    anomalib_timm._disable_pos_embed_antialiasing()
    try:
        with without_downloads():
            yield
    finally:
        setattr(vision_transformer, RESAMPLE, before)


def placed(extractor: nn.Module, side: Size) -> nn.Module:
    """anomalib's extractor for pictures of `side` alone; its layers are those of the given one."""
    found = shallow(extractor)
    network = shallow(extractor.feature_extractor)
    grid = _grid(network, side)
    with as_in_anomalib():
        network.pos_embed = _resampled(network, grid)
    network.patch_embed = shallow(network.patch_embed)
    network.patch_embed.flatten = True
    network.dynamic_img_size = False
    if isinstance(network, eva.Eva) and network.rope is not None:
        network.rope = FixedPlaces(network.rope.get_embed(shape=list(grid)).detach())
    found.feature_extractor = network
    return found


class FixedPlaces(nn.Module):
    """Rotary embeddings of one grid, as the constants that they are."""

    embed: torch.Tensor

    def __init__(self, embed: torch.Tensor) -> None:
        super().__init__()
        self.register_buffer("embed", embed)

    def get_embed(self, shape: Any = None) -> torch.Tensor:
        """By the name that timm calls."""
        return self.embed


def shallow(module: AnyModule) -> AnyModule:
    """Another module over the same layers: what is exchanged in one is not in the other."""
    found = copy.copy(module)
    for kind in ("_modules", "_parameters", "_buffers"):
        setattr(found, kind, dict(getattr(module, kind)))
    return found


def check_patches(extractor: nn.Module, side: Size, path: Path) -> None:
    """Raises EngineError for pictures that are no whole number of patches: the rest would be
    unproven."""
    patch = int(extractor.patch_size)
    if side[0] % patch or side[1] % patch:
        raise EngineError(
            f"{path}: its network sees patches of {patch} px, and its pictures are {side[0]} x "
            f"{side[1]} px: what is left over would be unproven; train it on a multiple of {patch}"
        )


def check_encoder(read: AnomalibCheckpoint, name: str) -> None:
    """Raises EngineError for one of anomalib before 2.5.1, whose own encoder had other places."""
    if any(layer.startswith(f"{name}.blocks.") for layer in read.state):
        raise EngineError(
            f"{read.path}: was trained by anomalib before 2.5.1, whose encoder is another: train "
            "it again with a later one"
        )


def _grid(network: nn.Module, side: Size) -> Size:
    height, width = network.patch_embed.patch_size
    return side[0] // height, side[1] // width


def _resampled(network: nn.Module, grid: Size) -> nn.Parameter | None:
    if network.pos_embed is None:
        return None
    places = getattr(vision_transformer, RESAMPLE)(
        network.pos_embed.detach(),
        new_size=list(grid),
        old_size=network.patch_embed.grid_size,
        num_prefix_tokens=0 if network.no_embed_class else network.num_prefix_tokens,
    )
    return nn.Parameter(places, requires_grad=False)
