"""PatchCore (Roth et al., CVPR 2022): distance of every patch to a bank of good ones.

From an anomalib checkpoint; or from backbone weights and one golden scan, the bank built here as
SiM3D (S.6) does: layers 2 and 3 of a WideResNet or the last tokens of DINOv2, 10 % coreset, three
neighbours in the reweighting, no blur. On pictures, on depth, or on both.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from anomalib.models import Patchcore
from anomalib.models.image.patchcore.torch_model import PatchcoreModel
from torch import nn
from torch.nn import functional

from voxgate.export.features.anomalib_checkpoint import anomalib_checkpoint
from voxgate.export.features.anomalib_preprocessing import Preprocess
from voxgate.export.features.bank import (
    Bank,
    BankOptions,
    Embed,
    bank_mb,
    build_bank,
    features_of,
    spacing,
)
from voxgate.export.features.bank_score import BankNetwork, BankScore, published_score
from voxgate.export.features.checkpoint import sha256_of
from voxgate.export.features.eye import open_eye
from voxgate.export.features.nearest import Nearest
from voxgate.export.features.patches import INPUT_OF, Eye, Kind, PictureFeatures, published_patches
from voxgate.export.features.preprocessing import Fit, Size, ToCamera
from voxgate.export.features.published_steps import camera_map
from voxgate.export.golden.golden import Golden
from voxgate.export.golden.inputs import golden_inputs, size_px, spec
from voxgate.export.methods.from_anomalib import (
    anomalib_or_golden,
    anomalib_source,
    filled,
    picture_of,
    versions,
)
from voxgate.export.progress import Progress
from voxgate.export.source import RawScore, Source
from voxgate.runtime.engines.engine import Tensor
from voxgate.runtime.errors import EngineError

METHOD = "patchcore"
Modality = Literal["image", "depth", "both"]


@dataclass(frozen=True, slots=True)
class PatchcoreOptions:
    """Either a checkpoint, or a backbone with its weights and how to build the bank.

    patches: a side that a pyramid's maps are averaged to, None: layer 2's own.
    reweight: neighbours in equation 7, see `export.bank_score`; below 2: not.
    """

    checkpoint: Path | None = None
    prepared_px: int | None = None
    backbone: str = "wide_resnet50_2"
    weights: Path | None = None
    layers: tuple[str, ...] = ("layer2", "layer3")
    modality: Modality = "image"
    input_px: int = 518
    fit: Fit = "pad"
    patches: int | None = None
    reweight: int = 3
    bank: BankOptions = field(default_factory=BankOptions)


def load_patchcore(golden: Golden, options: PatchcoreOptions, on_progress: Progress) -> Source:
    """Raises EngineError for files that do not fit, or a bank beyond its budget."""
    return anomalib_or_golden(
        METHOD,
        options.checkpoint,
        options.weights,
        lambda checkpoint: _from_anomalib(golden, checkpoint, options.prepared_px),
        lambda weights: _from_golden(golden, options, weights, on_progress),
    )


# --- anomalib -----------------------------------------------------------------------------------


class AnomalibPatchcore(nn.Module):
    """anomalib's features and blur around our nearest neighbour: the map, not reweighted."""

    def __init__(self, model: PatchcoreModel, steps: Preprocess, size: Size) -> None:
        super().__init__()
        self.picture = picture_of(steps, size)
        self.backbone = model.feature_extractor
        self.embed = Embed()
        self.nearest = Nearest(model.memory_bank.float().numpy())
        self.blur = model.anomaly_map_generator.blur
        self.map = ToCamera(steps.resize_px, size)
        self.input_px, self.layers = steps.resize_px, tuple(model.layers)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        maps = self.backbone(self.picture(image))
        ordered = [maps[layer] for layer in self.layers]
        grid = ordered[0].shape[-2:]
        distance = self.nearest(self.embed(ordered)).reshape(1, 1, *grid)
        large = functional.interpolate(distance, size=self.input_px)
        return torch.relu(self.map(self.blur(large)))


