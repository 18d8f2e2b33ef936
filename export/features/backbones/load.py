"""Feature networks by name, from a file of weights: what the methods see a picture with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import timm
import torch
from timm.layers import PatchEmbed
from timm.models import eva, vision_transformer
from timm.models._features import FeatureGetterNet
from torch import nn

from voxgate.export.features.backbones.as_found import in_timms_words, name_for, of_backbone
from voxgate.export.features.backbones.names import check_name, known_names, timm_name
from voxgate.export.features.backbones.positions import with_published_positions
from voxgate.export.features.checkpoint import State, load_state, load_weights
from voxgate.runtime.common.text import one_line
from voxgate.runtime.errors import EngineError

PYRAMID_LAYERS = {"layer1": 1, "layer2": 2, "layer3": 3, "layer4": 4}  # of a ResNet in timm
TRANSFORMERS = ("deit", "eva")  # of timm's, beside those that say so
HEADS = ("fc.", "head.", "classifier.", "conv_head.", "bn2.")  # behind the features; not needed


def is_transformer(name: str) -> bool:
    """Whether the backbone gives one map of tokens instead of a pyramid."""
    return "vit" in timm_name(name) or name.startswith(TRANSFORMERS)


def load_pyramid(name: str, weights: Path, layers: Sequence[str]) -> nn.Module:
    """A convolutional network: (1, 3, h, w) -> list of maps of these layers, frozen.

    weights: a state dict in timm's or torchvision's naming. Raises EngineError.
    """
    unknown = [layer for layer in layers if layer not in PYRAMID_LAYERS]
    if unknown:
        raise EngineError(
            f"backbone {name}: no layers {unknown}, choose from {list(PYRAMID_LAYERS)}"
        )
    return load_stages(name, weights, tuple(PYRAMID_LAYERS[layer] for layer in layers))


def load_stages(name: str, weights: Path, stages: tuple[int, ...]) -> nn.Module:
    """As `load_pyramid`, by the numbers of timm's stages."""
    network = _created(name, features_only=True, out_indices=stages)
    if isinstance(network, FeatureGetterNet):
        raise EngineError(f"backbone {name}: gives no pyramid of maps: {known_names(name)}")
    state = of_backbone(load_weights(weights, f"weights of {name}"), network, weights)
    load_state(network, _needed(state, network), weights)
    return _frozen(network)


def patch_px(name: str) -> int:
    """Side of the patches that a transformer sees. Raises EngineError for one that is none."""
    if not is_transformer(name):
        raise EngineError(f"backbone {name}: is no vision transformer: {known_names(name)}")
    with torch.device("meta"):
        network = _created(name)
    _check_plain(name, network)
    return int(network.patch_embed.patch_size[0])


def load_tokens(name: str, weights: Path, size_px: tuple[int, int]) -> nn.Module:
    """As `tokens_of`, from a file. Raises EngineError."""
    return tokens_of(name, load_weights(weights, f"weights of {name}"), weights, size_px)


def tokens_of(name: str, state: State, path: Path, size_px: tuple[int, int]) -> nn.Module:
    """A vision transformer: (1, 3, *size_px) -> (1, c, h / patch, w / patch), last normed layer.

    The position embedding is brought to this size once, here. path: of the file that the layers
    come from, for what is said of them. Raises EngineError.
    """
    # attention is traced as matrix products and a softmax, and computed here without their matrices
    network = _created(name_for(name, state), img_size=size_px, num_classes=0, global_pool="")
    _check_plain(name, network)
    _check_patches(name, network, size_px)
    if _is_plain_dinov2(name, network):
        state = with_published_positions(state, network.patch_embed.grid_size)
    fill(network, state, path)
    return Tokens(_frozen(network), size_px)


class Tokens(nn.Module):
    """Patch tokens of the last layer as a map; class and register tokens are left out."""

    def __init__(self, network: nn.Module, size_px: tuple[int, int]) -> None:
        super().__init__()
        self.network = network
        patch = network.patch_embed.patch_size
        self.grid = size_px[0] // patch[0], size_px[1] // patch[1]
        self.skipped = int(network.num_prefix_tokens)

    def forward(self, picture: torch.Tensor) -> torch.Tensor:
        tokens = self.network.forward_features(picture)[:, self.skipped :]
        return tokens.transpose(1, 2).reshape(1, -1, *self.grid)


def fill(network: nn.Module, state: State, path: Path) -> None:
    """A network that somebody else built of timm, with weights in timm's or the hub's naming.

    Raises EngineError for weights that do not fit.
    """
    state = of_backbone(state, network, path)
    if isinstance(network, (eva.Eva, vision_transformer.VisionTransformer)):
        state = in_timms_words(network, state, path)
    load_state(network, _needed(state, network), path)


def _created(name: str, **options: Any) -> nn.Module:
    check_name(name)
    try:
        network: nn.Module = timm.create_model(timm_name(name), pretrained=False, **options)
    except (RuntimeError, TypeError, ValueError, AssertionError) as error:
        raise EngineError(
            f"backbone {name!r} is not known ({one_line(error)}): {known_names(name)}"
        ) from error
    return network


def _is_plain_dinov2(name: str, network: nn.Module) -> bool:
    """With registers the published code does as timm does."""
    return "dinov2" in timm_name(name) and not network.num_reg_tokens


def _needed(state: Mapping[str, torch.Tensor], network: nn.Module) -> State:
    """Without the classifier that published weights carry and features do not need."""
    own = network.state_dict()
    return {n: t for n, t in state.items() if n in own or not _unused(n, own)}


def _unused(name: str, own: Mapping[str, torch.Tensor]) -> bool:
    """A layer behind the last one that is kept: a head, or a deeper stage of a pyramid."""
    stage = name.partition(".")[0]
    deeper = stage.startswith(("layer", "blocks")) and not any(k.startswith(stage) for k in own)
    return deeper or name.startswith(HEADS) or name in ("mask_token",)


def _frozen(network: nn.Module) -> nn.Module:
    network.eval()
    for parameter in network.parameters():
        parameter.requires_grad_(False)
    return network


def _check_plain(name: str, network: nn.Module) -> None:
    """Raises EngineError for what only calls itself a vision transformer."""
    plain = isinstance(network, (eva.Eva, vision_transformer.VisionTransformer))
    if not plain or not isinstance(network.patch_embed, PatchEmbed):
        raise EngineError(f"backbone {name}: is no plain vision transformer: {known_names(name)}")


def _check_patches(name: str, network: nn.Module, size_px: tuple[int, int]) -> None:
    height, width = network.patch_embed.patch_size
    if size_px[0] % height or size_px[1] % width:
        raise EngineError(
            f"backbone {name} sees patches of {height} x {width} px: choose an input size that is "
            f"a multiple, not {size_px[0]} x {size_px[1]}"
        )
