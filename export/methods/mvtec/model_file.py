"""One file that names everything of a trained autoencoder or f-AnoGAN: nothing is to be said again.

`voxgate train` writes it, `voxgate export METHOD --checkpoint` reads it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from voxgate.export.features.checkpoint import State
from voxgate.export.features.model_file import read_model, write_model
from voxgate.runtime.recipe.manifest import VoxelSection

FORMAT = "voxgate-reconstruction-1"


@dataclass(frozen=True, slots=True, eq=False)
class TrainedPair:
    """encoder, decoder: layers of `networks`. far_mm: the distance that is 1 to them, None for
    voxels. cube: where the voxels stand, None for depth. record: how they were trained."""

    method: str
    volume: bool
    colour: bool
    far_mm: float | None
    cube: VoxelSection | None
    encoder: State
    decoder: State
    record: Mapping[str, Any]


def write_pair(path: Path, pair: TrainedPair) -> None:
    """The whole file or none."""
    content = {
        "volume": pair.volume,
        "colour": pair.colour,
        "far_mm": pair.far_mm,
        "cube": None if pair.cube is None else pair.cube.model_dump(),
        "encoder": dict(pair.encoder),
        "decoder": dict(pair.decoder),
        "record": dict(pair.record),
    }
    write_model(path, FORMAT, pair.method, content)


def read_pair(path: Path, method: str) -> TrainedPair:
    """Raises EngineError for a file that `voxgate train` did not write, or of another method."""
    content = read_model(path, FORMAT, method, "name two state dicts with --encoder instead")
    names = ("method", "volume", "colour", "far_mm", "encoder", "decoder", "record")
    cube = None if content["cube"] is None else VoxelSection.model_validate(content["cube"])
    return TrainedPair(cube=cube, **{name: content[name] for name in names})
