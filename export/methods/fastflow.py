"""FastFlow (Yu et al. 2021) from an anomalib checkpoint.

anomalib's map is minus a likelihood, between -1 and 0. The score is minus its logarithm: the same
order, but 0 is the most normal and strange patches do not crowd at an end of the scale, where a
threshold from good parts would lie beyond them.
"""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from anomalib.models import Fastflow
from anomalib.models.image.fastflow.torch_model import FastflowModel
from torch import nn

from voxgate.export.features.anomalib_checkpoint import anomalib_checkpoint
from voxgate.export.features.checkpoint import State
from voxgate.export.golden.golden import Golden
from voxgate.export.methods.from_anomalib import anomalib_source, filled
from voxgate.export.source import RawScore, Source

METHOD = "fastflow"
LEAST_LIKELIHOOD = 1e-30  # far below, float32 ends


# up to anomalib 2.6 the padding of each convolution was a layer of its own
EARLIER_LAYERS = {"subnet.1.": "subnet.0.", "subnet.4.": "subnet.2."}


class MinusLogLikelihood(nn.Module):
    """Map -1..0 -> score, at least 0."""

    def forward(self, score: torch.Tensor) -> torch.Tensor:
        return torch.relu(-torch.log((-score).clamp(LEAST_LIKELIHOOD, 1.0)))


def _published_score(score: RawScore) -> RawScore:
    likelihood = np.clip(-score.astype(np.float64), LEAST_LIKELIHOOD, 1.0)
    return np.asarray(-np.log(likelihood), np.float32)


def _renamed(state: State) -> State:
    """The layers as anomalib 2.7 counts them."""
    if not any("subnet.4." in name for name in state):
        return state
    return {_renumbered(name): tensor for name, tensor in state.items()}


def _renumbered(name: str) -> str:
    for earlier, now in EARLIER_LAYERS.items():
        if earlier in name:
            return name.replace(earlier, now)
    return name


def load_fastflow(golden: Golden, checkpoint: Path, prepared_px: int | None = None) -> Source:
    """Raises EngineError for a file that is not such a checkpoint."""
    default = Fastflow.configure_pre_processor
    read = anomalib_checkpoint(checkpoint, METHOD, default, prepared_px)
    built = read.hyper_parameters
    model = FastflowModel(
        input_size=read.preprocess.resize_px,
        backbone=built.get("backbone", "resnet18"),
        pre_trained=False,
        flow_steps=built.get("flow_steps", 8),
        conv3x3_only=built.get("conv3x3_only", False),
        hidden_ratio=built.get("hidden_ratio", 1.0),
    )
    return anomalib_source(
        METHOD,
        filled(model, replace(read, state=_renamed(read.state))),
        read,
        golden,
        finish=MinusLogLikelihood(),
        published_finish=_published_score,
        keep_float32=("model.fast_flow_blocks", "model.anomaly_map_generator", "finish"),
        bound=-math.log(LEAST_LIKELIHOOD),
    )
