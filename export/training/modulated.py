"""ModMap, learnt from one golden part: every view is source and target of every other, and itself.

Nothing of the encoders is trained, so each view is seen once, at the beginning. Then 200 epochs
over all pairs of views, 48 a step, Adam under one cycle of the rate up to 5e-4, and the two cosine
losses, as the published code has them. All patches count there, with a return or without, and no
pair is held back: each has a modulation of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from voxgate.export.features.preprocessing import Fit
from voxgate.export.golden.golden import Golden
from voxgate.export.golden.inputs import golden_inputs
from voxgate.export.methods.modmap.encoders import Encoders, open_encoders, read_encoder
from voxgate.export.methods.modmap.model_file import METHOD, TrainedModMap, write_modmap
from voxgate.export.methods.modmap.networks import Direction, ModMapNetworks
from voxgate.export.progress import Progress
from voxgate.export.training.loop import DEVICE, Losses
from voxgate.export.training.train import Course
from voxgate.runtime.errors import EngineError

EPOCHS, BATCH = 200, 48  # pairs
RATE, RISING = 1e-4, 0.1  # the cycle's top is five times the rate, after a tenth of the steps
TOP = 5 * RATE
AT_ONCE = 4  # pairs whose gradients are held at a time; the sum over a batch is the same


@dataclass(frozen=True, slots=True, eq=False)
class SeenSet:
    """(views, n, a) picture and (views, n, b) shape features of one scan."""

    picture: torch.Tensor
    shape: torch.Tensor


class ModMapLearner:
    """All pairs of views of each scan in a new order an epoch; an incomplete batch is left out."""

    def __init__(self, sets: Sequence[SeenSet], epochs: int) -> None:
        self.sets, self.epochs = sets, epochs
        views, _, picture = sets[0].picture.shape
        self.networks = ModMapNetworks(views, (picture, sets[0].shape.shape[2])).to(DEVICE)
        every = product(range(len(sets)), range(views), range(views))
        self.pairs = np.array(list(every), np.intp)
        self.batch = min(BATCH, len(self.pairs))
        self.steps = len(self.pairs) // self.batch
        self.optimizer = torch.optim.Adam(self.networks.parameters(), RATE, fused=True)
        self.rate = torch.optim.lr_scheduler.OneCycleLR(
            self.optimizer, TOP, total_steps=epochs * self.steps, pct_start=RISING,
            cycle_momentum=False,
        )  # fmt: skip

    def epoch(self, number: int, rng: np.random.Generator) -> Losses:
        """One pass over the pairs."""
        order = rng.permutation(len(self.pairs))[: self.steps * self.batch]
        found = [self._step(self.pairs[batch]) for batch in order.reshape(self.steps, -1)]
        picture, shape = np.mean(found, axis=0)
        return {"to picture": float(picture), "to shape": float(shape)}

    def _step(self, pairs: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        self.optimizer.zero_grad()
        total = np.zeros(2)
        for some in np.array_split(pairs, -(-len(pairs) // AT_ONCE)):
            losses = self._losses(some) * (len(some) / len(pairs))
            losses.sum().backward()
            total += losses.detach().cpu().numpy()
        self.optimizer.step()
        self.rate.step()
        return total

    def _losses(self, pairs: np.ndarray[Any, Any]) -> torch.Tensor:
        """(2,) to picture and to shape, means over pairs (b, 3) of scan, source and target."""
        sources, targets = (self._views(pairs[:, 0], pairs[:, which]) for which in (1, 2))
        source, target = (torch.from_numpy(pairs[:, which]).to(DEVICE) for which in (1, 2))
        networks = self.networks
        return torch.stack(
            [
                _apart(networks.to_picture, sources.shape, targets.picture, source, target),
                _apart(networks.to_shape, sources.picture, targets.shape, source, target),
            ]
        )

    def _views(self, scans: np.ndarray[Any, Any], views: np.ndarray[Any, Any]) -> SeenSet:
        chosen = [(self.sets[scan], view) for scan, view in zip(scans, views, strict=True)]
        picture = torch.stack([seen.picture[view] for seen, view in chosen])
        return SeenSet(
            picture.to(DEVICE), torch.stack([seen.shape[view] for seen, view in chosen]).to(DEVICE)
        )

    def state(self) -> dict[str, Any]:
        """Networks, optimiser and where the rate is."""
        return {name: part.state_dict() for name, part in self._parts().items()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """As `Learner`."""
        for name, part in self._parts().items():
            part.load_state_dict(state[name])

    def _parts(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in ("networks", "optimizer", "rate")}


def _apart(
    direction: Direction,
    given: torch.Tensor,
    wanted: torch.Tensor,
    source: torch.Tensor,
    target: torch.Tensor,
) -> torch.Tensor:
    foretold = direction(given, source, target)
    return 1 - functional.cosine_similarity(foretold, wanted, dim=-1).mean()


@dataclass(frozen=True, slots=True)
class ModMapTraining:
    """What a person may choose; weights: of both encoders."""

    weights: Path
    depth_weights: Path
    backbone: str = "dinov2_vitb14_reg"
    depth_backbone: str = "dinov3_vits16"
    input_px: int = 896
    depth_px: int = 1024
    fit: Fit = "pad"
    epochs: int = EPOCHS

    def open(self, goldens: Sequence[Golden], seed: int, on_progress: Progress) -> Course:
        """See every view once. Raises EngineError for weights that do not fit, or scans of
        different plans."""
        both = (
            read_encoder(self.backbone, self.weights, self.input_px),
            read_encoder(self.depth_backbone, self.depth_weights, self.depth_px),
        )
        files = self.weights, self.depth_weights
        encoders = open_encoders(goldens[0], both, self.fit, files)
        if len(counts := {len(golden.views) for golden in goldens}) > 1:
            raise EngineError(f"the scans have {sorted(counts)} views: name scans of one plan")
        sets = [_seen(golden, encoders.of_camera(golden), on_progress) for golden in goldens]
        learner = ModMapLearner(sets, self.epochs)

        def write(path: Path, record: Mapping[str, Any]) -> None:
            networks = {
                name: {layer: tensor.cpu() for layer, tensor in part.state_dict().items()}
                for name, part in learner.networks.parts().items()
            }
            trained = TrainedModMap(*both, self.fit, encoders.shape.range_mm, networks, record)
            write_modmap(path, trained)

        digests = [each.weights_sha256 for each in both]
        return Course(learner, self._record(learner, digests), write)

    def _record(self, learner: ModMapLearner, digests: Sequence[str]) -> dict[str, Any]:
        views, patches, _ = learner.sets[0].picture.shape
        return {
            "backbones": f"{self.backbone}, {self.depth_backbone}",
            "weights sha256": ", ".join(digests),
            "input px": f"{self.input_px}, {self.depth_px}",
            "fit": self.fit,
            "views": views,
            "patches a view": patches,
            "pairs": len(learner.pairs),
            "batch": f"{learner.batch} pairs",
            "top learning rate": TOP,
            "epochs asked": self.epochs,
            "source": f"{METHOD}'s published code",
        }


def _seen(golden: Golden, encoders: Encoders, on_progress: Progress) -> SeenSet:
    network = encoders.features().to(DEVICE)
    pictures, shapes = [], []
    for number, given in enumerate(golden_inputs(golden, ["image", "depth_mm"])):
        on_progress(number, len(golden.views), "look at the golden views")
        with torch.no_grad():
            image, depth_mm = (
                torch.from_numpy(np.ascontiguousarray(given[name])).to(DEVICE)
                for name in ("image", "depth_mm")
            )
            pictures.append(network.picture(image).cpu())
            shapes.append(network.shape(depth_mm).cpu())
    return SeenSet(torch.stack(pictures), torch.stack(shapes))
