"""From an anomalib checkpoint of a decoder that makes the layers of a DINO again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from anomalib.pre_processing import PreProcessor
from torch import nn

from voxgate.export.features.anomalib_checkpoint import AnomalibCheckpoint, anomalib_checkpoint
from voxgate.export.golden.golden import Golden
from voxgate.export.golden.inputs import size_px
from voxgate.export.methods.from_anomalib import anomalib_source, filled
from voxgate.export.methods.tokens.encoder import (
    as_in_anomalib,
    check_encoder,
    check_patches,
    placed,
    shallow,
)
from voxgate.export.methods.tokens.whole_picture import WholePicture, published_whole
from voxgate.export.source import Source
from voxgate.runtime.errors import EngineError

LARGEST = 2.0  # of a cosine distance


@dataclass(frozen=True, slots=True)
class Reconstruction:
    """built: names that the checkpoint tells of how `model` was made, each with anomalib's default.
    square: the model itself takes no other pictures."""

    method: str
    model: Callable[..., nn.Module]
    prepared: Callable[[], PreProcessor]
    built: Mapping[str, Any]
    square: bool = False

    def load(self, golden: Golden, path: Path, prepared_px: int | None) -> Source:
        """Raises EngineError for a file that is not such a checkpoint."""
        read = anomalib_checkpoint(path, self.method, self.prepared, prepared_px, may_crop=True)
        model = self._model(read)
        steps = read.preprocess
        sides = [side for side in (steps.resize_px, steps.crop_px) if side is not None]
        for side in sides:
            check_patches(model.encoder, side, path)
            if self.square and side[0] != side[1]:
                raise EngineError(
                    f"{path}: {self.method} sees square pictures, and these are {side[0]} x "
                    f"{side[1]} px: train it on a square"
                )
        whole, middle = (*(_of_side(model, side) for side in sides), None)[:2]
        return anomalib_source(
            self.method,
            model,
            read,
            golden,
            network=WholePicture(whole, middle, read, size_px(golden)),
            scored=published_whole(model, read),
            keep_float32=("whole.gaussian_blur", "middle.gaussian_blur"),
            provenance={} if steps.crop_px is None else {"crop_px": list(steps.crop_px)},
            bound=LARGEST,
        )

    def _model(self, read: AnomalibCheckpoint) -> nn.Module:
        check_encoder(read, "encoder")
        said = read.hyper_parameters
        with as_in_anomalib():
            model = self.model(**{name: said.get(name, own) for name, own in self.built.items()})
        return filled(model, read)


def _of_side(model: nn.Module, side: tuple[int, int]) -> nn.Module:
    found = shallow(model)
    found.encoder = placed(model.encoder, side)
    return found
