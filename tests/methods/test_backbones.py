"""Backbones by the names of their authors' hubs: the graph sees as they do, none is guessed."""

from __future__ import annotations

import io
import warnings
from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest
import timm
import torch

from voxgate.benchmarks.workstation.seeded.weights import save_backbone
from voxgate.export.features.backbones.load import load_tokens
from voxgate.export.features.backbones.names import TIMM_NAMES
from voxgate.runtime.errors import EngineError

TINY = "vit_tiny_patch16_dinov3_qkvb"


def test_dinov3_places_its_patches_otherwise_in_the_graph(tmp_path: Path) -> None:
    """Its patches are told apart by a rotation, which must be a constant of the graph."""
    weights = save_backbone(TINY, tmp_path / "w.pth")
    tokens = load_tokens(TINY, weights, (96, 64))
    picture = torch.rand(1, 3, 96, 64, generator=torch.Generator().manual_seed(1))
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the tracer warns of itself
        torch.onnx.export(
            tokens, (picture,), buffer, opset_version=17, dynamo=False, input_names=["x"]
        )
    (found,) = ort.InferenceSession(buffer.getvalue()).run(None, {"x": picture.numpy()})
    network = timm.create_model(TINY, pretrained=False, num_classes=0, dynamic_img_size=True)
    network.load_state_dict(torch.load(weights), strict=False)
    with torch.no_grad():
        features = network.eval().forward_features(picture)[0, 5:]  # a class and four registers
    want = features.T.reshape(-1, 6, 4).numpy()
    assert np.abs(found[0] - want).max() < 1e-4 * np.abs(want).max()


def test_a_hub_name_is_none_of_timms() -> None:
    known = set(timm.list_models()) | set(timm.list_models(pretrained=True))
    assert set(TIMM_NAMES.values()) <= known


def test_an_unknown_backbone_does_not_say_which_are_known(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match=r"dinov2_vitb14_reg.*dinov3_vitb16"):
        load_tokens("dinov2_vitb15", save_backbone("resnet18", tmp_path / "w.pth"), (98, 98))


@pytest.mark.parametrize(
    ("given", "asked"),
    [
        ("dinov2_vits14_reg", "dinov2_vits14"),
        ("dinov2_vits14", "dinov2_vits14_reg"),
        ("dinov3_vits16", "dinov2_vits14"),
        ("dino_vits16", "dinov3_vits16"),
        ("resnet18", "dinov2_vits14"),
    ],
)
def test_another_transformers_weights_end_in_torchs_words(
    given: str, asked: str, tmp_path: Path
) -> None:
    weights = save_backbone(TIMM_NAMES.get(given, given), tmp_path / "w.pth")
    with pytest.raises(EngineError, match=r"w\.pth: .*weights of another model or size"):
        load_tokens(asked, weights, (112, 112))
