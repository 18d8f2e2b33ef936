"""Reverse distillation (Deng and Li, CVPR 2022) from an anomalib checkpoint.

The map is the cosine distance between what the encoder sees and what the decoder makes of it,
per layer, added or multiplied, blurred, as anomalib computes it.
"""

from __future__ import annotations

from pathlib import Path

from anomalib.models import ReverseDistillation
from anomalib.models.image.reverse_distillation.anomaly_map import AnomalyMapGenerationMode
from anomalib.models.image.reverse_distillation.torch_model import ReverseDistillationModel

from voxgate.export.features.anomalib_checkpoint import anomalib_checkpoint
from voxgate.export.golden.golden import Golden
from voxgate.export.methods.from_anomalib import anomalib_source, filled
from voxgate.export.source import Source

METHOD = "reverse-distillation"


def load_reverse_distillation(
    golden: Golden, checkpoint: Path, prepared_px: int | None = None
) -> Source:
    """Raises EngineError for a file that is not such a checkpoint."""
    default = ReverseDistillation.configure_pre_processor
    read = anomalib_checkpoint(checkpoint, METHOD, default, prepared_px)
    built = read.hyper_parameters
    model = ReverseDistillationModel(
        backbone=built.get("backbone", "wide_resnet50_2"),
        input_size=read.preprocess.resize_px,
        layers=built.get("layers", ("layer1", "layer2", "layer3")),
        anomaly_map_mode=AnomalyMapGenerationMode(
            built.get("anomaly_map_mode", AnomalyMapGenerationMode.ADD)
        ),
        pre_trained=False,
    )
    return anomalib_source(
        METHOD, filled(model, read), read, golden, keep_float32=("model.anomaly_map_generator",)
    )
