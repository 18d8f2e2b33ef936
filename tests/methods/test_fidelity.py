"""What a graph says is what the published code says: each time worked out anew, by other means.

The parity gate holds a graph against a source that is written here too; where both left the paper
together, it saw nothing.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime as ort
import pytest
import timm
import torch
from torch import nn
from torch.nn import functional
from torchvision.transforms import v2

from tests.methods.agreement import public_options
from voxgate.benchmarks.workstation.seeded.weights import save_backbone
from voxgate.export.features.backbones.load import load_tokens
from voxgate.export.features.bank import BankOptions
from voxgate.export.features.nearest import Nearest
from voxgate.export.golden.golden import Golden
from voxgate.export.golden.inputs import golden_inputs, golden_range_mm
from voxgate.export.graph.tracing import RAW, trace
from voxgate.export.methods.btf import BtfOptions, load_btf
from voxgate.export.methods.efficientad.load import load_efficientad
from voxgate.export.methods.m3dm import M3dmOptions, load_m3dm
from voxgate.export.methods.omnipose import OmniposeOptions, load_omnipose
from voxgate.export.methods.patchcore import PatchcoreOptions, load_patchcore
from voxgate.export.progress import silent
from voxgate.export.source import Source

Map = npt.NDArray[Any]


def first_view(golden: Golden, source: Source) -> tuple[dict[str, Any], Map]:
    """What the graph is given for the first golden view, and its map (h, w)."""
    names = [tensor.name for tensor in source.inputs]
    given = next(iter(golden_inputs(golden, names, source.section)))
    session = ort.InferenceSession(trace(source).SerializeToString())
    (found,) = session.run([RAW], given)
    return given, found[0, 0]


def farthest(found: Map, want: Map) -> float:
    """Largest difference, of the wanted map's largest value."""
    return float(np.abs(found - want).max() / np.abs(want).max())


def test_efficientads_map_is_enlarged_twice(small_golden: Golden, tmp_path: Path) -> None:
    file = tmp_path / "n.npz"
    np.savez(file, mean=np.zeros(32), std=np.ones(32), q_st=[0.0, 0.2], q_ae=[0.0, 0.01])
    options = public_options(tmp_path, normalisation=file)
    given, found = first_view(small_golden, load_efficientad(small_golden, options))
    seen = imagenet(given["image"], 256)
    teacher, student = (small_pdn(tmp_path / f"{role}.pth") for role in ("teacher", "student"))
    with torch.no_grad():
        taught, learnt = teacher(seen), student(seen)
        coded = coded_by(tmp_path / "autoencoder.pth", seen)
        of_teacher = ((taught - learnt[:, :32]) ** 2).mean(1, keepdim=True) * 0.1 / 0.2
        of_code = ((coded - learnt[:, 32:]) ** 2).mean(1, keepdim=True) * 0.1 / 0.01
    small = functional.pad((of_teacher + of_code) / 2, (4, 4, 4, 4))
    assert small.shape[-2:] == (64, 64)
    assert farthest(found, enlarged(small[0, 0].numpy(), found.shape)) < 1e-4


def small_pdn(path: Path) -> nn.Sequential:
    """The small patch description network with a file's weights."""
    state = torch.load(path)
    widths = [state[f"{n}.weight"].shape[0] for n in (0, 3, 6, 8)]
    network = nn.Sequential(
        nn.Conv2d(3, widths[0], 4), nn.ReLU(), nn.AvgPool2d(2, 2),
        nn.Conv2d(widths[0], widths[1], 4), nn.ReLU(), nn.AvgPool2d(2, 2),
        nn.Conv2d(widths[1], widths[2], 3), nn.ReLU(), nn.Conv2d(widths[2], widths[3], 4),
    )  # fmt: skip
    network.load_state_dict(state)
    return network


def coded_by(path: Path, picture: torch.Tensor) -> torch.Tensor:
    """The autoencoder of EfficientAD's table 8 with a file's weights, at 256 px."""
    state = torch.load(path)
    x = picture
    for number in (0, 2, 4, 6, 8):
        x = torch.relu(convolved(state, number, x, stride=2, padding=1))
    x = convolved(state, 10, x)
    sides = {12: 3, 16: 8, 20: 15, 24: 32, 28: 63, 32: 127}
    for number, side in sides.items():
        x = functional.interpolate(x, size=side, mode="bilinear")
        x = torch.relu(convolved(state, number, x, padding=2))
    x = torch.relu(convolved(state, 36, functional.interpolate(x, size=56, mode="bilinear"), 1, 1))
    return convolved(state, 38, x, padding=1)


