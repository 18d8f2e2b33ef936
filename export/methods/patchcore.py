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
from anomalib.models.image.patchcore.torch_model import PatchcoreModel
from torch import nn
from torch.nn import functional

from export.backbones import is_transformer, load_pyramid, load_tokens
from export.bank import (
    Bank,
    BankOptions,
    Embed,
    bank_mb,
    build_bank,
    features_of,
    spacing,
)
from export.checkpoint import Preprocess, anomalib_checkpoint, sha256_of
from export.golden import Golden
from export.golden_inputs import golden_inputs, golden_range_mm, size_px, spec
from export.methods.anomalib_source import anomalib_source, filled, picture_of, versions
from export.nearest import Nearest, Reweight
from export.picture import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    DepthPicture,
    Fit,
    Picture,
    Size,
    ToCamera,
)
from export.progress import Progress
from export.published import camera_map, depth_plane, grey_plane, published_picture
from export.source import RawScore, Source
from runtime.engine import Tensor
from runtime.errors import EngineError

METHOD = "patchcore"
Modality = Literal["image", "depth", "both"]
INPUT_OF = {"image": "image", "depth": "depth_mm"}


@dataclass(frozen=True, slots=True)
class PatchcoreOptions:
    """Either a checkpoint, or a backbone with its weights and how to build the bank.

    reweight: neighbours in equation 7; 0: not. A view's whole map is multiplied by the weight of
    its farthest patch, so that the map's maximum is the paper's image score.
    """

    checkpoint: Path | None = None
    backbone: str = "wide_resnet50_2"
    weights: Path | None = None
    layers: tuple[str, ...] = ("layer2", "layer3")
    modality: Modality = "image"
    input_px: int = 518
    fit: Fit = "pad"
    reweight: int = 3
    bank: BankOptions = field(default_factory=BankOptions)


def load_patchcore(golden: Golden, options: PatchcoreOptions, on_progress: Progress) -> Source:
    """Raises EngineError for files that do not fit, or a bank beyond its budget."""
    if (options.checkpoint is None) == (options.weights is None):
        raise EngineError("patchcore takes either --checkpoint, or --backbone with --weights")
    if options.checkpoint is not None:
        return _from_anomalib(golden, options.checkpoint)
    return _from_golden(golden, options, options.weights, on_progress)


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


def _from_anomalib(golden: Golden, path: Path) -> Source:
    read = anomalib_checkpoint(path, METHOD)
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


class Features(nn.Module):
    """uint8 picture or float32 depth -> vectors of its patches (n, d), and their grid."""

    def __init__(self, picture: nn.Module, backbone: nn.Module, transformer: bool) -> None:
        super().__init__()
        self.picture, self.backbone = picture, backbone
        self.embed = Embed(pooled=not transformer)
        self.transformer = transformer

    def maps(self, plane: torch.Tensor) -> list[torch.Tensor]:
        """What the backbone sees."""
        found = self.backbone(self.picture(plane))
        return [found] if self.transformer else list(found)

    def forward(self, plane: torch.Tensor) -> torch.Tensor:
        return self.embed(self.maps(plane))


class Branch(nn.Module):
    """One modality: map of distances at the camera's size, in units of the bank's own spacing."""

    def __init__(self, features: Features, bank: Bank, reweight: int, size: Size, fit: Fit) -> None:
        super().__init__()
        self.features = features
        self.nearest = Nearest(bank)
        self.weight = Reweight(self.nearest, reweight) if reweight > 1 else None
        self.spacing = spacing(bank)
        self.size, self.fit = size, fit

    def forward(self, plane: torch.Tensor) -> torch.Tensor:
        maps = self.features.maps(plane)
        grid = maps[0].shape[-2], maps[0].shape[-1]
        queries = self.features.embed(maps)
        rows = self.nearest.index(queries)
        distance = self.nearest.distance(queries, rows)
        if self.weight is not None:
            distance = distance * self.weight(queries, rows, distance)
        score = (distance / self.spacing).reshape(1, 1, *grid)
        return ToCamera(grid, self.size, self.fit)(score)


class PatchcoreNetwork(nn.Module):
    """One branch, or the mean of two."""

    def __init__(self, branches: Mapping[str, Branch]) -> None:
        super().__init__()
        self.branches = nn.ModuleDict(dict(branches))

    def forward(self, *planes: torch.Tensor) -> torch.Tensor:
        pairs = zip(self.branches.values(), planes, strict=True)
        scores = [branch(plane) for branch, plane in pairs]
        return scores[0] if len(scores) == 1 else 0.5 * (scores[0] + scores[1])


