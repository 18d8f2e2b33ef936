"""INP-Former (Luo et al., CVPR 2025) from an anomalib checkpoint.

A few prototypes are taken from the picture itself, and a decoder that sees nothing else makes the
layers of a DINOv2 again; the map is the mean of two groups' cosine distances, blurred, as anomalib
computes it.
"""

from __future__ import annotations

from pathlib import Path

from anomalib.models import InpFormer
from anomalib.models.image.inp_former.torch_model import InpFormerModel

from voxgate.export.golden.golden import Golden
from voxgate.export.methods.tokens.reconstruction import Reconstruction
from voxgate.export.source import Source

METHOD = "inp-former"
BUILT = {
    "encoder_name": "vit_base_patch14_reg4_dinov2",
    "inp_num": 6,
    "target_layers": None,
    "fuse_layer_encoder": None,
    "fuse_layer_decoder": None,
    "remove_class_token": True,
}
INP_FORMER = Reconstruction(
    METHOD, InpFormerModel, InpFormer.configure_pre_processor, BUILT, square=True
)


def load_inp_former(golden: Golden, checkpoint: Path, prepared_px: int | None = None) -> Source:
    """Raises EngineError for a file that is not such a checkpoint."""
    return INP_FORMER.load(golden, checkpoint, prepared_px)
