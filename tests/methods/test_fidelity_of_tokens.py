"""AnomalyDINO and CFM as they are published, worked out anew by timm, torch and numpy alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime as ort
import timm
import torch
from timm.models.vision_transformer import checkpoint_filter_fn
from torch import nn
from torch.nn import functional
from torchvision.transforms import InterpolationMode, v2

from tests.methods.test_fidelity import Map, bicubic, blurred, enlarged, farthest, first_view
from voxgate.benchmarks.workstation.seeded.cfm import save_checkpoint
from voxgate.benchmarks.workstation.seeded.tokens.anomaly_dino import save_weights
from voxgate.benchmarks.workstation.seeded.weights import SMALL_VIT, save_backbone
from voxgate.export.golden.golden import Golden
from voxgate.export.golden.inputs import golden_inputs, golden_range_mm
from voxgate.export.graph.tracing import RAW, trace
from voxgate.export.methods.cfm.load import CfmOptions, load_cfm
from voxgate.export.methods.tokens.anomaly_dino import AnomalyDinoOptions, load_anomaly_dino
from voxgate.export.progress import silent

MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
GRID = 6, 8  # patches of 14 px in 84 x 112 px, the camera's 150 x 200 reduced


def test_anomaly_dinos_map_is_not_the_published_one(small_golden: Golden, tmp_path: Path) -> None:
    """Every golden token kept; one less the cosine of the nearest; enlarged, then 4 px of blur."""
    weights = save_weights(tmp_path / "w.pth")
    source = load_anomaly_dino(
        small_golden, AnomalyDinoOptions(weights=weights, input_px=84), silent
    )
    network = small_dino(weights)
    pictures = [given["image"] for given in golden_inputs(small_golden, ["image"])]
    memory = torch.cat([directions(network, picture) for picture in pictures])
    turned = np.ascontiguousarray(pictures[0][..., ::-1, ::-1])
    session = ort.InferenceSession(trace(source).SerializeToString())
    found = session.run([RAW], {"image": turned})[0][0, 0]
    alike = (directions(network, turned) @ memory.T).max(dim=1).values
    want = blurred(enlarged((1 - alike).reshape(GRID).numpy(), found.shape))
    assert want.max() > 0.01
    assert farthest(found, want) < 1e-5


def small_dino(weights: Path) -> nn.Module:
    """DINOv2 S/14 on 6 x 8 patches, placed as its published code places them."""
    state = torch.load(weights)
    places = state["pos_embed"][0].double().numpy()
    rows, columns = (bicubic(37, count, (count + 0.1) / 37) for count in GRID)
    own = np.einsum("ai,bj,ijc->abc", rows, columns, places[1:].reshape(37, 37, -1))
    together = np.concatenate([places[:1], own.reshape(-1, places.shape[1])])
    state["pos_embed"] = torch.from_numpy(together[None]).float()
    side = GRID[0] * 14, GRID[1] * 14
    network = timm.create_model("vit_small_patch14_dinov2", img_size=side, num_classes=0)
    network.load_state_dict(state)
    return network.eval()


def directions(network: nn.Module, image: Map) -> torch.Tensor:
    """(48, d) of length 1, of a grey picture uint8 (1, 1, h, w)."""
    side = [GRID[0] * 14, GRID[1] * 14]
    resize = v2.Resize(side, InterpolationMode.BICUBIC, antialias=True)
    seen = resize(torch.from_numpy(image).float() / 255).repeat(1, 3, 1, 1)
    with torch.no_grad():
        tokens = network.forward_features(v2.Normalize(MEAN, STD)(seen))[0, 1:]
    return functional.normalize(tokens.double(), dim=1)


def test_cfms_map_is_not_the_published_one(small_golden: Golden, tmp_path: Path) -> None:
    """Each side foretold of the other; lengths taken off, distances multiplied, nothing where there
    is no shape; enlarged on a square and cut off."""
    weights = save_backbone(SMALL_VIT, tmp_path / "w.pth")
    mappings = save_checkpoint(tmp_path, 192, 192)
    options = CfmOptions(weights=weights, checkpoint=mappings, backbone=SMALL_VIT, input_px=96)
    given, found = first_view(small_golden, load_cfm(small_golden, options))
    near, far = golden_range_mm(small_golden)
    depth = given["depth_mm"][0, 0].astype(np.float64)
    scaled = np.clip((depth - near) / (far - near), 0, 1) * (depth > 0)
    network = small_vit(weights)
    seen, shape = (tokens_of(network, plane) for plane in (given["image"][0, 0] / 255.0, scaled))
    state = torch.load(mappings)["state_dict"]
    score = apart(seen, mapped(state, "xyz_to_rgb_mapper", shape))
    score = score * apart(shape, mapped(state, "rgb_to_xyz_mapper", seen))
    assert shape.abs().sum(dim=1).min() > 0
    want = enlarged(score.reshape(6, 6).numpy(), (200, 200))[25:175]
    assert farthest(found, want) < 1e-5


def small_vit(weights: Path) -> nn.Module:
    network = timm.create_model(SMALL_VIT, img_size=96, num_classes=0)
    state = checkpoint_filter_fn(torch.load(weights), network)
    network.load_state_dict({n: t for n, t in state.items() if not n.startswith("head.")})
    return network.eval()


def tokens_of(network: nn.Module, plane: Map) -> torch.Tensor:
    """(36, d) of (150, 200) in 0..1, its border repeated to a square."""
    square = torch.from_numpy(np.pad(plane, ((25, 25), (0, 0)), "edge").astype(np.float32))
    seen = v2.Resize([96, 96], antialias=True)(square[None, None]).repeat(1, 3, 1, 1)
    with torch.no_grad():
        return network.forward_features(v2.Normalize(MEAN, STD)(seen))[0, 1:].double()


def mapped(state: dict[str, torch.Tensor], name: str, features: torch.Tensor) -> torch.Tensor:
    """Three layers, convolutions of one pixel; GELU between them."""
    for layer in ("input", "projection", "output"):
        weight = state[f"model.{name}.{layer}.weight"].double().flatten(1)
        features = features @ weight.T + state[f"model.{name}.{layer}.bias"].double()
        if layer != "output":
            features = features * 0.5 * (1 + torch.erf(features / 2**0.5))
    return features


def apart(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    of_length_1 = (each / each.norm(dim=1, keepdim=True) for each in (a, b))
    first, second = of_length_1
    return (first - second).norm(dim=1)
