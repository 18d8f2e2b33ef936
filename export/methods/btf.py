"""Back to the Feature (Horwitz and Hoshen 2023) as SiM3D runs it (S.6).

Picture features of a WideResNet and shape features, side by side in one bank: FPFH of the organised
cloud, or the same WideResNet on depth. 10 % coreset, three neighbours in the reweighting, no blur.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import torch

from voxgate.export.features.bank import BankOptions, build_bank, features_of, load_bank
from voxgate.export.features.bank_score import BankNetwork, BankScore, published_score
from voxgate.export.features.checkpoint import sha256_of
from voxgate.export.features.eye import open_eye
from voxgate.export.features.patches import (
    INPUT_OF,
    JointFeatures,
    Kind,
    PictureFeatures,
    features_from,
    published_patches,
)
from voxgate.export.features.preprocessing import Fit
from voxgate.export.features.published_steps import camera_map
from voxgate.export.golden.golden import Golden
from voxgate.export.golden.inputs import golden_inputs, size_px, spec
from voxgate.export.methods.from_anomalib import versions
from voxgate.export.progress import Progress
from voxgate.export.source import RawScore, Source
from voxgate.runtime.engines.engine import Tensor
from voxgate.runtime.errors import EngineError
from voxgate.runtime.recipe.manifest import FpfhSection, TensorSpec

METHOD = "btf"


@dataclass(frozen=True, slots=True)
class BtfOptions:
    """weights: of the backbone. saved: a bank that was built elsewhere; None: from the golden."""

    weights: Path
    backbone: str = "wide_resnet101_2"
    shape: Literal["fpfh", "depth"] = "fpfh"
    input_px: int = 512
    fit: Fit = "pad"
    reweight: int = 3
    saved: Path | None = None
    bank: BankOptions = field(default_factory=BankOptions)
    fpfh: FpfhSection = field(default_factory=lambda: FpfhSection(step_px=4))


def load_btf(golden: Golden, options: BtfOptions, on_progress: Progress) -> Source:
    """Raises EngineError for files that do not fit, or a bank beyond its budget."""
    eye = open_eye(
        golden, options.backbone, options.weights, input_px=options.input_px, fit=options.fit
    )
    section = options.fpfh if options.shape == "fpfh" else None
    kinds: tuple[Kind, Kind] = ("image", options.shape)
    inputs = tuple(spec(INPUT_OF[kind], golden, section) for kind in kinds)
    picture = PictureFeatures(eye, "image").eval()
    shape_px = inputs[1].shape[2], inputs[1].shape[3]
    shape = features_from(eye, options.shape, picture.grid, shape_px)
    features = JointFeatures([picture, shape]).eval()
    if options.saved is not None:
        bank = load_bank(options.saved)
    else:
        views = golden_inputs(golden, [INPUT_OF[kind] for kind in kinds], section)
        bank = build_bank(features_of(features, views), options.bank, on_progress)
    _check_width(bank.shape[1], features, inputs, options)

    def original(given: Mapping[str, Tensor]) -> RawScore:
        parts = [published_patches(eye, kind, picture.grid, given) for kind in kinds]
        score = published_score(torch.cat(parts, dim=1), bank, picture.grid, options.reweight)
        return camera_map(score.float(), eye.size, options.fit)

    score = BankScore(bank, picture.grid, options.reweight)
    return Source(
        method=METHOD,
        inputs=inputs,
        network=BankNetwork(features, score, size_px(golden), options.fit),
        original=original,
        provenance={
            "backbone": options.backbone,
            "weights_sha256": sha256_of(options.weights),
            "shape": options.shape,
            "input_px": list(eye.side),
            "coreset": options.bank.ratio,
            "reweight": options.reweight,
            "bank": list(bank.shape),
            "depth_range_mm": list(eye.range_mm),
        },
        keep_float32=("score", "features.parts.0.picture", "features.parts.1"),
        fpfh=section,
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