def _from_golden(
    golden: Golden, options: PatchcoreOptions, weights: Path | None, on_progress: Progress
) -> Source:
    assert weights is not None  # the caller looked
    size, side = size_px(golden), (options.input_px, options.input_px)
    transformer = is_transformer(options.backbone)
    if transformer:
        backbone = load_tokens(options.backbone, weights, side)
    else:
        backbone = load_pyramid(options.backbone, weights, options.layers)
    kinds = ("image", "depth") if options.modality == "both" else (options.modality,)
    range_mm = golden_range_mm(golden)
    branches, originals = {}, {}
    for kind in kinds:
        picture: nn.Module = (
            Picture(size, side, fit=options.fit)
            if kind == "image"
            else DepthPicture(size, side, *range_mm, fit=options.fit)
        )
        features = Features(picture, backbone, transformer).eval()
        inputs = golden_inputs(golden, [INPUT_OF[kind]])
        bank = build_bank(features_of(features, inputs), options.bank, on_progress)
        branches[kind] = Branch(features, bank, options.reweight, size, options.fit)
        originals[kind] = Original(backbone, transformer, bank, options, size)
    return Source(
        method=METHOD,
        inputs=tuple(spec(INPUT_OF[kind], golden) for kind in kinds),
        network=PatchcoreNetwork(branches),
        original=_combined(originals, range_mm),
        provenance={
            "backbone": options.backbone,
            "weights_sha256": sha256_of(weights),
            "modality": options.modality,
            "input_px": list(side),
            "fit": options.fit,
            "coreset": options.bank.ratio,
            "reweight": options.reweight,
            "banks": {kind: list(branch.nearest.bank.shape) for kind, branch in branches.items()},
            "depth_range_mm": list(range_mm),
        },
        keep_float32=tuple(
            f"branches.{kind}.{part}"
            for kind in kinds
            for part in ("nearest", "weight", "features.picture")
        ),
        tools=versions("timm"),
    )


class Original:
    """The same by torch's and torchvision's own functions: transforms, cdist, topk."""

    def __init__(
        self,
        backbone: nn.Module,
        transformer: bool,
        bank: Bank,
        options: PatchcoreOptions,
        size: Size,
    ) -> None:
        side = (options.input_px, options.input_px)
        self.steps = Preprocess(side, True, IMAGENET_MEAN, IMAGENET_STD)
        self.backbone, self.transformer = backbone, transformer
        self.bank = torch.from_numpy(bank).double()
        self.spacing = spacing(bank)
        self.options, self.size = options, size

    def __call__(self, plane: torch.Tensor) -> RawScore:
        options = self.options
        with torch.no_grad():
            maps = self.backbone(published_picture(plane, self.steps, options.fit))
            patches, grid = self._patches(maps)
            distance, row = torch.cdist(patches, self.bank).min(dim=1)
            distance = distance * self._weight(patches, distance, row)
            score = (distance / self.spacing).float().reshape(1, 1, *grid)
            return camera_map(score, self.size, options.fit)

    def _patches(
        self, maps: torch.Tensor | list[torch.Tensor]
    ) -> tuple[torch.Tensor, tuple[int, int]]:
        if self.transformer:
            assert isinstance(maps, torch.Tensor)
            return maps[0].flatten(1).T.double(), (maps.shape[2], maps.shape[3])
        pooled = [functional.avg_pool2d(layer, 3, 1, 1) for layer in maps]
        grid = (pooled[0].shape[2], pooled[0].shape[3])
        same = [functional.interpolate(m, size=grid, mode="bilinear") for m in pooled]
        return torch.cat(same, dim=1)[0].flatten(1).T.double(), grid

    def _weight(
        self, patches: torch.Tensor, distance: torch.Tensor, row: torch.Tensor
    ) -> torch.Tensor | float:
        neighbours = min(self.options.reweight, len(self.bank))
        if neighbours < 2:
            return 1.0
        worst = int(distance.argmax())
        nearest = self.bank[row[worst]][None]
        support = torch.cdist(nearest, self.bank)[0].topk(neighbours, largest=False).indices
        around = torch.cdist(patches[worst][None], self.bank[support])[0]
        return 1.0 - functional.softmax(around, dim=0)[0]


def _combined(
    originals: Mapping[str, Original], range_mm: tuple[float, float]
) -> Callable[[Mapping[str, Tensor]], RawScore]:
    def original(inputs: Mapping[str, Tensor]) -> RawScore:
        found = []
        for kind, score in originals.items():
            given = inputs[INPUT_OF[kind]]
            plane = grey_plane(given) if kind == "image" else depth_plane(given, *range_mm)
            found.append(score(plane))
        return np.asarray(np.mean(found, axis=0), np.float32)

    return original
