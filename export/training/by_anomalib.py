"""The courses of Dinomaly and SuperSimpleNet: golden views, a backbone, what is written.

Pictures are seen whole: anomalib's Dinomaly learns the middle of them, and what lies around it
would never have been learnt.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from anomalib.models import AnomalibModule, Dinomaly, Supersimplenet

from voxgate.export.features.backbones.load import fill
from voxgate.export.features.backbones.names import check_name, known_names, timm_name
from voxgate.export.features.checkpoint import load_weights, sha256_of
from voxgate.export.features.published_steps import in_colour, picture_planes
from voxgate.export.golden.golden import Golden
from voxgate.export.golden.inputs import golden_inputs, size_px
from voxgate.export.methods.tokens.encoder import as_in_anomalib, check_patches
from voxgate.export.progress import Progress
from voxgate.export.training.anomalib_engine import (
    EngineLearner,
    learn_by_engine,
    write_checkpoint,
)
from voxgate.export.training.samples import held_back
from voxgate.export.training.train import Course
from voxgate.runtime.common.text import one_line
from voxgate.runtime.errors import EngineError, ScanError

DINOMALY_STEPS, DINOMALY_BATCH, DINOMALY_PX = 5000, 16, 448  # paper, section 4.1
STEPS_TOLD = 50  # an epoch of the log
SUPERSIMPLENET_EPOCHS, SUPERSIMPLENET_BATCH, SUPERSIMPLENET_PX = 300, 32, 256
EPOCHS_TOLD = 10


@dataclass(frozen=True, slots=True)
class DinomalyTraining:
    """weights: of the encoder, which stays as it is. steps: each of `batch` views."""

    weights: Path
    backbone: str = "dinov2_vitb14_reg"
    input_px: int = DINOMALY_PX
    steps: int = DINOMALY_STEPS
    batch: int = DINOMALY_BATCH

    def open(self, goldens: Sequence[Golden], seed: int, on_progress: Progress) -> Course:
        """Raises EngineError for weights that do not fit."""
        on_progress(0, 1, "build the encoder and the decoder")
        side = (self.input_px, self.input_px)
        module = _built(
            lambda: Dinomaly(
                encoder_name=timm_name(self.backbone),
                pre_processor=Dinomaly.configure_pre_processor(side, self.input_px),
                evaluator=False,
                visualizer=False,
            ),
            self.backbone,
        )
        check_patches(module.model.encoder, side, self.weights)
        state = load_weights(self.weights, f"weights of {self.backbone}")
        fill(module.model.encoder.feature_extractor, state, self.weights)
        learnt, held = _views(goldens, seed)
        told = min(STEPS_TOLD, self.steps)
        epochs = -(-self.steps // told)
        learner = EngineLearner(module, learnt, held, epochs, told, 1, self.batch)
        record = {
            "backbone": self.backbone,
            "weights sha256": sha256_of(self.weights),
            "input px": self.input_px,
            "steps asked": self.steps,
            "batch": f"{self.batch} views",
            "source": "anomalib's Dinomaly",
        }
        return _course(learner, record)


@dataclass(frozen=True, slots=True)
class SupersimplenetTraining:
    """weights: of the backbone, which stays as it is. epochs: over all views."""

    weights: Path
    backbone: str = "wide_resnet50_2"
    input_px: int = SUPERSIMPLENET_PX
    epochs: int = SUPERSIMPLENET_EPOCHS

    def open(self, goldens: Sequence[Golden], seed: int, on_progress: Progress) -> Course:
        """Raises EngineError for weights that do not fit."""
        on_progress(0, 1, "build the network")
        side = (self.input_px, self.input_px)
        module = _built(
            lambda: Supersimplenet(
                backbone=self.backbone,
                pre_processor=Supersimplenet.configure_pre_processor(side),
                evaluator=False,
                visualizer=False,
            ),
            self.backbone,
        )
        state = load_weights(self.weights, f"weights of {self.backbone}")
        fill(
            module.model.feature_extractor.feature_extractor.feature_extractor, state, self.weights
        )
        learnt, held = _views(goldens, seed)
        batch = min(SUPERSIMPLENET_BATCH, len(learnt))
        told = min(EPOCHS_TOLD, self.epochs)
        steps = -(-len(learnt) // batch)
        learner = EngineLearner(module, learnt, held, -(-self.epochs // told), told, steps, batch)
        record = {
            "backbone": self.backbone,
            "weights sha256": sha256_of(self.weights),
            "input px": self.input_px,
            "epochs over all views asked": self.epochs,
            "batch": f"{batch} views",
            "source": "anomalib's SuperSimpleNet",
        }
        return _course(learner, record)


def _built(build: Any, backbone: str) -> AnomalibModule:
    """Raises EngineError for a backbone that anomalib does not take."""
    check_name(backbone)
    with as_in_anomalib():
        try:
            module: AnomalibModule = build()
        except (ValueError, RuntimeError, KeyError) as error:
            raise EngineError(
                f"backbone {backbone}: anomalib does not take it ({one_line(error)}): "
                f"{known_names(backbone)}"
            ) from error
    return module


def _views(goldens: Sequence[Golden], seed: int) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
    """(3, h, w) in 0..1, learnt and held back. Raises ScanError for pictures of several sizes."""
    sizes = sorted({size_px(golden) for golden in goldens})
    if len(sizes) > 1:
        raise ScanError(
            f"the scans have pictures of {' and '.join(f'{w} x {h} px' for h, w in sizes)}: a step "
            "sees several views at once: name scans of one camera"
        )
    views = [
        in_colour(picture_planes(given["image"]))[0].contiguous()
        for golden in goldens
        for given in golden_inputs(golden, ["image"])
    ]
    back = held_back(len(views), np.random.default_rng(seed))
    learnt = [view for number, view in enumerate(views) if number not in back]
    return learnt, [views[number] for number in sorted(back)]


def _course(learner: EngineLearner, record: Mapping[str, Any]) -> Course:
    def write(path: Path, final: Mapping[str, Any]) -> None:
        write_checkpoint(path, learner.module, final)

    views = {"views": len(learner.learnt), "held back": len(learner.held)}
    return Course(learner, {**record, **views}, write, learn_by_engine)
