"""Point-MAE's published weights, in each form they lie about in, as anomalib's module."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from anomalib.models.image.cfm.components import PointTransformer
from torch import nn

from voxgate.export.features.checkpoint import State, load_state, unwrapped
from voxgate.export.features.weights_file import read_content
from voxgate.runtime.errors import EngineError

WIDTH, HEADS, DEPTH = 384, 6, 12
LAYERS = (3, 7, 11)  # whose tokens are taken, side by side
FEATURES = WIDTH * len(LAYERS)
BASE = "base_model"  # what the published file calls its layers
# in front of the encoder's own: Point-MAE's file, a finetuned one, anomalib's checkpoint of CFM
PREFIXES = ("MAE_encoder.", "base_model.", "model.feature_extractors.extractors.xyz_backbone.")
OWN = ("encoder.", "pos_embed.", "blocks.", "norm.")


def load_points(path: Path) -> State:
    """The layers of the encoder, without decoder and heads. Raises EngineError."""
    what = "weights of Point-MAE"
    content = read_content(path, what)
    for key in (BASE, "state_dict"):
        inner = content.get(key) if isinstance(content, dict) else None
        content = inner if isinstance(inner, dict) else content
    state = unwrapped(content) if isinstance(content, dict) else {}
    found = {bare: state[name] for name in state if (bare := _bare(name)).startswith(OWN)}
    if not found:
        raise EngineError(f"{path}: has none of {', '.join(OWN)}: is it {what} (pretrain.pth)?")
    return found


def point_network(state: State, path: Path) -> nn.Module:
    """anomalib's module with these layers, frozen. Raises EngineError."""
    network: nn.Module = PointTransformer()
    load_state(network, state, path)
    return network.eval().requires_grad_(False)


def seeded_points(seed: int) -> dict[str, Any]:
    """A file's content as published, weights drawn by chance."""
    torch.manual_seed(seed)
    network = PointTransformer()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm1d):  # as if it had learnt: another mean, another spread
            module.running_mean.normal_(0.0, 0.05)
            module.running_var.uniform_(0.5, 2.0)
    named = {f"module.MAE_encoder.{n}": t for n, t in network.state_dict().items()}
    return {BASE: named, "epoch": 300}


def _bare(name: str) -> str:
    for prefix in PREFIXES:
        name = name.removeprefix(prefix)
    return name