def convolved(
    state: dict[str, torch.Tensor], number: int, x: torch.Tensor, stride: int = 1, padding: int = 0
) -> torch.Tensor:
    weight, bias = state[f"{number}.weight"], state[f"{number}.bias"]
    return functional.conv2d(x, weight, bias, stride, padding)


def imagenet(image: Map, side: int) -> torch.Tensor:
    """uint8 (1, 1, h, w) -> what a network of ImageNet sees of it, stretched to a square."""
    picture = v2.Resize([side, side], antialias=True)(torch.from_numpy(image).float() / 255)
    mean, std = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
    return v2.Normalize(mean, std)(picture.repeat(1, 3, 1, 1))


def enlarged(small: Map, size: tuple[int, ...]) -> Map:
    """Bilinear with half-pixel centres, in numpy, borders repeated."""
    rows, columns = (
        np.clip((np.arange(n) + 0.5) * m / n - 0.5, 0, m - 1)
        for n, m in zip(size, small.shape, strict=True)
    )
    by_rows = np.stack([np.interp(rows, np.arange(len(c)), c) for c in small.T], axis=1)
    return np.stack([np.interp(columns, np.arange(len(r)), r) for r in by_rows])


@pytest.mark.parametrize("side", [224, 532])
def test_dinov2_places_its_patches_as_another_library_does(side: int, tmp_path: Path) -> None:
    weights = save_backbone("vit_small_patch14_dinov2", tmp_path / "w.pth", img_size=518)
    stored = torch.load(weights)["pos_embed"][0].double().numpy()
    network = load_tokens("dinov2_vits14", weights, (side, side)).network
    placed = network.pos_embed[0].detach().numpy()
    count = side // 14
    grid = stored[1:].reshape(37, 37, -1)
    weight = bicubic(37, count, (count + 0.1) / 37)
    want = np.einsum("ai,bj,ijc->abc", weight, weight, grid).reshape(count * count, -1)
    assert np.allclose(placed[0], stored[0], atol=1e-7)
    assert np.abs(placed[1:] - want).max() < 1e-6


def bicubic(n_in: int, n_out: int, factor: float) -> Map:
    """(n_out, n_in): Keys' kernel of -0.75, no smoothing, borders repeated."""
    weights = np.zeros((n_out, n_in))
    for row in range(n_out):
        at = (row + 0.5) / factor - 0.5
        for tap in range(int(np.floor(at)) - 1, int(np.floor(at)) + 3):
            weights[row, min(max(tap, 0), n_in - 1)] += keys(abs(at - tap))
    return weights


def keys(apart: float, a: float = -0.75) -> float:
    if apart <= 1:
        return (a + 2) * apart**3 - (a + 3) * apart**2 + 1
    return a * (apart**3 - 5 * apart**2 + 8 * apart - 4) if apart < 2 else 0.0


@pytest.mark.parametrize("kind", ["patchcore", "btf"])
def test_patches_are_not_those_of_sim3d(kind: str, small_golden: Golden, tmp_path: Path) -> None:
    """28 x 28 cells of maps without their border, of a square whose sides repeat the picture's."""
    weights = save_backbone("resnet18", tmp_path / "w.pth")
    bank = BankOptions(ratio=0.02)
    if kind == "patchcore":
        of_pictures = PatchcoreOptions(
            backbone="resnet18", weights=weights, input_px=256, patches=28, bank=bank
        )
        source = load_patchcore(small_golden, of_pictures, silent)
    else:
        of_both = BtfOptions(
            weights, "resnet18", "depth", input_px=256, patches=28, reweight=0, bank=bank
        )
        source = load_btf(small_golden, of_both, silent)
    network = timm_resnet18(weights)
    assert source.network is not None
    (nearest,) = (m for m in source.network.modules() if isinstance(m, Nearest))
    rows = nearest.bank.double()
    given, found = first_view(small_golden, source)
    vectors = cells_of(network, np.pad(given["image"][0, 0] / 255.0, ((25, 25), (0, 0)), "edge"))
    if kind == "btf":
        near, far = golden_range_mm(small_golden)
        depth = given["depth_mm"][0, 0].astype(np.float64)
        scaled = np.clip((depth - near) / (far - near), 0, 1) * (depth > 0)
        of_depth = cells_of(network, np.pad(scaled, ((25, 25), (0, 0)), "edge"))
        vectors = torch.cat([vectors, of_depth], dim=1)
    distance = torch.cdist(vectors.double(), rows).min(dim=1).values.reshape(28, 28).numpy()
    want = enlarged(distance, (200, 200))[25:175]
    # one number for the whole map: equation 7 and the bank's own spacing
    factor = float(found.sum() / want.sum()) if kind == "patchcore" else 1.0
    assert farthest(found, want * factor) < 1e-3


