"""Back to the Feature (Horwitz and Hoshen 2023) as SiM3D runs it (S.6).

Picture features of a WideResNet and shape features, side by side in one bank: FPFH of the organised
cloud, or the same WideResNet on depth. 10 % coreset, three neighbours in the reweighting, no blur.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch

from voxgate.export.features.bank import BankOptions, build_bank, features_of, load_bank
from voxgate.export.features.bank_score import BankNetwork, BankScore, published_score
from voxgate.export.features.checkpoint import sha256_of
from voxgate.export.features.patches import INPUT_OF, JointFeatures
from voxgate.export.features.picture_and_shape import Shape, open_picture_and_shape
from voxgate.export.features.preprocessing import Fit
from voxgate.export.features.published_steps import camera_map
from voxgate.export.golden.golden import Golden
from voxgate.export.golden.inputs import golden_inputs, size_px
from voxgate.export.methods.from_anomalib import versions
from voxgate.export.progress import Progress
from voxgate.export.source import RawScore, Source
from voxgate.runtime.engines.engine import Tensor
from voxgate.runtime.errors import EngineError
from voxgate.runtime.recipe.manifest import TensorSpec
from voxgate.runtime.recipe.sections.shapes import FpfhSection

METHOD = "btf"


@dataclass(frozen=True, slots=True)
class BtfOptions:
    """weights: of the backbone. patches: a side, None: layer 2's. saved: a bank that was built
    elsewhere; None: from the golden."""

    weights: Path
    backbone: str = "wide_resnet101_2"
    shape: Shape = "fpfh"
    input_px: int = 512
    fit: Fit = "pad"
    patches: int | None = None
    reweight: int = 3
    saved: Path | None = None
    bank: BankOptions = field(default_factory=BankOptions)
    fpfh: FpfhSection = field(default_factory=lambda: FpfhSection(step_px=4))


def load_btf(golden: Golden, options: BtfOptions, on_progress: Progress) -> Source:
    """Raises EngineError for files that do not fit, or a bank beyond its budget."""
    senses = open_picture_and_shape(golden, options, options.patches)
    features = JointFeatures([senses.picture, senses.shape]).eval()
    if options.saved is not None:
        bank = load_bank(options.saved)
    else:
        views = golden_inputs(golden, [INPUT_OF[kind] for kind in senses.kinds], senses.section)
        bank = build_bank(features_of(features, views), options.bank, on_progress)
    _check_width(bank.shape[1], features, senses.inputs, options)

    def original(given: Mapping[str, Tensor]) -> RawScore:
        parts = torch.cat(senses.published(given), dim=1)
        score = published_score(parts, bank, senses.grid, options.reweight)
        return camera_map(score.float(), senses.eye.size, options.fit)

    score = BankScore(bank, senses.grid, options.reweight)
    return Source(
        method=METHOD,
        inputs=senses.inputs,
        network=BankNetwork(features, score, size_px(golden), options.fit),
        original=original,
        provenance={
            "backbone": options.backbone,
            "weights_sha256": sha256_of(options.weights),
            "shape": options.shape,
            "input_px": list(senses.eye.side),
            "patches": list(senses.grid),
            "coreset": options.bank.ratio,
            "reweight": options.reweight,
            "bank": list(bank.shape),
            "depth_range_mm": list(senses.eye.range_mm),
        },
        keep_float32=("score", "features.parts.0.picture", "features.parts.1"),
        section=senses.section,
        input_px=options.input_px,
        tools=versions("timm"),
    )


def _check_width(
    width: int, features: JointFeatures, inputs: tuple[TensorSpec, ...], options: BtfOptions
) -> None:
    with torch.no_grad():
        zeros = (torch.zeros(tensor.shape) for tensor in inputs)
        own = features(*zeros).shape[1]
    if own != width:
        raise EngineError(
            f"{options.saved}: its vectors have {width} features, {options.backbone} with "
            f"{options.shape} gives {own}"
        )
