"""EfficientAD (Batzner et al., WACV 2024), S and M, at any input size.

From an anomalib checkpoint, or from the teacher, student and autoencoder of the public
implementation, nn.Sequential networks whose layers are numbered. Its normalisation is computed
after training and not kept in the weights: it comes from a file, or from the golden scan.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from anomalib.models import EfficientAd
from anomalib.models.image.efficient_ad.torch_model import (
    AutoEncoder,
    EfficientAdModel,
    EfficientAdModelSize,
    MediumPatchDescriptionNetwork,
    SmallPatchDescriptionNetwork,
)
from torch import nn
from torch.nn import functional

from voxgate.export.features.checkpoint import (
    UNREADABLE,
    Preprocess,
    State,
    anomalib_checkpoint,
    load_state,
    load_weights,
    sha256_of,
)
from voxgate.export.features.picture import Size, ToCamera
from voxgate.export.features.published_steps import camera_map, grey_plane, published_picture
from voxgate.export.golden.golden import Golden
from voxgate.export.golden.inputs import golden_inputs, size_px, spec
from voxgate.export.methods.from_anomalib import (
    AnomalibNetwork,
    anomalib_source,
    filled,
    picture_of,
    versions,
)
from voxgate.export.source import RawScore, Source
from voxgate.runtime.common.text import one_line
from voxgate.runtime.engines.engine import Tensor
from voxgate.runtime.errors import EngineError

METHOD = "efficientad"
BORDER = 4  # pixels that the unpadded networks lose on each side of their maps
QUANTILES = (0.9, 0.995)  # of good maps, paper section 3.4: they become 0 and 0.1
AT_QUANTILE = 0.1
LEAST_PX = 256  # below, the autoencoder has fewer pixels than its code looks at
PDN_LAYERS = {
    "small": {"0": "conv1", "3": "conv2", "6": "conv3", "8": "conv4"},
    "medium": {
        "0": "conv1", "3": "conv2", "6": "conv3", "8": "conv4", "10": "conv5", "12": "conv6",
    },
}  # fmt: skip
ENCODER_LAYERS = ("0", "2", "4", "6", "8", "10")
DECODER_LAYERS = ("12", "16", "20", "24", "28", "32", "36", "38")


@dataclass(frozen=True, slots=True)
class EfficientAdOptions:
    """Either a checkpoint, or three files of the public implementation.

    input_px: side of the square that the networks see; None: the checkpoint's, 256 for the public
    ones. normalisation: .npz with mean, std (c,), q_st, q_ae (2,); None: from the golden scan.
    teacher_normalisation: SiM3D (S.6) leaves it out, as there is no validation set.
    """

    checkpoint: Path | None = None
    teacher: Path | None = None
    student: Path | None = None
    autoencoder: Path | None = None
    normalisation: Path | None = None
    input_px: int | None = None
    teacher_normalisation: bool = True


def load_efficientad(golden: Golden, options: EfficientAdOptions) -> Source:
    """Raises EngineError for files that do not fit together."""
    public = (options.teacher, options.student, options.autoencoder)
    if (options.checkpoint is None) == (None in public):
        raise EngineError(
            "efficientad takes either --checkpoint, or --teacher, --student and --autoencoder"
        )
    if options.input_px is not None and options.input_px < LEAST_PX:
        raise EngineError(f"the input must be at least {LEAST_PX} px, got {options.input_px}")
    if options.checkpoint is not None:
        return _from_anomalib(golden, options.checkpoint, options.input_px)
    return _from_public(golden, options)


def _from_anomalib(golden: Golden, path: Path, input_px: int | None) -> Source:
    read = anomalib_checkpoint(path, METHOD, EfficientAd.configure_pre_processor)
    if input_px is not None:
        read = read.resized(input_px)
    built = read.hyper_parameters
    model = EfficientAdModel(
        teacher_out_channels=built.get("teacher_out_channels", 384),
        model_size=EfficientAdModelSize(built.get("model_size", EfficientAdModelSize.S)),
        padding=built.get("padding", False),
        pad_maps=built.get("pad_maps", True),
    )
    model = filled(model, read)
    network = AnomalibNetwork(model, read.preprocess, size_px(golden))
    return anomalib_source(
        METHOD, model, read, golden, network=network, keep_float32=("model.ae.decoder",)
    )


# --- the public implementation ------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Normalisation:
    """Of the teacher's channels, and of the two maps: what becomes 0 and 0.1."""

    mean: torch.Tensor
    std: torch.Tensor
    q_st: tuple[float, float] = (0.0, AT_QUANTILE)
    q_ae: tuple[float, float] = (0.0, AT_QUANTILE)


