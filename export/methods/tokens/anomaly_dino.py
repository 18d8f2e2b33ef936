"""AnomalyDINO (Damm et al., WACV 2025): the tokens of a DINO against a memory of good ones.

From an anomalib checkpoint, as anomalib computes it; or from backbone weights and one golden scan,
as published: the shorter side 448 px, every token kept, one neighbour by the angle, the map blurred
by 4 px at the camera's size. Turned copies of the golden views and the mask of the foreground are
asked for: a robot shows a part as it always does, and what is masked is not compared.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
import torch
from anomalib.models import AnomalyDINO
from anomalib.models.image.anomaly_dino.torch_model import AnomalyDINOModel
from scipy.ndimage import gaussian_filter
from torch import nn
from torch.nn import functional

from voxgate.export.features.anomalib_checkpoint import AnomalibCheckpoint, anomalib_checkpoint
from voxgate.export.features.anomalib_preprocessing import Preprocess
from voxgate.export.features.backbones.load import load_tokens, patch_px
from voxgate.export.features.bank import Bank, BankOptions, bank_mb, build_bank, features_of
from voxgate.export.features.checkpoint import sha256_of
from voxgate.export.features.preprocessing import IMAGENET_MEAN, IMAGENET_STD, Picture, Size
from voxgate.export.features.published_steps import picture_planes, published_picture
from voxgate.export.golden.golden import Golden
from voxgate.export.golden.inputs import golden_inputs, size_px, spec
from voxgate.export.methods.from_anomalib import (
    anomalib_or_golden,
    anomalib_source,
    filled,
    picture_of,
    versions,
)
from voxgate.export.methods.tokens.encoder import (
    as_in_anomalib,
    check_encoder,
    check_patches,
    placed,
)
from voxgate.export.methods.tokens.foreground import published_foreground
from voxgate.export.methods.tokens.memory import (
    SIGMA_PX,
    BlurredInside,
    BlurredOutside,
    CosineDistance,
    TokenMemory,
)
from voxgate.export.progress import Progress
from voxgate.export.source import RawScore, Source
from voxgate.runtime.engines.engine import Tensor
from voxgate.runtime.errors import EngineError

METHOD = "anomaly-dino"
LARGEST = 2.0  # of a cosine distance
TURNS_DEG = (0, 45, 90, 135, 180, 225, 270, 315)


@dataclass(frozen=True, slots=True)
class AnomalyDinoOptions:
    """Either a checkpoint, or a backbone with its weights.

    input_px: the shorter side of what the network sees. turned: the memory holds the golden views
    turned by 45 degrees and its multiples too. masking: what is seen is compared in the foreground
    only, by the picture alone.
    """

    checkpoint: Path | None = None
    prepared_px: int | None = None
    backbone: str = "dinov2_vits14"
    weights: Path | None = None
    input_px: int = 448
    turned: bool = False
    masking: bool = False
    neighbours: int = 1
    bank: BankOptions = field(default_factory=lambda: BankOptions(1.0))


def load_anomaly_dino(golden: Golden, options: AnomalyDinoOptions, on_progress: Progress) -> Source:
    """Raises EngineError for files that do not fit, or a memory beyond its budget."""
    return anomalib_or_golden(
        METHOD,
        options.checkpoint,
        options.weights,
        lambda checkpoint: _from_anomalib(golden, checkpoint, options.prepared_px),
        lambda weights: _from_golden(golden, options, weights, on_progress),
    )


# --- anomalib -----------------------------------------------------------------------------------


class LastLayer(nn.Module):
    """anomalib's extractor as tokens (n, d) of one picture."""

    def __init__(self, extractor: nn.Module, layer: str) -> None:
        super().__init__()
        self.extractor, self.layer = extractor, layer

    def forward(self, picture: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self.extractor(picture)[self.layer][0]
        return found


def _from_anomalib(golden: Golden, path: Path, prepared_px: int | None) -> Source:
    default = AnomalyDINO.configure_pre_processor
    read = anomalib_checkpoint(path, METHOD, default, prepared_px)
    model, side = _model(read), read.preprocess.resize_px
    check_patches(model.feature_encoder, side, path)
    rows = model.memory_bank.numpy()
    grid = side[0] // model.patch_size, side[1] // model.patch_size
    network = TokenMemory(
        picture_of(read.preprocess, size_px(golden)),
        LastLayer(placed(model.feature_encoder, side), model.last_layer),
        CosineDistance(rows, grid, max(1, model.num_neighbours), model.masking),
        BlurredInside(model.anomaly_map_generator.blur, side, size_px(golden)),
    )

    def scored(picture: torch.Tensor) -> torch.Tensor:
        with as_in_anomalib():
            found: torch.Tensor = model(read.transform(picture)).anomaly_map
            return found

    return anomalib_source(
        METHOD,
        model,
        read,
        golden,
        network=network,
        scored=scored,
        keep_float32=("distance", "finish"),
        provenance={"bank": list(rows.shape), "bank_mb": bank_mb(*rows.shape)},
        bound=LARGEST,
    )


def _model(read: AnomalibCheckpoint) -> nn.Module:
    check_encoder(read, "feature_encoder")
    bank, built = read.state.get("memory_bank"), read.hyper_parameters
    if bank is None or bank.ndim != 2 or not len(bank):
        raise EngineError(f"{read.path}: has no memory bank: is it AnomalyDINO, and was it fitted?")
    with as_in_anomalib():
        model = AnomalyDINOModel(
            num_neighbours=built.get("num_neighbours", 1),
            encoder_name=built.get("encoder_name", "vit_small_patch14_dinov2"),
            masking=built.get("masking", False),
        )
    model.memory_bank = torch.zeros_like(bank)
    if len(bank) < model.num_neighbours:
        raise EngineError(
            f"{read.path}: {model.num_neighbours} neighbours of a memory of {len(bank)}"
        )
    return filled(model, read).float()


# --- backbone weights and one golden scan -------------------------------------------------------


class Flat(nn.Module):
    """A map of tokens as (n, d)."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, picture: torch.Tensor) -> torch.Tensor:
        return self.network(picture)[0].flatten(1).transpose(0, 1)


def _from_golden(
    golden: Golden, options: AnomalyDinoOptions, weights: Path, on_progress: Progress
) -> Source:
    size = size_px(golden)
    side, grid, network = _opened(options, weights, size)
    picture = Picture(size, side, interpolation="bicubic")
    tokens = Flat(network)
    see = nn.Sequential(picture, tokens)
    inputs = _turned(golden_inputs(golden, ["image"]), TURNS_DEG if options.turned else (0,))
    rows = build_bank(
        (_unit(found) for found in features_of(see, inputs)), options.bank, on_progress
    )
    if len(rows) < options.neighbours:
        raise EngineError(
            f"{options.neighbours} neighbours of a memory of {len(rows)}: choose a larger --coreset"
        )
    distance = CosineDistance(rows, grid, options.neighbours, options.masking)
    return Source(
        method=METHOD,
        inputs=(spec("image", golden),),
        network=TokenMemory(picture, tokens, distance, BlurredOutside(grid, size)),
        original=_original(network, rows, side, grid, options),
        provenance={
            "backbone": options.backbone,
            "weights_sha256": sha256_of(weights),
            "input_px": list(side),
            "patches": list(grid),
            "turned_deg": list(TURNS_DEG) if options.turned else [0],
            "masking": options.masking,
            "neighbours": options.neighbours,
            "coreset": options.bank.ratio,
            "bank": list(rows.shape),
            "bank_mb": bank_mb(*rows.shape),
        },
        input_px=options.input_px,
        keep_float32=("picture", "distance", "finish"),
        tools=versions("timm"),
        bound=LARGEST,
    )


def _opened(options: AnomalyDinoOptions, weights: Path, size: Size) -> tuple[Size, Size, nn.Module]:
    """What the network sees, its grid of patches, and it: both sides a whole number of patches.

    The published code cuts off what is left over, which would be unproven here.
    """
    patch = patch_px(options.backbone)
    scale = options.input_px / min(size)
    grid = tuple(max(1, round(scale * side / patch)) for side in size)
    side = grid[0] * patch, grid[1] * patch
    return side, (grid[0], grid[1]), load_tokens(options.backbone, weights, side)


def _turned(
    inputs: Iterator[dict[str, Tensor]], angles_deg: tuple[int, ...]
) -> Iterator[dict[str, Tensor]]:
    """Each picture turned about its middle; beyond its border it is mirrored."""
    for given in inputs:
        for angle in angles_deg:
            yield {"image": turned(given["image"], angle)}


def turned(image: Tensor, angle_deg: float) -> Tensor:
    """uint8 (1, c, h, w), counter-clockwise; as published."""
    if not angle_deg:
        return image
    planes = np.ascontiguousarray(image[0].transpose(1, 2, 0))
    height, width = planes.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), angle_deg, 1.0)
    found = cv2.warpAffine(planes, matrix, (width, height), borderMode=cv2.BORDER_DEFAULT)
    planes_first: Tensor = np.asarray(found).reshape(height, width, -1).transpose(2, 0, 1)[None]
    return planes_first


def _unit(tokens: Bank) -> Bank:
    return np.asarray(tokens / np.maximum(np.linalg.norm(tokens, axis=1, keepdims=True), 1e-12))


def _original(
    network: nn.Module, rows: Bank, side: Size, grid: Size, options: AnomalyDinoOptions
) -> Callable[[Mapping[str, Tensor]], RawScore]:
    """By torchvision, scikit-learn, OpenCV and scipy, in float64 where distances are."""
    steps = Preprocess(side, True, IMAGENET_MEAN, IMAGENET_STD, "bicubic")
    memory = torch.from_numpy(rows).double()

    def original(inputs: Mapping[str, Tensor]) -> RawScore:
        with torch.no_grad():
            found = network(published_picture(picture_planes(inputs["image"]), steps))
        tokens = found[0].flatten(1).T
        alike = functional.normalize(tokens.double(), dim=1) @ memory.T
        distance = 1.0 - alike.topk(options.neighbours, dim=1).values.mean(dim=1).numpy()
        if options.masking:
            distance = np.where(published_foreground(tokens, grid), distance, 0.0)
        height, width = inputs["image"].shape[2:]
        large = cv2.resize(distance.reshape(grid), (width, height), interpolation=cv2.INTER_LINEAR)
        return np.asarray(np.maximum(gaussian_filter(large, SIGMA_PX), 0.0), np.float32)

    return original
