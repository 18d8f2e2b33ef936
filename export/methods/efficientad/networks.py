"""The public teacher, student and autoencoder: numbered layers, and anomalib's modules of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from anomalib.models.image.efficient_ad.torch_model import (
    AutoEncoder,
    MediumPatchDescriptionNetwork,
    SmallPatchDescriptionNetwork,
)
from torch import nn

from voxgate.export.features.checkpoint import State, load_state
from voxgate.runtime.errors import EngineError

PDN_LAYERS = {
    "small": {"0": "conv1", "3": "conv2", "6": "conv3", "8": "conv4"},
    "medium": {
        "0": "conv1", "3": "conv2", "6": "conv3", "8": "conv4", "10": "conv5", "12": "conv6",
    },
}  # fmt: skip
ENCODER_LAYERS = ("0", "2", "4", "6", "8", "10")
DECODER_LAYERS = ("12", "16", "20", "24", "28", "32", "36", "38")


@dataclass(frozen=True, slots=True, eq=False)
class Networks:
    """The three of them, and the numbered layers they were published with."""

    modules: tuple[nn.Module, nn.Module, nn.Module]
    states: tuple[State, State, State]
    size: str
    channels: int


def networks_of(files: Sequence[Path], states: Sequence[State]) -> Networks:
    """anomalib's modules of the same layers; the file's shapes say which size it is.

    Raises EngineError for files that are not of EfficientAD.
    """
    size = "medium" if "12.weight" in states[0] else "small"
    network = MediumPatchDescriptionNetwork if size == "medium" else SmallPatchDescriptionNetwork
    last = f"{max(PDN_LAYERS[size], key=int)}.weight"
    if last not in states[0]:
        raise EngineError(f"{files[0]}: lacks layer {last}: is it a teacher of EfficientAD?")
    channels = states[0][last].shape[0]
    modules = (
        network(out_channels=channels),
        network(out_channels=2 * channels),
        AutoEncoder(out_channels=channels, padding=False),
    )
    names = (PDN_LAYERS[size], PDN_LAYERS[size], _autoencoder_names())
    for module, state, layers, file in zip(modules, states, names, files, strict=True):
        load_state(module, _renamed(state, layers), file)
        module.eval().requires_grad_(False)
    teacher, student, autoencoder = states
    return Networks(modules, (teacher, student, autoencoder), size, channels)


def _autoencoder_names() -> dict[str, str]:
    encoder = {n: f"encoder.enconv{i}" for i, n in enumerate(ENCODER_LAYERS, start=1)}
    return encoder | {n: f"decoder.deconv{i}" for i, n in enumerate(DECODER_LAYERS, start=1)}


def _renamed(state: State, layers: Mapping[str, str]) -> State:
    """`3.weight` -> `conv2.weight`; an unknown number stays, and is refused by its name."""
    found = {}
    for name, tensor in state.items():
        number, _, kind = name.partition(".")
        found[f"{layers.get(number, number)}.{kind}"] = tensor
    return found
