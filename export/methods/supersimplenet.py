"""SuperSimpleNet (Rolih et al., ICPR 2024) from an anomalib checkpoint.

Features of a pyramid, adapted by one layer, scored by a small head, enlarged, blurred and brought
between 0 and 1, as anomalib computes it. The score of the whole picture is not used.
"""

from __future__ import annotations

from pathlib import Path

from anomalib.models import Supersimplenet
from anomalib.models.image.supersimplenet.torch_model import SupersimplenetModel

from voxgate.export.features.anomalib_checkpoint import anomalib_checkpoint
from voxgate.export.golden.golden import Golden
from voxgate.export.methods.from_anomalib import anomalib_source, filled, without_downloads
from voxgate.export.source import Source

METHOD = "supersimplenet"
LARGEST = 1.0  # of a sigmoid


def load_supersimplenet(golden: Golden, checkpoint: Path, prepared_px: int | None = None) -> Source:
    """Raises EngineError for a file that is not such a checkpoint."""
    default = Supersimplenet.configure_pre_processor
    read = anomalib_checkpoint(checkpoint, METHOD, default, prepared_px)
    built = read.hyper_parameters
    with without_downloads():
        model = SupersimplenetModel(
            backbone=built.get("backbone", "wide_resnet50_2.tv_in1k"),
            layers=list(built.get("layers", ("layer2", "layer3"))),
            adapt_cls_features=built.get("adapt_cls_features", False),
        )
    return anomalib_source(
        METHOD,
        filled(model, read),
        read,
        golden,
        keep_float32=("model.anomaly_map_generator",),
        bound=LARGEST,
    )
