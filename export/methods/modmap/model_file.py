"""A ModMap as `voxgate train modmap` leaves it: both encoders and how they see are in the file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from voxgate.export.features.checkpoint import State
from voxgate.export.features.model_file import is_model, read_model, write_model
from voxgate.export.features.preprocessing import Fit
from voxgate.export.features.weights_file import read_content

FORMAT, METHOD = "voxgate-modmap-1", "modmap"


@dataclass(frozen=True, slots=True, eq=False)
class Encoder:
    """weights_sha256: of the file that the weights came from."""

    backbone: str
    weights: State
    weights_sha256: str
    input_px: int


@dataclass(frozen=True, slots=True, eq=False)
class TrainedModMap:
    """range_mm: 0 and 1 of a depth picture. networks: by their published names. record: of the
    training."""

    picture: Encoder
    shape: Encoder
    fit: Fit
    range_mm: tuple[float, float]
    networks: Mapping[str, State]
    record: Mapping[str, Any]


def write_modmap(path: Path, trained: TrainedModMap) -> None:
    """The whole file or none."""
    content = asdict(trained) | {"range_mm": list(trained.range_mm)}
    write_model(path, FORMAT, METHOD, content)


def was_trained_here(path: Path) -> bool:
    """Whether `voxgate train modmap` wrote it. Raises EngineError for what is no model."""
    return is_model(path, read_content(path, "a checkpoint of ModMap"), FORMAT)


def read_modmap(path: Path) -> TrainedModMap:
    """Raises EngineError for a file of another form."""
    content = read_model(path, FORMAT, METHOD, "name both encoders' weights")
    near_mm, far_mm = content["range_mm"]
    return TrainedModMap(
        picture=Encoder(**content["picture"]),
        shape=Encoder(**content["shape"]),
        fit=content["fit"],
        range_mm=(float(near_mm), float(far_mm)),
        networks=content["networks"],
        record=content["record"],
    )
