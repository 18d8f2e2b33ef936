"""What EfficientAD computes after training and does not keep in its weights: read from a file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from voxgate.export.features.weights_file import UNREADABLE
from voxgate.runtime.common.text import one_line
from voxgate.runtime.errors import EngineError

AT_QUANTILE = 0.1  # what the upper quantile of good maps becomes, paper section 3.4


@dataclass(frozen=True, slots=True)
class Normalisation:
    """Of the teacher's channels, and of the two maps: what becomes 0 and 0.1."""

    mean: torch.Tensor
    std: torch.Tensor
    q_st: tuple[float, float] = (0.0, AT_QUANTILE)
    q_ae: tuple[float, float] = (0.0, AT_QUANTILE)


def read_normalisation(path: Path, channels: int) -> Normalisation:
    """channels: of the teacher, as many as the file must have. Raises EngineError."""
    try:
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            mean, std = (np.asarray(file[name], np.float32).reshape(-1) for name in ("mean", "std"))
            q_st, q_ae = (
                np.asarray(file[name], np.float64).reshape(2) for name in ("q_st", "q_ae")
            )
    except UNREADABLE as error:
        raise EngineError(
            f"{path}: needs arrays mean and std (channels,), q_st and q_ae (2,): {one_line(error)}"
        ) from error
    _check_normalisation(path, {"mean": mean, "std": std, "q_st": q_st, "q_ae": q_ae}, channels)
    return Normalisation(torch.from_numpy(mean), torch.from_numpy(std), _pair(q_st), _pair(q_ae))


def _check_normalisation(path: Path, found: Mapping[str, npt.NDArray[Any]], channels: int) -> None:
    """Raises EngineError for numbers that would turn the score over, or hide it."""
    for name, values in found.items():
        if not np.isfinite(values).all():
            raise EngineError(f"{path}: {name} holds numbers that are not finite")
    for name in ("mean", "std"):
        if len(found[name]) != channels:
            raise EngineError(
                f"{path}: {name} is of {len(found[name])} channels, the teacher has {channels}"
            )
    if not (found["std"] > 0).all():
        raise EngineError(f"{path}: std must be positive, in every channel")
    for name in ("q_st", "q_ae"):
        low, high = found[name]
        if not high > low:
            raise EngineError(
                f"{path}: {name} is {low:g}, {high:g}: the lower quantile stands first, and apart"
            )


def _pair(values: npt.NDArray[np.float64]) -> tuple[float, float]:
    return float(values[0]), float(values[1])