class PublicNetwork(nn.Module):
    """uint8 image -> the public implementation's combined map at the camera's size, at least 0."""

    def __init__(
        self, size: Size, steps: Preprocess, networks: _Networks, scale: _Normalisation
    ) -> None:
        super().__init__()
        self.picture = picture_of(steps, size)
        self.teacher, self.student, self.autoencoder = networks.modules
        self.distance = _Distances(scale)
        self.map = ToCamera(steps.resize_px, size)
        self.input_px = steps.resize_px

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        picture = self.picture(image)
        found = self.autoencoder(picture, self.input_px)
        combined = self.distance(self.teacher(picture), self.student(picture), found)
        padded = functional.pad(combined, (BORDER,) * 4)
        side = functional.interpolate(padded, size=self.input_px, mode="bilinear")
        return torch.relu(self.map(side))


class _Distances(nn.Module):
    """Mean squared differences, each between its quantiles, and their mean."""

    mean: torch.Tensor
    std: torch.Tensor

    def __init__(self, scale: _Normalisation) -> None:
        super().__init__()
        self.register_buffer("mean", scale.mean.reshape(1, -1, 1, 1))
        self.register_buffer("std", scale.std.reshape(1, -1, 1, 1))
        self.q_st, self.q_ae = scale.q_st, scale.q_ae

    def forward(
        self, teacher: torch.Tensor, student: torch.Tensor, autoencoder: torch.Tensor
    ) -> torch.Tensor:
        channels = teacher.shape[1]
        taught = (teacher - self.mean) / self.std
        st = (taught - student[:, :channels]).square().mean(dim=1, keepdim=True)
        ae = (autoencoder - student[:, channels:]).square().mean(dim=1, keepdim=True)
        return 0.5 * _between(st, self.q_st) + 0.5 * _between(ae, self.q_ae)


def _between(score: torch.Tensor, quantiles: tuple[float, float]) -> torch.Tensor:
    low, high = quantiles
    return AT_QUANTILE * (score - low) / (high - low)


@dataclass(frozen=True, slots=True, eq=False)
class _Networks:
    """The three of them, and the numbered layers they were published with."""

    modules: tuple[nn.Module, nn.Module, nn.Module]
    states: tuple[State, State, State]
    size: str
    channels: int


def _from_public(golden: Golden, options: EfficientAdOptions) -> Source:
    files = [f for f in (options.teacher, options.student, options.autoencoder) if f is not None]
    states = [load_weights(file, f"the {what}") for file, what in zip(files, _ROLES, strict=True)]
    networks = _networks(files, states)
    side = options.input_px or 256
    steps = _public_steps(side)
    published = _Published(networks, steps, size_px(golden))
    scale = _normalisation(golden, published, options)
    return Source(
        method=METHOD,
        inputs=(spec("image", golden),),
        network=PublicNetwork(size_px(golden), _without_imagenet(steps), networks, scale),
        original=lambda inputs: published.score(inputs, scale),
        provenance={
            "form": "public implementation",
            "size": networks.size,
            "input_px": [side, side],
            "sha256": {role: sha256_of(file) for role, file in zip(_ROLES, files, strict=True)},
            "normalisation": "golden scan" if options.normalisation is None else "file",
        },
        keep_float32=("picture", "distance", "autoencoder.decoder"),
        tools=versions("anomalib"),
    )