def timm_resnet18(weights: Path) -> nn.Module:
    network = timm.create_model("resnet18", features_only=True, out_indices=(2, 3))
    kept = {n: t for n, t in torch.load(weights).items() if n in network.state_dict()}
    network.load_state_dict(kept)
    return network.eval()


def cells_of(network: nn.Module, square: Map) -> torch.Tensor:
    """(784, d): layers 2 and 3, 3 x 3 means without border, then means over 28 x 28 cells."""
    plane = torch.from_numpy(square.astype(np.float32))[None, None].repeat(1, 3, 1, 1)
    seen = v2.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])(
        v2.Resize([256, 256], antialias=True)(plane)
    )
    with torch.no_grad():
        maps = [nn.AdaptiveAvgPool2d(28)(nn.AvgPool2d(3, 1)(m)) for m in network(seen)]
    return torch.cat(maps, dim=1)[0].reshape(-1, 784).T


def test_m3dms_distances_are_not_in_units_of_the_banks(
    small_golden: Golden, tmp_path: Path
) -> None:
    weights = save_backbone("vit_tiny_patch16_224", tmp_path / "w.pth")
    np.savez(tmp_path / "svm.npz", coef=[[1.0, 0.0]], offset=[0.0])
    built = M3dmOptions(
        weights, "vit_tiny_patch16_224", input_px=96, svm=tmp_path / "svm.npz",
        bank=BankOptions(ratio=0.1),
    )  # fmt: skip
    source = load_m3dm(small_golden, built, silent)
    network = load_tokens("vit_tiny_patch16_224", weights, (96, 96))
    views = [padded_tokens(network, view.image) for view in small_golden.views]
    library = torch.cat(views)
    deviation = library.std()
    nearest = next(m for m in source.network.modules() if isinstance(m, Nearest))  # type: ignore[union-attr]
    seen = views[0] / deviation
    distance = torch.cdist(seen, nearest.bank / deviation).min(dim=1).values.reshape(6, 6)
    _, found = first_view(small_golden, source)
    assert farthest(found, enlarged(distance.numpy(), (200, 200))[25:175]) < 1e-3

    rows = (nearest.bank - library.mean()) / deviation
    np.savez(tmp_path / "b.npz", bank=rows, mean=library.mean(), std=deviation)
    again = load_m3dm(small_golden, replace(built, picture_bank=tmp_path / "b.npz"), silent)
    assert farthest(first_view(small_golden, again)[1], found) < 1e-3


def padded_tokens(network: nn.Module, image: Map) -> torch.Tensor:
    square = np.pad(image, ((25, 25), (0, 0)), "edge")
    with torch.no_grad():
        return network(imagenet(square[None, None], 96))[0].flatten(1).T


def test_omniposes_map_is_not_the_published_one(small_golden: Golden, tmp_path: Path) -> None:
    weights = save_backbone("efficientnet_b4", tmp_path / "w.pth")
    source = load_omnipose(small_golden, OmniposeOptions(weights))
    given, _ = first_view(small_golden, source)
    given["reference"] = np.roll(given["image"], 9, axis=3)
    session = ort.InferenceSession(trace(source).SerializeToString())
    found = session.run([RAW], given)[0][0, 0]
    network = timm.create_model("efficientnet_b4", features_only=True)
    kept = {n: t for n, t in torch.load(weights).items() if n in network.state_dict()}
    network.load_state_dict(kept)
    network.eval()
    ours, golden = (imagenet(given[name], 224) for name in ("image", "reference"))
    score = ((ours - golden) ** 2).sum(1)[0].double().numpy()
    with torch.no_grad():
        for a, b in zip(network(ours), network(golden), strict=True):
            score += enlarged(((a - b) ** 2).sum(1)[0].double().numpy(), (224, 224))
    assert farthest(found, enlarged(blurred(score), found.shape)) < 1e-3


def blurred(score: Map) -> Map:
    """A Gaussian of 4 px, four deviations wide, the picture mirrored at its border."""
    taps = np.exp(-(np.arange(-16, 17) ** 2) / 32.0)
    taps /= taps.sum()
    padded = np.pad(score, 16, "symmetric")
    by_rows = np.apply_along_axis(np.convolve, 0, padded, taps, "valid")
    return np.apply_along_axis(np.convolve, 1, by_rows, taps, "valid")
