"""Layers as hubs and trainings leave them, in the words of the network that timm builds."""

from __future__ import annotations

from pathlib import Path

import timm
import torch
from timm.models import eva, vision_transformer
from torch import nn

from voxgate.export.features.backbones.names import timm_name
from voxgate.export.features.checkpoint import State
from voxgate.runtime.common.text import one_line
from voxgate.runtime.errors import EngineError

PATCHES = "patch_embed.proj.weight"  # of every transformer, in timm's words and in the hubs'
TRANSFORMERS = ".patch_embeddings."
DINOV3_REGISTERS = "storage_tokens"  # only the hub calls them so
DINOV3_BIAS = "attn.qkv.bias"
WITH_BIASES = "_qkvb"  # of timm's DINOv3, whose distilled sizes have none otherwise


def of_backbone(state: State, network: nn.Module, path: Path) -> State:
    """A whole system keeps its backbone's layers under a name of its own, `backbone.` or another:
    these alone, without it. Raises EngineError where it has two such backbones, or calls its layers
    as another library does."""
    if any(TRANSFORMERS in layer for layer in state):
        raise EngineError(
            f"{path}: has its layers by the names of the library transformers: take the file of "
            "the authors' own hub, or timm's"
        )
    own = network.state_dict()
    first = PATCHES if PATCHES in own else next(iter(own))
    if first in state:
        return state
    names = [layer.removesuffix(first) for layer in state if layer.endswith(f".{first}")]
    known = {name: sum(name + layer in state for layer in own) for name in names}
    found = [name for name, count in known.items() if count == max(known.values())]
    if len(found) > 1:
        raise EngineError(
            f"{path}: holds {' and '.join(found)}, each a backbone: save one of them alone"
        )
    name = found[0] if found else ""
    return {layer.removeprefix(name): t for layer, t in state.items() if layer.startswith(name)}


def name_for(name: str, state: State) -> str:
    """timm's DINOv3 with biases of queries and values where the file has some that are not 0."""
    wanted = timm_name(name).partition(".")[0] + WITH_BIASES
    return wanted if _has_biases(state) and wanted in timm.list_models() else name


def in_timms_words(network: nn.Module, state: State, path: Path) -> State:
    """A transformer's layers by the names that timm gives them. Raises EngineError for weights
    that would have to be bent to fit, or lose what they say."""
    _check_patches(network, state, path)
    family = vision_transformer
    if isinstance(network, eva.Eva):
        family, state = eva, _without_zero_biases(network, state, path)
    try:
        return dict(family.checkpoint_filter_fn(dict(state), network))
    except RuntimeError as error:  # other positions, which it would have brought to this size
        raise EngineError(
            f"{path}: does not fit ({one_line(error)}): these are weights of another model or size"
        ) from error


def _check_patches(network: nn.Module, state: State, path: Path) -> None:
    """timm would enlarge the patches of another network, and another network it would be."""
    given, own = state.get(PATCHES), network.patch_embed.proj.weight.shape[2:]
    if given is not None and given.ndim == 4 and given.shape[2:] != own:
        raise EngineError(
            f"{path}: sees patches of {given.shape[2]} x {given.shape[3]} px, and not of {own[0]} "
            f"x {own[1]} px: these are weights of another model or size"
        )


def _without_zero_biases(network: eva.Eva, state: State, path: Path) -> State:
    """Where the network has none: timm leaves any out, and prints that on the standard output."""
    if any(layer.endswith("q_bias") for layer in network.state_dict()):
        return state
    if _has_biases(state):
        raise EngineError(
            f"{path}: has biases of queries and values, the network none: these are weights of "
            f"another model: one of timm's that end in {WITH_BIASES}"
        )
    is_bias = {layer: layer.endswith(DINOV3_BIAS) for layer in state}
    return {layer: tensor for layer, tensor in state.items() if not is_bias[layer]}


def _has_biases(state: State) -> bool:
    """Of DINOv3's hub, in which the keys' part is masked, whatever it holds."""
    biases = [tensor for layer, tensor in state.items() if layer.endswith(DINOV3_BIAS)]
    return DINOV3_REGISTERS in state and any(
        bool(queries.any()) or bool(values.any())
        for queries, _, values in (torch.chunk(bias, 3) for bias in biases)
    )
