"""The course of EfficientAD: a teacher, views of golden scans, what is written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from voxgate.export.features.anomalib_preprocessing import Preprocess
from voxgate.export.features.checkpoint import State, load_state, load_weights, sha256_of
from voxgate.export.features.preprocessing import IMAGENET_MEAN, IMAGENET_STD
from voxgate.export.features.published_steps import picture_planes
from voxgate.export.golden.golden import Golden
from voxgate.export.golden.inputs import golden_inputs
from voxgate.export.methods.efficientad.load import LEAST_PX
from voxgate.export.methods.efficientad.model_file import TrainedNetworks, write_networks
from voxgate.export.methods.efficientad.networks import PDN_LAYERS
from voxgate.export.progress import Progress
from voxgate.export.training.distillation import (
    RATE,
    STEPS,
    EfficientAdLearner,
    Networks,
    Pictures,
)
from voxgate.export.training.efficientad_networks import autoencoder_of, student_of
from voxgate.export.training.samples import held_back
from voxgate.export.training.train import Course
from voxgate.runtime.errors import EngineError

PICTURE_FILES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff")


@dataclass(frozen=True, slots=True)
class EfficientAdTraining:
    """teacher: its public state dict, which says whether S or M. others: folder of pictures of
    anything else (ImageNet in the paper), None: without that penalty. teacher_normalisation: SiM3D
    does without."""

    teacher: Path
    others: Path | None = None
    input_px: int = LEAST_PX
    steps: int = STEPS
    teacher_normalisation: bool = True

    def open(self, goldens: Sequence[Golden], seed: int, on_progress: Progress) -> Course:
        """Raises EngineError for a teacher that is none, or a folder without pictures."""
        on_progress(0, 1, "hear what the teacher says of the golden views")
        state = load_weights(self.teacher, "the teacher of EfficientAD")
        size, channels = _read_off(state, self.teacher)
        side = (self.input_px, self.input_px)
        teacher = student_of(size, channels)
        load_state(teacher, state, self.teacher)
        networks = Networks(
            teacher.eval().requires_grad_(False),
            student_of(size, 2 * channels),
            autoencoder_of(self.input_px, channels),
        )
        steps = Preprocess(side, True, IMAGENET_MEAN, IMAGENET_STD)
        pictures = self._pictures(goldens, seed)
        learner = EfficientAdLearner(
            networks, pictures, steps, self.steps, self.teacher_normalisation
        )

        def write(path: Path, record: Mapping[str, Any]) -> None:
            states = (
                {n: t.cpu() for n, t in network.state_dict().items()}
                for network in (teacher, networks.student, networks.autoencoder)
            )
            of_teacher, of_student, of_code = states
            scale = learner.normalisation()
            write_networks(
                path, TrainedNetworks((of_teacher, of_student, of_code), side[0], scale, record)
            )

        return Course(learner, self._record(size, channels, pictures), write)

    def _pictures(self, goldens: Sequence[Golden], seed: int) -> Pictures:
        views = [
            picture_planes(given["image"])
            for golden in goldens
            for given in golden_inputs(golden, ["image"])
        ]
        back = held_back(len(views), np.random.default_rng(seed))
        return Pictures(
            [view for number, view in enumerate(views) if number not in back],
            [views[number] for number in sorted(back)],
            [] if self.others is None else _files_below(self.others),
        )

    def _record(self, size: str, channels: int, pictures: Pictures) -> dict[str, Any]:
        return {
            "size": size,
            "channels": channels,
            "teacher sha256": sha256_of(self.teacher),
            "teacher normalisation": self.teacher_normalisation,
            "input px": self.input_px,
            "views": len(pictures.learnt),
            "held back": len(pictures.held),
            "pictures of other things": len(pictures.others),
            "steps asked": self.steps,
            "learning rate": RATE,
            "batch": "one view",
            "source": "EfficientAD's public implementation, and SiM3D S.6",
        }


def _read_off(state: State, path: Path) -> tuple[str, int]:
    """Size and channels of a teacher."""
    size = "medium" if "12.weight" in state else "small"
    last = f"{max(PDN_LAYERS[size], key=int)}.weight"
    if last not in state or "0.weight" not in state:
        raise EngineError(f"{path}: lacks layer {last}: is it a teacher of EfficientAD?")
    return size, int(state[last].shape[0])


def _files_below(folder: Path) -> list[Path]:
    """Pictures of it. Raises EngineError when there is none."""
    found = [file for file in sorted(folder.rglob("*")) if file.suffix.lower() in PICTURE_FILES]
    if not found:
        raise EngineError(f"{folder}: holds no picture (.png, .jpg, ...): name another --others")
    return found
