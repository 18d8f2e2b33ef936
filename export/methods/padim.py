"""PaDiM (Defard et al. 2021) from an anomalib checkpoint: Mahalanobis distance per patch."""

from __future__ import annotations

from pathlib import Path

import torch
from anomalib.models import Padim
from anomalib.models.image.padim.torch_model import PadimModel

from voxgate.export.features.anomalib_checkpoint import AnomalibCheckpoint, anomalib_checkpoint
from voxgate.export.golden.golden import Golden
from voxgate.export.graph.tracing import MAX_BYTES
from voxgate.export.methods.from_anomalib import anomalib_source, filled
from voxgate.export.source import Source
from voxgate.runtime.errors import EngineError

METHOD = "padim"
FLOAT_BYTES = 4


def load_padim(golden: Golden, checkpoint: Path, prepared_px: int | None = None) -> Source:
    """Raises EngineError for a file that is not such a checkpoint, or too large for one graph."""
    default = Padim.configure_pre_processor
    read = anomalib_checkpoint(checkpoint, METHOD, default, prepared_px)
    _check_size(read)
    built = read.hyper_parameters
    model = PadimModel(
        backbone=built.get("backbone", "resnet18"),
        layers=list(built.get("layers", ("layer1", "layer2", "layer3"))),
        pre_trained=False,
        n_features=built.get("n_features"),
    )
    for name in ("mean", "inv_covariance"):  # sized by training, empty in a new model
        setattr(model.gaussian, name, torch.zeros_like(_statistic(read, name)))
    return anomalib_source(
        METHOD, filled(model, read), read, golden, keep_float32=("model.anomaly_map_generator",)
    )


def _check_size(read: AnomalibCheckpoint) -> None:
    shape = _statistic(read, "inv_covariance").shape
    if len(shape) != 3:
        raise EngineError(f"{read.path}: its statistics are {tuple(shape)}: was it trained?")
    patches, features, _ = shape
    if patches * features**2 * FLOAT_BYTES > MAX_BYTES:
        fits = int((MAX_BYTES / FLOAT_BYTES / patches) ** 0.5)
        raise EngineError(
            f"{read.path}: {patches} covariances of {features} features are more than one graph "
            f"holds: train with n_features={fits} or less"
        )


def _statistic(read: AnomalibCheckpoint, name: str) -> torch.Tensor:
    found = read.state.get(f"gaussian.{name}")
    if found is None:
        raise EngineError(f"{read.path}: has no gaussian.{name}: is it PaDiM, and was it trained?")
    return found
