"""EfficientAD as `voxgate train` leaves it: numbered layers as published, and their scale."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from voxgate.export.features.checkpoint import State
from voxgate.export.features.model_file import is_model, read_model, write_model
from voxgate.export.features.weights_file import read_content
from voxgate.export.methods.efficientad.normalisation import Normalisation

FORMAT, METHOD = "voxgate-efficientad-1", "efficientad"
ROLES = ("teacher", "student", "autoencoder")


@dataclass(frozen=True, slots=True, eq=False)
class TrainedNetworks:
    """states: of ROLES. side: of the square that they see, px. record: of the training."""

    states: tuple[State, State, State]
    side: int
    scale: Normalisation
    record: Mapping[str, Any]


def write_networks(path: Path, trained: TrainedNetworks) -> None:
    """The whole file or none."""
    scale = trained.scale
    content = {
        **{role: dict(state) for role, state in zip(ROLES, trained.states, strict=True)},
        "side": trained.side,
        "mean": scale.mean,
        "std": scale.std,
        "quantiles": [*scale.q_st, *scale.q_ae],
        "record": dict(trained.record),
    }
    write_model(path, FORMAT, METHOD, content)


def was_trained_here(path: Path) -> bool:
    """Whether `voxgate train efficientad` wrote it. Raises EngineError for one that is no model."""
    from voxgate.export.features.anomalib_checkpoint import CONVERT

    return is_model(path, read_content(path, "a checkpoint of efficientad", CONVERT), FORMAT)


def read_networks(path: Path) -> TrainedNetworks:
    """Raises EngineError for a file of another form."""
    content = read_model(path, FORMAT, METHOD, "it is read as an anomalib checkpoint")
    low_st, high_st, low_ae, high_ae = map(float, content["quantiles"])
    mean, std = (torch.as_tensor(content[name]) for name in ("mean", "std"))
    teacher, student, autoencoder = (content[role] for role in ROLES)
    return TrainedNetworks(
        (teacher, student, autoencoder),
        int(content["side"]),
        Normalisation(mean, std, (low_st, high_st), (low_ae, high_ae)),
        content["record"],
    )
