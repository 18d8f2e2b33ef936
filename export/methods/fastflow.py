"""FastFlow (Yu et al. 2021) from an anomalib checkpoint.

anomalib's map is minus a likelihood, between -1 and 0; one is added, so that 0 is the most normal.
"""

from __future__ import annotations

from pathlib import Path

from anomalib.models.image.fastflow.torch_model import FastflowModel

from export.checkpoint import anomalib_checkpoint
from export.golden import Golden
from export.methods.anomalib_source import anomalib_source, filled
from export.source import Source

METHOD = "fastflow"
MOST_NORMAL = 1.0  # the map of a patch of likelihood 1 is -1


def load_fastflow(golden: Golden, checkpoint: Path) -> Source:
    """Raises EngineError for a file that is not such a checkpoint."""
    read = anomalib_checkpoint(checkpoint, METHOD)
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
        shift=MOST_NORMAL,
        keep_float32=("model.fast_flow_blocks", "model.anomaly_map_generator"),
    )
