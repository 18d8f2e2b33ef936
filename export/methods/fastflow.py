"""FastFlow (Yu et al. 2021) from an anomalib checkpoint.

anomalib's map is minus a likelihood, between -1 and 0. The score is minus its logarithm: the same
order, but 0 is the most normal and strange patches do not crowd at an end of the scale, where a
threshold from good parts would lie beyond them.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import torch
from anomalib.models import Fastflow
from anomalib.models.image.fastflow.torch_model import FastflowModel
from torch import nn

from voxgate.export.features.checkpoint import anomalib_checkpoint
from voxgate.export.golden.golden import Golden
from voxgate.export.methods.from_anomalib import anomalib_source, filled
from voxgate.export.source import RawScore, Source

METHOD = "fastflow"
LEAST_LIKELIHOOD = 1e-30  # far below, float32 ends


class MinusLogLikelihood(nn.Module):
    """Map -1..0 -> score, at least 0."""

    def forward(self, score: torch.Tensor) -> torch.Tensor:
        return torch.relu(-torch.log((-score).clamp(LEAST_LIKELIHOOD, 1.0)))


def _published_score(score: RawScore) -> RawScore:
    likelihood = np.clip(-score.astype(np.float64), LEAST_LIKELIHOOD, 1.0)
    return np.asarray(-np.log(likelihood), np.float32)


def load_fastflow(golden: Golden, checkpoint: Path) -> Source:
    """Raises EngineError for a file that is not such a checkpoint."""
    read = anomalib_checkpoint(checkpoint, METHOD, Fastflow.configure_pre_processor)
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
        filled(model, read),
        read,
        golden,
        finish=MinusLogLikelihood(),
        published_finish=_published_score,
        keep_float32=("model.fast_flow_blocks", "model.anomaly_map_generator", "finish"),
        bound=-math.log(LEAST_LIKELIHOOD),
    )
