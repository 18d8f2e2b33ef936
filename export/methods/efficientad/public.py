"""The public implementation becomes a source: three files of weights and a normalisation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from voxgate.export.features.anomalib_preprocessing import Preprocess
from voxgate.export.features.checkpoint import load_weights, sha256_of
from voxgate.export.features.preprocessing import IMAGENET_MEAN, IMAGENET_STD
from voxgate.export.features.published_steps import picture_planes, published_picture
from voxgate.export.golden.golden import Golden
from voxgate.export.golden.inputs import golden_inputs, size_px, spec
from voxgate.export.methods.efficientad.graph import PublicNetwork
from voxgate.export.methods.efficientad.model_file import METHOD, ROLES, TrainedNetworks
from voxgate.export.methods.efficientad.networks import Networks, networks_of
from voxgate.export.methods.efficientad.normalisation import Normalisation, read_normalisation
from voxgate.export.methods.efficientad.published import Published
from voxgate.export.methods.from_anomalib import versions
from voxgate.export.source import Source
from voxgate.runtime.errors import EngineError

QUANTILES = (0.9, 0.995)  # of good maps, paper section 3.4: they become 0 and 0.1


def public_source(
    golden: Golden,
    files: Sequence[Path],
    side: int,
    normalisation: Path | None,
    teacher_normalisation: bool,
) -> Source:
    """files: teacher, student and autoencoder. side: of the square that the networks see, px.

    normalisation: .npz, None: from the golden scan, without the teacher's if that is not wanted.
    Raises EngineError for files that do not fit together.
    """
    states = [load_weights(file, f"the {what}") for file, what in zip(files, ROLES, strict=True)]
    networks = networks_of(files, states)
    published = Published(networks, _public_steps(side), size_px(golden))
    scale = (
        _golden_normalisation(golden, published, teacher_normalisation)
        if normalisation is None
        else read_normalisation(normalisation, published.channels)
    )
    origin = {
        "form": "public implementation",
        "sha256": {role: sha256_of(file) for role, file in zip(ROLES, files, strict=True)},
        "normalisation": "golden scan" if normalisation is None else "file",
    }
    return replace(_source(golden, networks, published, scale, origin), input_px=side)


def trained_source(golden: Golden, path: Path, trained: TrainedNetworks) -> Source:
    """What `voxgate train efficientad` wrote to `path`."""
    networks = networks_of([path] * len(ROLES), trained.states)
    published = Published(networks, _public_steps(trained.side), size_px(golden))
    origin = {
        "form": "voxgate train",
        "checkpoint_sha256": sha256_of(path),
        "training": dict(trained.record),
    }
    return _source(golden, networks, published, trained.scale, origin)


def _source(
    golden: Golden,
    networks: Networks,
    published: Published,
    scale: Normalisation,
    origin: Mapping[str, Any],
) -> Source:
    steps = published.steps
    return Source(
        method=METHOD,
        inputs=(spec("image", golden),),
        network=PublicNetwork(size_px(golden), _without_imagenet(steps), networks, scale),
        original=lambda inputs: published.score(inputs, scale),
        provenance={"size": networks.size, "input_px": list(steps.resize_px), **origin},
        keep_float32=("picture", "distance", "autoencoder.decoder"),
        tools=versions("anomalib"),
    )


def _public_steps(side: int) -> Preprocess:
    return Preprocess((side, side), True, IMAGENET_MEAN, IMAGENET_STD)


def _without_imagenet(steps: Preprocess) -> Preprocess:
    """anomalib's networks normalise on their own."""
    return Preprocess(steps.resize_px, steps.antialias, None, (1.0, 1.0, 1.0))


def _golden_normalisation(golden: Golden, published: Published, of_teacher: bool) -> Normalisation:
    inputs = list(golden_inputs(golden, ["image"]))
    mean, std = _teacher_statistics(published, inputs, of_teacher)
    shaped = mean.reshape(1, -1, 1, 1), std.reshape(1, -1, 1, 1)
    maps = [published.maps(given, *shaped) for given in inputs]
    return Normalisation(
        mean, std, *(_quantiles(torch.cat([m[kind] for m in maps])) for kind in (0, 1))
    )


def _teacher_statistics(
    published: Published, inputs: list[dict[str, Any]], wanted: bool
) -> tuple[torch.Tensor, torch.Tensor]:
    """(c,) mean and std of the teacher's channels over the golden views."""
    with torch.no_grad():
        outputs = [
            published.teacher(published_picture(picture_planes(given["image"]), published.steps))
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
