"""Point-MAE under CFM as published: its network, its means and its mapping worked out again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional

from tests.methods.agreement import refused
from tests.methods.test_fidelity import enlarged, farthest, first_view, padded_tokens
from voxgate.benchmarks.workstation.seeded.cfm import save_checkpoint, save_pair, save_points
from voxgate.benchmarks.workstation.seeded.weights import SMALL_VIT, save_backbone
from voxgate.export.features.backbones.load import load_tokens
from voxgate.export.features.point_mae.options import PointsOptions
from voxgate.export.golden.golden import Golden
from voxgate.export.methods.cfm.load import CfmOptions, load_cfm

GROUPS, SIZE, SIDE, CELLS = 24, 8, 224, 20
State = dict[str, torch.Tensor]


def tokens_of(state: State, members: torch.Tensor, centres: torch.Tensor) -> torch.Tensor:
    """(g, 1152): Point-MAE's layers by their published names, with torch's own operators."""
    x = members.transpose(1, 2)
    for stage in ("first_conv", "second_conv"):
        if stage == "second_conv":
            shared = x.max(dim=2, keepdim=True).values.expand_as(x)
            x = torch.cat([shared, x], dim=1)
        x = functional.relu(normed(state, f"encoder.{stage}.1", convolved(state, stage, 0, x)))
        x = convolved(state, stage, 3, x)
    x = x.max(dim=2).values[None]
    hidden = functional.gelu(linear(state, "pos_embed.0", centres[None]))
    place = linear(state, "pos_embed.2", hidden)
    found = []
    for number in range(12):
        x = block(state, f"blocks.blocks.{number}", x + place)
        if number in (3, 7, 11):
            found.append(layer_norm(state, "norm", x))
    return torch.cat(found, dim=2)[0]


def block(state: State, name: str, x: torch.Tensor) -> torch.Tensor:
    qkv = linear(state, f"{name}.attn.qkv", layer_norm(state, f"{name}.norm1", x), bias=False)
    q, k, v = (
        part.reshape(1, -1, 6, 64).transpose(1, 2) for part in qkv.split((384, 384, 384), dim=2)
    )
    seen = functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(1, -1, 384)
    x = x + linear(state, f"{name}.attn.proj", seen)
    inner = functional.gelu(linear(state, f"{name}.mlp.fc1", layer_norm(state, f"{name}.norm2", x)))
    return x + linear(state, f"{name}.mlp.fc2", inner)


def linear(state: State, name: str, x: torch.Tensor, bias: bool = True) -> torch.Tensor:
    return functional.linear(x, state[f"{name}.weight"], state[f"{name}.bias"] if bias else None)


def layer_norm(state: State, name: str, x: torch.Tensor) -> torch.Tensor:
    return functional.layer_norm(x, (384,), state[f"{name}.weight"], state[f"{name}.bias"])


def convolved(state: State, stage: str, number: int, x: torch.Tensor) -> torch.Tensor:
    name = f"encoder.{stage}.{number}"
    return functional.conv1d(x, state[f"{name}.weight"], state[f"{name}.bias"])


def normed(state: State, name: str, x: torch.Tensor) -> torch.Tensor:
    mean, variance = state[f"{name}.running_mean"], state[f"{name}.running_var"]
    weight, bias = state[f"{name}.weight"], state[f"{name}.bias"]
    return functional.batch_norm(x, mean, variance, weight, bias)


def published_state(path: Path) -> State:
    whole = torch.load(path)["base_model"]
    return {name.removeprefix("module.MAE_encoder."): tensor for name, tensor in whole.items()}


def interpolated(tokens: torch.Tensor, points: Any) -> torch.Tensor:
    """(1, 1152, 224, 224) of what the box found: three groups a pixel, by their shares."""
    near = points[-2 * SIDE**2 : -(SIDE**2)].astype(int)
    shares = points[-(SIDE**2) :]
    pixels = np.einsum("pn,pnc->cp", shares, tokens.numpy()[near])
    return torch.from_numpy(pixels.astype(np.float32)).reshape(1, -1, SIDE, SIDE)


def mapped(path: Path, vectors: torch.Tensor) -> torch.Tensor:
    state = torch.load(path)
    x = functional.gelu(linear(state, "input", vectors))
    return linear(state, "output", functional.gelu(linear(state, "projection", x)))


def apart(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Of two vectors of length 1, by the angle between them."""
    return (2 - 2 * functional.cosine_similarity(a, b, dim=1)).clamp(min=0).sqrt()


@pytest.mark.parametrize("form", ["two files", "one checkpoint"])
def test_a_published_mapping_to_point_mae_says_something_else(
    form: str, small_golden: Golden, tmp_path: Path
) -> None:
    weights, points = save_backbone(SMALL_VIT, tmp_path / "w.pth"), save_points(tmp_path)
    there, back = save_pair(tmp_path, 192, 1152)
    padded = form == "one checkpoint"
    files: dict[str, Any] = (
        {"checkpoint": save_checkpoint(tmp_path, 192, 1152)}
        if padded
        else {"picture_to_shape": there, "shape_to_picture": back}
    )
    options = CfmOptions(
        weights=weights, backbone=SMALL_VIT, shape="point-mae", input_px=96,
        points=PointsOptions(points, GROUPS, SIZE, cells=CELLS), **files,
    )  # fmt: skip
    given, found = first_view(small_golden, load_cfm(small_golden, options))
    box = given["points"][0, 0]
    members = torch.from_numpy(box[GROUPS : GROUPS * (1 + SIZE)]).reshape(GROUPS, SIZE, 3)
    tokens = tokens_of(published_state(points), members, torch.from_numpy(box[:GROUPS]))
    mean = functional.avg_pool2d(interpolated(tokens, box), 3, 1, int(padded))
    shape = functional.adaptive_avg_pool2d(mean, CELLS)[0].flatten(1).T
    patches = padded_tokens(load_tokens(SMALL_VIT, weights, (96, 96)), given["image"][0, 0])
    plane = patches.T.reshape(1, -1, 6, 6)
    picture = functional.interpolate(plane, size=(CELLS, CELLS), mode="bilinear")
    if padded:
        picture = functional.avg_pool2d(picture, 3, 1, 1)
    seen = picture[0].flatten(1).T
    score = apart(mapped(there, seen), shape) * apart(mapped(back, shape), seen)
    score[shape.abs().sum(dim=1) == 0] = 0.0
    small = score.reshape(CELLS, CELLS).double().numpy()
    assert farthest(found, enlarged(small, (200, 200))[25:175]) < 1e-3


def test_a_mapping_to_point_mae_is_guessed_without_its_weights(
    small_scans: Path, tmp_path: Path
) -> None:
    weights = save_backbone(SMALL_VIT, tmp_path / "w.pth")
    checkpoint = save_checkpoint(tmp_path, 192, 1152)
    asked = ("cfm", "--backbone", SMALL_VIT, "--weights", str(weights), "--input-px", "96")
    mapping = ("--checkpoint", str(checkpoint))
    assert "--shape point-mae" in refused(small_scans, tmp_path / "out", *asked, *mapping)
    shape = ("--shape", "point-mae")
    words = refused(small_scans, tmp_path / "out", *asked, *mapping, *shape)
    assert "--points-weights" in words
    other = ("--points-weights", str(weights))
    words = refused(small_scans, tmp_path / "out", *asked, *mapping, *shape, *other)
    assert "weights of" in words
