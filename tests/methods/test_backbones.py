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
from voxgate.export.features.backbones.load import (
    is_transformer,
    load_pyramid,
    load_tokens,
    patch_px,
)
from voxgate.export.features.backbones.names import TIMM_NAMES
from voxgate.export.features.checkpoint import State
from voxgate.runtime.errors import EngineError

TINY = "vit_tiny_patch16_dinov3_qkvb"
SMALL = "vit_small_patch16_dinov3"


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


def as_in_the_hub(state: State, bias: float) -> State:
    """DINOv3's layers by the names of its hub, where the keys' biases are masked, not 0."""
    found: State = {}
    for name, tensor in state.items():
        if name.endswith("attn.q_bias"):
            parts = torch.full_like(tensor, bias), torch.ones_like(tensor), tensor * 0 + bias / 2
            found[name.replace("q_bias", "qkv.bias")] = torch.cat(parts)
            found[name.replace("q_bias", "qkv.bias_mask")] = torch.ones(3 * len(tensor))
        elif not name.endswith("attn.v_bias"):
            words = name.replace("reg_token", "storage_tokens").replace("gamma_1", "ls1.gamma")
            found[words.replace("gamma_2", "ls2.gamma")] = tensor
    return found | {"mask_token": torch.ones(1, 384), "rope_embed.periods": torch.ones(16)}


@pytest.mark.parametrize("bias", [0.0, 0.3])
def test_biases_of_dinov3_are_dropped_or_told_on_the_standard_output(
    bias: float, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    network = timm.create_model(
        f"{SMALL}_qkvb", pretrained=False, num_classes=0, dynamic_img_size=True
    )
    state = network.state_dict()
    torch.save(as_in_the_hub(state, bias), tmp_path / "hub.pth")
    for name in [name for name in state if name.endswith(("q_bias", "v_bias"))]:
        state[name].fill_(bias if name.endswith("q_bias") else bias / 2)
    network.load_state_dict(state)
    picture = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        want = network.eval().forward_features(picture)[0, 5:].T.reshape(-1, 4, 4)
        found = load_tokens("dinov3_vits16", tmp_path / "hub.pth", (64, 64))(picture)[0]
    assert torch.allclose(found, want, atol=1e-5)
    assert capsys.readouterr().out == ""


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
        ("dino_vits16", "dino_vits8"),  # timm would make its patches smaller, without a word
        ("resnet18", "dinov2_vits14"),
    ],
)
def test_another_transformers_weights_end_in_torchs_words(
    given: str, asked: str, tmp_path: Path
) -> None:
    weights = save_backbone(TIMM_NAMES.get(given, given), tmp_path / "w.pth")
    with pytest.raises(EngineError, match=r"w\.pth: .*weights of another model or size"):
        load_tokens(asked, weights, (112, 112))


def test_the_words_of_another_library_are_another_model(tmp_path: Path) -> None:
    layer = {"dinov2.embeddings.patch_embeddings.projection.weight": torch.ones(384, 3, 14, 14)}
    torch.save(layer, tmp_path / "w.pth")
    with pytest.raises(EngineError, match=r"library transformers: take .* authors' own hub"):
        load_tokens("dinov2_vits14", tmp_path / "w.pth", (98, 98))


@pytest.mark.parametrize(
    "name",
    [
        *("facebook/dinov2-small", "hf_hub:timm/vit_small_patch14_dinov2", "local-dir:weights"),
        *(
            "mobilevit_s",
            "fastvit_t8",
            "vit_base_r50_s16_224",
            "crossvit_9_240",
            "samvit_base_patch16",
        ),
    ],
)
def test_a_network_of_another_kind_ends_in_pythons_words(name: str, tmp_path: Path) -> None:
    torch.save({"x": torch.ones(2)}, tmp_path / "w.pth")
    with pytest.raises(EngineError, match=r"choose one of .*dinov2_vitb14"):
        load_tokens(name, tmp_path / "w.pth", (224, 224))
    with pytest.raises(EngineError, match=r"choose one of .*dinov2_vitb14"):
        patch_px(name)


@pytest.mark.parametrize("name", ["beit_base_patch16_224", "xcit_nano_12_p8_224"])
def test_a_network_without_a_pyramid_lacks_layers(name: str, tmp_path: Path) -> None:
    torch.save({"x": torch.ones(2)}, tmp_path / "w.pth")
    with pytest.raises(EngineError, match="gives no pyramid of maps: choose one of"):
        load_pyramid(name, tmp_path / "w.pth", ("layer2", "layer3"))


def test_deit_is_no_transformer_and_timms_hub_is_unknown(tmp_path: Path) -> None:
    assert is_transformer("deit_tiny_patch16_224")
    weights = save_backbone("deit_tiny_patch16_224", tmp_path / "w.pth")
    found = load_tokens("timm/deit_tiny_patch16_224", weights, (32, 32))
    assert found(torch.zeros(1, 3, 32, 32)).shape == (1, 192, 2, 2)