_ROLES = ("teacher", "student", "autoencoder")


def _networks(files: list[Path], states: list[State]) -> _Networks:
    """anomalib's modules of the same layers; the file's shapes say which size it is."""
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
    return _Networks(modules, (teacher, student, autoencoder), size, channels)


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


def _public_steps(side: int) -> Preprocess:
    from voxgate.export.features.picture import IMAGENET_MEAN, IMAGENET_STD

    return Preprocess((side, side), True, IMAGENET_MEAN, IMAGENET_STD)


def _without_imagenet(steps: Preprocess) -> Preprocess:
    """anomalib's networks normalise on their own."""
    return Preprocess(steps.resize_px, steps.antialias, None, (1.0, 1.0, 1.0))


class _Published:
    """The networks as they were published, layer by numbered layer, and their own arithmetic."""

    def __init__(self, networks: _Networks, steps: Preprocess, size: Size) -> None:
        teacher, student, autoencoder = networks.states
        self.teacher = _sequential_pdn(teacher)
        self.student = _sequential_pdn(student)
        self.autoencoder = _sequential_autoencoder(steps.resize_px[0], autoencoder)
        self.steps, self.size = steps, size
        self.channels = networks.channels

    def maps(
        self, inputs: Mapping[str, Tensor], mean: torch.Tensor, std: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Squared distances student-teacher and student-autoencoder, not yet normalised."""
        with torch.no_grad():
            picture = published_picture(grey_plane(inputs["image"]), self.steps)
            teacher = (self.teacher(picture) - mean) / std
            student, found = self.student(picture), self.autoencoder(picture)
        half = teacher.shape[1]
        st = torch.mean((teacher - student[:, :half]) ** 2, dim=1, keepdim=True)
        return st, torch.mean((found - student[:, half:]) ** 2, dim=1, keepdim=True)

    def score(self, inputs: Mapping[str, Tensor], scale: _Normalisation) -> RawScore:
        st, ae = self.maps(inputs, scale.mean.reshape(1, -1, 1, 1), scale.std.reshape(1, -1, 1, 1))
        st = 0.1 * (st - scale.q_st[0]) / (scale.q_st[1] - scale.q_st[0])
        ae = 0.1 * (ae - scale.q_ae[0]) / (scale.q_ae[1] - scale.q_ae[0])
        combined = functional.pad(0.5 * st + 0.5 * ae, (4, 4, 4, 4))
        side = functional.interpolate(combined, self.steps.resize_px, mode="bilinear")
        return np.asarray(np.maximum(camera_map(side, self.size), 0.0))


def _sequential_pdn(state: State) -> nn.Sequential:
    """The patch description network of paper tables 6 and 7, without padding."""
    layers: list[nn.Module] = []
    for number in sorted({int(name.partition(".")[0]) for name in state}):
        while len(layers) < number:
            layers.append(nn.AvgPool2d(2, 2) if len(layers) in (2, 5) else nn.ReLU())
        layers.append(_convolution(state, number, stride=1, padding=0))
    return nn.Sequential(*layers).eval()


def _sequential_autoencoder(side: int, state: State) -> nn.Sequential:
    """Paper table 8; the sizes between, for an input of `side` px."""
    sizes = (side // 64 - 1, side // 32, side // 16 - 1, side // 8, side // 4 - 1, side // 2 - 1)
    layers: list[nn.Module] = []
    for number in map(int, ENCODER_LAYERS):
        last = number == int(ENCODER_LAYERS[-1])
        layers.append(_convolution(state, number, 1 if last else 2, 0 if last else 1))
        layers += [] if last else [nn.ReLU()]
    for size, number in zip(sizes, map(int, DECODER_LAYERS), strict=False):
        layers += [nn.Upsample(size=size, mode="bilinear"), _convolution(state, number, 1, 2)]
        layers += [nn.ReLU(), nn.Dropout(0.2)]
    layers += [nn.Upsample(size=-(-side // 4) - 8, mode="bilinear"), _convolution(state, 36, 1, 1)]
    layers += [nn.ReLU(), _convolution(state, 38, 1, 1)]
    return nn.Sequential(*layers).eval()


def _convolution(state: State, number: int, stride: int, padding: int) -> nn.Conv2d:
    weight, bias = state[f"{number}.weight"], state[f"{number}.bias"]
    layer = nn.Conv2d(weight.shape[1], weight.shape[0], weight.shape[2], stride, padding)
    layer.weight.data, layer.bias.data = weight, bias
    return layer.requires_grad_(False)


def _normalisation(
    golden: Golden, published: _Published, options: EfficientAdOptions
) -> _Normalisation:
    if options.normalisation is not None:
        return _read_normalisation(options.normalisation, published.channels)
    inputs = list(golden_inputs(golden, ["image"]))
    mean, std = _teacher_statistics(published, inputs, options.teacher_normalisation)
    shaped = mean.reshape(1, -1, 1, 1), std.reshape(1, -1, 1, 1)
    maps = [published.maps(given, *shaped) for given in inputs]
    return _Normalisation(
        mean, std, *(_quantiles(torch.cat([m[kind] for m in maps])) for kind in (0, 1))
    )


def _teacher_statistics(
    published: _Published, inputs: list[dict[str, Any]], wanted: bool
) -> tuple[torch.Tensor, torch.Tensor]:
    """(c,) mean and std of the teacher's channels over the golden views."""
    with torch.no_grad():
        outputs = [
            published.teacher(published_picture(grey_plane(given["image"]), published.steps))
            for given in inputs
        ]
    together = torch.cat(outputs)
    if not wanted:
        return torch.zeros(together.shape[1]), torch.ones(together.shape[1])
    return together.mean(dim=(0, 2, 3)), together.std(dim=(0, 2, 3))


def _quantiles(score: torch.Tensor) -> tuple[float, float]:
    low, high = np.quantile(score.numpy(), QUANTILES)
    if not high > low:
        raise EngineError("the golden scan's maps are constant: are these trained networks?")
    return float(low), float(high)


def _read_normalisation(path: Path, channels: int) -> _Normalisation:
    try:
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            mean, std = (np.asarray(file[name], np.float32).reshape(-1) for name in ("mean", "std"))
            q_st, q_ae = (
                np.asarray(file[name], np.float64).reshape(2) for name in ("q_st", "q_ae")
            )
    except UNREADABLE as error:
        raise EngineError(
            f"{path}: needs arrays mean and std (channels,), q_st and q_ae (2,): {one_line(error)}"
        ) from error
    _check_normalisation(path, {"mean": mean, "std": std, "q_st": q_st, "q_ae": q_ae}, channels)
    return _Normalisation(torch.from_numpy(mean), torch.from_numpy(std), _pair(q_st), _pair(q_ae))


def _check_normalisation(path: Path, found: Mapping[str, npt.NDArray[Any]], channels: int) -> None:
    """Raises EngineError for numbers that would turn the score over, or hide it."""
    for name, values in found.items():
        if not np.isfinite(values).all():
            raise EngineError(f"{path}: {name} holds numbers that are not finite")
    for name in ("mean", "std"):
        if len(found[name]) != channels:
            raise EngineError(
                f"{path}: {name} is of {len(found[name])} channels, the teacher has {channels}"
            )
    if not (found["std"] > 0).all():
        raise EngineError(f"{path}: std must be positive, in every channel")
    for name in ("q_st", "q_ae"):
        low, high = found[name]
        if not high > low:
            raise EngineError(
                f"{path}: {name} is {low:g}, {high:g}: the lower quantile stands first, and apart"
            )


def _pair(values: npt.NDArray[np.float64]) -> tuple[float, float]:
    return float(values[0]), float(values[1])
