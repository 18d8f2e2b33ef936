"""The mappings of CFM, learnt from one golden part as SiM3D learns them (S.6).

Nothing of the backbone is trained, so each view is seen once, at the beginning. Then 50 epochs over
the views, one view a step, Adam at its own rate of 1e-3 and the two cosine distances, as the
published code has them; a patch without shape teaches nothing. A tenth of the views is held back:
its loss tells how well an unseen view of this part is foretold.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from voxgate.export.features.backbones.load import is_transformer
from voxgate.export.features.backbones.names import known_names
from voxgate.export.features.checkpoint import load_weights, sha256_of
from voxgate.export.features.eye import eye_of
from voxgate.export.features.patches import INPUT_OF
from voxgate.export.features.picture_and_shape import PictureAndShape, Shape, picture_and_shape
from voxgate.export.features.point_mae.options import PointsOptions, kept
from voxgate.export.features.preprocessing import Fit
from voxgate.export.golden.golden import Golden
from voxgate.export.golden.inputs import golden_inputs, size_px
from voxgate.export.methods.cfm.model_file import METHOD, TrainedMappings, write_mappings
from voxgate.export.methods.cfm.network import MappingNetwork
from voxgate.export.progress import Progress
from voxgate.export.training.loop import DEVICE, Losses, restore_states, states
from voxgate.export.training.samples import held_back
from voxgate.export.training.train import Course
from voxgate.runtime.errors import EngineError
from voxgate.runtime.recipe.sections.shapes import FpfhSection

EPOCHS, RATE = 50, 1e-3
LEAST_NORMS = 1e-6  # torch.nn.CosineSimilarity's, as the published code sets it


@dataclass(frozen=True, slots=True, eq=False)
class SeenView:
    """(n, d) picture and shape features of the patches that have a shape."""

    picture: torch.Tensor
    shape: torch.Tensor


class CfmLearner:
    """Picture to shape and shape to picture, one step a view."""

    def __init__(self, learnt: Sequence[SeenView], held: Sequence[SeenView], epochs: int) -> None:
        self.learnt, self.held, self.epochs = learnt, held, epochs
        picture, shape = learnt[0].picture.shape[1], learnt[0].shape.shape[1]
        self.to_shape = MappingNetwork(picture, shape).to(DEVICE)
        self.to_picture = MappingNetwork(shape, picture).to(DEVICE)
        both = [*self.to_shape.parameters(), *self.to_picture.parameters()]
        self.optimizer = torch.optim.Adam(both, RATE, fused=True)

    def epoch(self, number: int, rng: np.random.Generator) -> Losses:
        """One pass over the views in a new order."""
        found = [self._step(self.learnt[index]) for index in rng.permutation(len(self.learnt))]
        with torch.no_grad():
            held = [float(sum(self._losses(view))) for view in self.held]
        picture, shape = np.mean(found, axis=0)
        losses = {"to picture": picture, "to shape": shape, "held back": np.mean(held)}
        return {name: float(loss) for name, loss in losses.items()}

    def _step(self, view: SeenView) -> tuple[float, float]:
        self.optimizer.zero_grad()
        picture, shape = self._losses(view)
        (picture + shape).backward()
        self.optimizer.step()
        return float(picture.detach()), float(shape.detach())

    def _losses(self, view: SeenView) -> tuple[torch.Tensor, torch.Tensor]:
        picture, shape = view.picture.to(DEVICE), view.shape.to(DEVICE)
        return _apart(self.to_picture(shape), picture), _apart(self.to_shape(picture), shape)

    def state(self) -> dict[str, Any]:
        """Mappings and optimiser."""
        return states(**self._parts())

    def restore(self, state: Mapping[str, Any]) -> None:
        """As `Learner`."""
        restore_states(state, **self._parts())

    def _parts(self) -> dict[str, Any]:
        names = ("to_shape", "to_picture", "optimizer")
        return {name: getattr(self, name) for name in names}


def _apart(mapped: torch.Tensor, seen: torch.Tensor) -> torch.Tensor:
    return 1 - functional.cosine_similarity(mapped, seen, dim=-1, eps=LEAST_NORMS).mean()


@dataclass(frozen=True, slots=True)
class MappingTraining:
    """What a person may choose; weights: of the backbone; points: of shape "point-mae"."""

    weights: Path
    backbone: str = "dinov2_vitb14"
    shape: Shape = "depth"
    input_px: int = 518
    fit: Fit = "pad"
    fpfh: FpfhSection = field(default_factory=lambda: FpfhSection(step_px=4))
    epochs: int = EPOCHS
    points: PointsOptions = field(default_factory=PointsOptions)

    def open(self, goldens: Sequence[Golden], seed: int, on_progress: Progress) -> Course:
        """See every view once. Raises EngineError for weights that do not fit the backbone."""
        if not is_transformer(self.backbone):
            raise EngineError(
                f"backbone {self.backbone}: {METHOD} takes a vision transformer: "
                f"{known_names(self.backbone)}"
            )
        state = load_weights(self.weights, f"weights of {self.backbone}")
        eye = eye_of(
            goldens[0], self.backbone, state, self.weights, input_px=self.input_px, fit=self.fit
        )
        sense = self.points.open(self.fit) if self.shape == "point-mae" else None
        views: list[SeenView] = []
        for golden in goldens:
            of_camera = replace(eye, size=size_px(golden))
            senses = picture_and_shape(golden, of_camera, self.shape, self.fpfh, sense)
            views += _seen(golden, senses, on_progress)
        back = held_back(len(views), np.random.default_rng(seed))
        learnt = [view for number, view in enumerate(views) if number not in back]
        learner = CfmLearner(learnt, [views[number] for number in sorted(back)], self.epochs)

        def write(path: Path, record: Mapping[str, Any]) -> None:
            write_mappings(
                path,
                TrainedMappings(
                    backbone=self.backbone,
                    weights=state,
                    weights_sha256=sha256_of(self.weights),
                    shape=self.shape,
                    input_px=self.input_px,
                    fit=self.fit,
                    fpfh=self.fpfh,
                    range_mm=eye.range_mm,
                    to_shape={n: t.cpu() for n, t in learner.to_shape.state_dict().items()},
                    to_picture={n: t.cpu() for n, t in learner.to_picture.state_dict().items()},
                    record=record,
                    points=None if sense is None else kept(sense),
                ),
            )

        return Course(learner, self._record(learner), write)

    def _record(self, learner: CfmLearner) -> dict[str, Any]:
        return {
            "backbone": self.backbone,
            "weights sha256": sha256_of(self.weights),
            "shape": self.shape,
            **self._of_shape(),
            "input px": self.input_px,
            "fit": self.fit,
            "views": len(learner.learnt),
            "held back": len(learner.held),
            "patches": sum(len(view.shape) for view in learner.learnt),
            "learning rate": RATE,
            "batch": "one view",
            "epochs asked": self.epochs,
            "source": f"{METHOD.upper()}'s published code, and SiM3D S.6",
        }

    def _of_shape(self) -> dict[str, Any]:
        """What else its features follow from."""
        if self.shape == "fpfh":
            return {"fpfh": self.fpfh.model_dump_json()}
        if self.shape == "point-mae":
            groups = f"{self.points.groups} of {self.points.group_size}"
            return {"points sha256": self.points.origin()["points_sha256"], "groups": groups}
        return {}


def _seen(golden: Golden, senses: PictureAndShape, on_progress: Progress) -> list[SeenView]:
    names = [INPUT_OF[kind] for kind in senses.kinds]
    networks = [part.to(DEVICE) for part in (senses.picture, senses.shape)]
    found = []
    for number, given in enumerate(golden_inputs(golden, names, senses.section)):
        on_progress(number, len(golden.views), "look at the golden views")
        with torch.no_grad():
            picture, shape = (
                network(torch.from_numpy(np.ascontiguousarray(given[name])).to(DEVICE)).cpu()
                for network, name in zip(networks, names, strict=True)
            )
        measured = shape.abs().amax(dim=1) > 0
        found.append(SeenView(picture[measured], shape[measured]))
    return found
