"""Dinomaly (Guo et al., CVPR 2025) from an anomalib checkpoint.

A decoder makes again what layers of a DINOv2 see; two groups of layers are averaged, and the map is
the mean of their cosine distances, enlarged between the corners, as anomalib computes it.
"""

from __future__ import annotations

from pathlib import Path

from anomalib.models import Dinomaly
from anomalib.models.image.dinomaly.torch_model import DinomalyModel

from voxgate.export.golden.golden import Golden
from voxgate.export.methods.tokens.reconstruction import Reconstruction
from voxgate.export.source import Source

METHOD = "dinomaly"
BUILT = {
    "encoder_name": "vit_base_patch14_reg4_dinov2",
    "decoder_depth": 8,
    "target_layers": None,
    "remove_class_token": False,
    "use_context_recentering": False,
}
DINOMALY = Reconstruction(METHOD, DinomalyModel, Dinomaly.configure_pre_processor, BUILT)


def load_dinomaly(golden: Golden, checkpoint: Path, prepared_px: int | None = None) -> Source:
    """Raises EngineError for a file that is not such a checkpoint."""
    return DINOMALY.load(golden, checkpoint, prepared_px)