def _from_anomalib(golden: Golden, path: Path, prepared_px: int | None) -> Source:
    default = Patchcore.configure_pre_processor
    read = anomalib_checkpoint(path, METHOD, default, prepared_px)
    bank = read.state.get("memory_bank")
    if bank is None or bank.ndim != 2 or not len(bank):
        raise EngineError(f"{path}: has no memory bank: is it PatchCore, and was it fitted?")
    built = read.hyper_parameters
    model = PatchcoreModel(
        layers=list(built.get("layers", ("layer2", "layer3"))),
        backbone=built.get("backbone", "wide_resnet50_2"),
        pre_trained=False,
        num_neighbors=built.get("num_neighbors", 9),
    )
    model.memory_bank = torch.zeros_like(bank)
    model = filled(model, read).float()
    return anomalib_source(
        METHOD,
        model,
        read,
        golden,
        network=AnomalibPatchcore(model, read.preprocess, size_px(golden)),
        keep_float32=("nearest", "blur"),
        provenance={"bank": list(bank.shape), "bank_mb": bank_mb(*bank.shape)},
    )


# --- backbone weights and one golden scan -------------------------------------------------------


class PatchcoreNetwork(nn.Module):
    """One branch, or the mean of two, each in units of its own bank's spacing."""

    def __init__(self, branches: Mapping[Kind, BankNetwork]) -> None:
        super().__init__()
        self.branches = nn.ModuleDict({str(kind): branch for kind, branch in branches.items()})

    def forward(self, *planes: torch.Tensor) -> torch.Tensor:
        pairs = zip(self.branches.values(), planes, strict=True)
        scores = [branch(plane) for branch, plane in pairs]
        return scores[0] if len(scores) == 1 else 0.5 * (scores[0] + scores[1])


def _from_golden(
    golden: Golden, options: PatchcoreOptions, weights: Path, on_progress: Progress
) -> Source:
    size = size_px(golden)
    eye = open_eye(
        golden,
        options.backbone,
        weights,
        options.layers,
        options.input_px,
        options.fit,
        options.patches,
    )
    kinds: tuple[Kind, ...] = ("image", "depth")
    kinds = kinds if options.modality == "both" else (options.modality,)
    branches, banks = {}, {}
    for kind in kinds:
        features = PictureFeatures(eye, kind).eval()
        inputs = golden_inputs(golden, [INPUT_OF[kind]])
        bank = build_bank(features_of(features, inputs), options.bank, on_progress)
        score = BankScore(bank, features.grid, options.reweight, spacing(bank))
        branches[kind] = BankNetwork(features, score, size, options.fit)
        banks[kind] = bank
    return Source(
        method=METHOD,
        inputs=tuple(spec(INPUT_OF[kind], golden) for kind in kinds),
        network=PatchcoreNetwork(branches),
        original=_original(eye, banks, branches, options),
        provenance={
            "backbone": options.backbone,
            "weights_sha256": sha256_of(weights),
            "modality": options.modality,
            "input_px": list(eye.side),
            "fit": options.fit,
            "patches": list(next(iter(branches.values())).score.grid),
            "coreset": options.bank.ratio,
            "reweight": options.reweight,
            "banks": {kind: list(bank.shape) for kind, bank in banks.items()},
            "depth_range_mm": list(eye.range_mm),
        },
        keep_float32=tuple(
            f"branches.{kind}.{part}" for kind in kinds for part in ("score", "features.picture")
        ),
        input_px=options.input_px,
        tools=versions("timm"),
    )


def _original(
    eye: Eye,
    banks: Mapping[Kind, Bank],
    branches: Mapping[Kind, BankNetwork],
    options: PatchcoreOptions,
) -> Callable[[Mapping[str, Tensor]], RawScore]:
    def original(inputs: Mapping[str, Tensor]) -> RawScore:
        maps = []
        for kind, bank in banks.items():
            grid = branches[kind].score.grid
            patches = published_patches(eye, kind, grid, inputs)
            score = published_score(patches, bank, grid, options.reweight) / spacing(bank)
            maps.append(camera_map(score.float(), eye.size, options.fit))
        return np.asarray(np.mean(maps, axis=0), np.float32)

    return original
