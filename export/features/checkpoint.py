"""What others trained: the layers in a file of weights, by their plain names."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from voxgate.export.features.weights_file import read_content
from voxgate.runtime.errors import EngineError

BLOCK_BYTES = 1 << 20
LISTED = 3  # layers named in a message; the rest is counted
WRAPPERS = (
    *("state_dict", "model_state_dict", "model", "net", "network", "weights", "params"),
    *("teacher", "student", "state_dict_ema", "model_ema", "ema", "params_ema"),
)
"""In this order: a mean over the training's steps only where nothing else is there."""
PREFIXES = ("module.", "_orig_mod.", "_fsdp_wrapped_module.")
"""Of DataParallel, torch.compile and sharded training."""
UNNAMED = ("num_batches_tracked", "total_ops", "total_params", "n_averaged")
"""What training and counting leave among the layers, and no score depends on."""
State = dict[str, torch.Tensor]


def load_weights(path: Path, what: str) -> State:
    """Name -> tensor from .pth, .pt, .ckpt or .safetensors; usual wrappers are taken off, and what
    was stored as half or bfloat16 is float32.

    Raises EngineError: no such file, truncated, not weights, or holding code.
    """
    content = layers_of(read_content(path, what))
    if not isinstance(content, Mapping):
        raise EngineError(f"{path}: holds {type(content).__name__}, not the layers of {what}")
    state = unwrapped(content)
    if not state:
        raise EngineError(f"{path}: holds no tensors: is it {what}?")
    return state


def layers_of(content: Any) -> Any:
    """What the usual wrappers hold, also one in another; the content itself where there is none."""
    if isinstance(content, torch.nn.Module):
        return content.state_dict()
    if isinstance(content, Mapping):
        for key in WRAPPERS:
            if _holds_layers(content.get(key)):
                return layers_of(content[key])
    return content


def _holds_layers(content: Any) -> bool:
    if isinstance(content, Mapping):
        return any(isinstance(v, torch.Tensor) or _holds_layers(v) for v in content.values())
    return isinstance(content, torch.nn.Module)


def unwrapped(content: Mapping[Any, Any]) -> State:
    """The tensors among it, without the names that a wrapper of training put before theirs."""
    tensors = {str(k): v for k, v in content.items() if isinstance(v, torch.Tensor)}
    return {_bare(name): _single(tensor) for name, tensor in tensors.items()}


def _bare(name: str) -> str:
    while name.startswith(PREFIXES):
        name = name.partition(".")[2]
    return name.replace("._orig_mod.", ".")


def _single(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.float() if tensor.is_floating_point() else tensor


def load_state(module: torch.nn.Module, state: Mapping[str, torch.Tensor], path: Path) -> None:
    """Fill every layer of `module`. Raises EngineError that names the layers that do not fit."""
    own = module.state_dict()
    _check_floats(own, state, path)
    missing = [n for n in own if n not in state and not n.endswith(UNNAMED)]
    unknown = [name for name in state if name not in own and not name.endswith(UNNAMED)]
    shapes = [
        f"{name} {tuple(state[name].shape)} for {tuple(own[name].shape)}"
        for name in own
        if name in state and own[name].shape != state[name].shape
    ]
    for problem, layers in (("lacks", missing), ("has unknown", unknown), ("has", shapes)):
        if layers:
            raise EngineError(
                f"{path}: {problem} {_listed(layers)}: these are weights of another model or size"
            )
    module.load_state_dict(dict(state), strict=False)


def _check_floats(own: State, state: Mapping[str, torch.Tensor], path: Path) -> None:
    """torch would take whole numbers as they are."""
    for name, tensor in own.items():
        given = state.get(name)
        if given is not None and tensor.is_floating_point() and not given.is_floating_point():
            raise EngineError(
                f"{path}: {name} is {str(given.dtype).removeprefix('torch.')}: these weights were "
                "quantised, name those from before"
            )


def sha256_of(path: Path) -> str:
    """Hex digest of a file of any size."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()


def _listed(layers: list[str]) -> str:
    more = f" and {len(layers) - LISTED} more" if len(layers) > LISTED else ""
    return ", ".join(layers[:LISTED]) + more
