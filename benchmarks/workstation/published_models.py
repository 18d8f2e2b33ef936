"""Models of the papers' sizes, seeded: pictures of 12 Mpx, networks that see 1540 x 1540 px.

No bank is built and no scan is read: what is asked is how much memory a graph needs and whether the
real TensorRT builds it, and that hangs on sizes alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import onnx
import torch
from anomalib.models.image.cfm.components import FeatureProjectionMLP
from anomalib.models.image.efficient_ad.torch_model import EfficientAdModel, EfficientAdModelSize
from timm.models.vision_transformer import Block
from torch import nn
from torch.onnx import symbolic_opset9
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map_only

from voxgate.benchmarks.workstation.seeded.weights import SEED, save_backbone
from voxgate.export.features.anomalib_preprocessing import Preprocess
from voxgate.export.features.backbones.load import load_pyramid, load_tokens
from voxgate.export.features.bank import Bank, UnitBank
from voxgate.export.features.bank_score import BankNetwork, BankScore
from voxgate.export.features.eye import PYRAMID
from voxgate.export.features.patches import Eye, JointFeatures, Kind, PictureFeatures, features_from
from voxgate.export.graph.tracing import trace
from voxgate.export.methods.cfm.network import CfmNetwork
from voxgate.export.methods.from_anomalib import AnomalibNetwork
from voxgate.export.methods.m3dm import M3dmNetwork
from voxgate.export.methods.patchcore import PatchcoreNetwork
from voxgate.export.reference.colour_bank import colour_bank
from voxgate.export.reference.filter_bank import filter_bank
from voxgate.export.source import Source
from voxgate.runtime.recipe.manifest import TensorSpec

CAMERA = (3000, 4096)
SIDE_PX, PATCHES = 1540, 28  # SiM3D, S.6: of the square, and of a pyramid's grid
DINO_PX, STUDENT_PX = 518, 768  # that DINOv2 was trained at; half of SiM3D's, in whole patches
VIEWS, CORESET = 12, 0.1  # of a golden scan, and kept of it
RANGE_MM = (300.0, 600.0)
FPFH = (33, CAMERA[0] // 4, CAMERA[1] // 4)
DINO, DINO_WIDTH = "vit_base_patch14_dinov2", 768
WRN, WRN_WIDTH = "wide_resnet101_2", 512 + 1024
ATEN = torch.ops.aten
PRODUCTS = frozenset(
    {
        *(ATEN.mm.default, ATEN.addmm.default, ATEN.bmm.default, ATEN.baddbmm.default),
        ATEN._scaled_dot_product_flash_attention_for_cpu.default,
    }
)


@dataclass(frozen=True, slots=True)
class Published:
    """A model and what it sees; graph: of a folder for its files.

    quantised: whether its INT8 form is built too: of one convolutional network and one transformer.
    """

    name: str
    sees: str
    graph: Callable[[Path], onnx.ModelProto]
    quantised: bool = False

    def __str__(self) -> str:
        return f"{self.name}, {self.sees}"


# --- what they see --------------------------------------------------------------------------------

COLOUR = TensorSpec(name="image", dtype="uint8", shape=(1, 3, *CAMERA))
DEPTH = TensorSpec(name="depth_mm", dtype="float32", shape=(1, 1, *CAMERA))
DESCRIPTORS = TensorSpec(name="fpfh", dtype="float32", shape=(1, *FPFH))


class ShapesAlone(TorchDispatchMode):
    """Products of matrices are traced and not computed: zeros of their shapes, asked of torch
    beside the thread that is traced, where sizes are numbers. (Convolutions would be lost to the
    trace: `_Convolution`.)"""

    def __init__(self, beside: Executor) -> None:
        super().__init__()
        self._beside = beside

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in PRODUCTS:
            return self._beside.submit(_zeros, func, args, kwargs or {}).result()
        return func(*args, **(kwargs or {}))


def _zeros(func: Any, args: Any, kwargs: Any) -> Any:
    found = _shapes(func, args, kwargs)
    return tree_map_only(torch.Tensor, lambda t: torch.zeros(t.shape, dtype=t.dtype), found)


@torch.no_grad()
def _shapes(func: Any, args: Any, kwargs: Any) -> Any:
    given, named = tree_map_only(torch.Tensor, lambda t: t.to("meta"), (args, kwargs))
    return func(*given, **named)


class _Convolution(torch.autograd.Function):
    """Told to the exporter as its own, its maps zeros: of input, weight, bias, strides and so on,
    and the thread beside this one."""

    @staticmethod
    def forward(_: Any, *given: Any) -> torch.Tensor:
        *of_convolution, beside = given
        like = beside.submit(_shapes, ATEN.conv2d, of_convolution, {}).result()
        return torch.zeros(()).expand(like.shape)  # one zero: maps are gigabytes

    @staticmethod
    def symbolic(graph: Any, *given: Any) -> Any:
        return symbolic_opset9.conv2d(graph, *given[:-1])


def _convolving(beside: Executor) -> Callable[..., torch.Tensor]:
    def forward(layer: nn.Conv2d, x: torch.Tensor, weight: Any, bias: Any) -> torch.Tensor:
        how = layer.stride, layer.padding, layer.dilation, layer.groups
        found: torch.Tensor = _Convolution.apply(x, weight, bias, *how, beside)
        return found

    return forward


@contextmanager
def shapes_alone(network: nn.Module) -> Iterator[None]:
    """In convolutions; in blocks of transformers and searches of banks, which hold none."""
    with ThreadPoolExecutor(1) as beside, ExitStack() as hooks:
        hooks.enter_context(patch.object(nn.Conv2d, "_conv_forward", _convolving(beside)))
        for part in network.modules():
            if isinstance(part, (Block, BankScore)):
                mode = ShapesAlone(beside)
                hooks.callback(part.register_forward_pre_hook(_entering(mode)).remove)
                hooks.callback(part.register_forward_hook(_leaving(mode)).remove)
        yield


def _entering(mode: ShapesAlone) -> Callable[..., None]:
    return lambda *_: mode.__enter__() and None


def _leaving(mode: ShapesAlone) -> Callable[..., None]:
    return lambda *_: mode.__exit__(None, None, None)


def traced(network: nn.Module, *inputs: TensorSpec) -> onnx.ModelProto:
    def original(given: object) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
        raise NotImplementedError("of sizes alone")

    with shapes_alone(network):
        return trace(Source("published size", inputs, network, original, {}))


def _transformer(folder: Path, side_px: int = SIDE_PX) -> Eye:
    weights = folder / "dino.pth"
    if not weights.exists():
        save_backbone(DINO, weights, img_size=DINO_PX)
    tokens = load_tokens(DINO, weights, (side_px, side_px))
    return Eye(tokens, True, CAMERA, side_px, "pad", RANGE_MM)


def _bank(patches: int, width: int) -> Bank:
    """As many rows as the papers keep of a golden scan."""
    rows = int(VIEWS * patches * CORESET)
    return np.random.default_rng(SEED).random((rows, width), np.float32)


def _score(features: PictureFeatures | JointFeatures, width: int, reweight: int) -> BankScore:
    rows, columns = features.grid
    return BankScore(_bank(rows * columns, width), features.grid, reweight)


# --- the models -----------------------------------------------------------------------------------


def patchcore(folder: Path, kinds: Sequence[Kind]) -> onnx.ModelProto:
    eye = _transformer(folder)
    branches = {}
    for kind in kinds:
        features = PictureFeatures(eye, kind).eval()
        score = _score(features, DINO_WIDTH, reweight=3)
        branches[kind] = BankNetwork(features, score, CAMERA, "pad")
    seen = {"image": COLOUR, "depth": DEPTH}
    return traced(PatchcoreNetwork(branches), *(seen[kind] for kind in kinds))


def cfm(folder: Path, side_px: int) -> onnx.ModelProto:
    eye = _transformer(folder, side_px)
    features = PictureFeatures(eye, "image").eval(), PictureFeatures(eye, "depth").eval()
    mappings = [FeatureProjectionMLP(DINO_WIDTH, DINO_WIDTH).eval() for _ in range(2)]
    grid = features[0].grid
    network = CfmNetwork(features, (mappings[0], mappings[1]), grid, CAMERA, "pad")
    return traced(network, COLOUR, DEPTH)


def m3dm(folder: Path) -> onnx.ModelProto:
    eye = _transformer(folder)
    features = PictureFeatures(eye, "image").eval(), PictureFeatures(eye, "depth").eval()
    grid = features[0].grid
    bank = UnitBank(_bank(grid[0] * grid[1], DINO_WIDTH))
    network = M3dmNetwork(features, grid, (bank, bank), np.array([0.6, 0.3]), CAMERA, "pad")
    return traced(network, COLOUR, DEPTH)


def btf(folder: Path) -> onnx.ModelProto:
    weights = save_backbone(WRN, folder / "wrn.pth")
    network = load_pyramid(WRN, weights, PYRAMID)
    eye = Eye(network, False, CAMERA, SIDE_PX, "pad", RANGE_MM, PATCHES)
    picture = PictureFeatures(eye, "image").eval()
    shape = features_from(eye, "fpfh", picture.grid, FPFH[1:])
    features = JointFeatures([picture, shape]).eval()
    score = _score(features, WRN_WIDTH + FPFH[0], reweight=3)
    return traced(BankNetwork(features, score, CAMERA, "pad"), COLOUR, DESCRIPTORS)


def efficientad(size: EfficientAdModelSize, side_px: int) -> onnx.ModelProto:
    model = EfficientAdModel(teacher_out_channels=384, model_size=size, padding=False).eval()
    steps = Preprocess((side_px, side_px), True, None, (1.0, 1.0, 1.0))
    return traced(AnomalibNetwork(model, steps, CAMERA), COLOUR)


CASES = (
    Published("reference", "grey, 12 Mpx", lambda folder: filter_bank(CAMERA, 6.0)),
    Published("reference", "colour, 12 Mpx", lambda folder: colour_bank(CAMERA, 6.0)),
    Published(
        "patchcore DINOv2 B/14",
        "colour",
        lambda folder: patchcore(folder, ["image"]),
        quantised=True,
    ),
    Published(
        "patchcore DINOv2 B/14",
        "colour, depth",
        lambda folder: patchcore(folder, ["image", "depth"]),
    ),
    Published(f"cfm DINOv2 B/14 at {DINO_PX} px", "colour, depth", partial(cfm, side_px=DINO_PX)),
    Published("cfm DINOv2 B/14", "colour, depth", partial(cfm, side_px=SIDE_PX)),
    Published("m3dm DINOv2 B/14", "colour, depth", m3dm),
    Published("btf WRN-101 + FPFH", "colour, descriptors", btf),
    Published(
        "efficientad S",
        "colour",
        lambda folder: efficientad(EfficientAdModelSize.S, SIDE_PX),
        quantised=True,
    ),
    Published(
        f"efficientad M at {STUDENT_PX} px",
        "colour",
        lambda folder: efficientad(EfficientAdModelSize.M, STUDENT_PX),
    ),
    Published(
        "efficientad M", "colour", lambda folder: efficientad(EfficientAdModelSize.M, SIDE_PX)
    ),
)
