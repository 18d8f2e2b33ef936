"""EfficientAD learns a golden part, as its public implementation teaches it and SiM3D runs it.

The teacher is given and stays. The student learns what the teacher says of the part where it is
hardest to foretell, and what the autoencoder says of it; pictures of other things, where some are
given, keep it from foretelling those too. 1000 steps of one view (SiM3D S.6), the rate a tenth
after 95 % of them. A tenth of the views is held back: the maps' quantiles are taken from them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import nn
from torchvision.transforms import v2

from voxgate.export.features.anomalib_preprocessing import Preprocess
from voxgate.export.features.published_steps import in_colour, picture_planes, published_picture
from voxgate.export.methods.efficientad.normalisation import Normalisation
from voxgate.export.methods.efficientad.public import QUANTILES
from voxgate.export.training.loop import DEVICE, Losses, restore_states, states
from voxgate.runtime.errors import EngineError

STEPS, STEPS_AN_EPOCH = 1000, 50
RATE, DECAY, SLOWER_AFTER = 1e-4, 1e-5, 0.95
HARDEST = 0.001  # share of the teacher's numbers that the student learns from
JITTER, GREY_SHARE = 0.2, 0.3


@dataclass(frozen=True, slots=True, eq=False)
class Networks:
    """teacher stays as it is."""

    teacher: nn.Module
    student: nn.Module
    autoencoder: nn.Module


@dataclass(frozen=True, slots=True, eq=False)
class Pictures:
    """(1, 1 or 3, h, w) in 0..1. others: files of anything else; without any the student may
    foretell that too."""

    learnt: Sequence[torch.Tensor]
    held: Sequence[torch.Tensor]
    others: Sequence[Path] = ()


class EfficientAdLearner:
    """The student and the autoencoder; an epoch is so many steps of one view."""

    def __init__(
        self,
        networks: Networks,
        pictures: Pictures,
        steps: Preprocess,
        count: int = STEPS,
        of_teacher: bool = True,
    ) -> None:
        """steps: what becomes of a picture. count: of steps. of_teacher: normalise its channels."""
        self.networks, self.pictures, self.steps, self.count = networks, pictures, steps, count
        self.epochs = -(-count // STEPS_AN_EPOCH)
        for network in (networks.teacher, networks.student, networks.autoencoder):
            network.to(DEVICE)
        self.jitter = v2.RandomChoice(
            [v2.ColorJitter(**{kind: JITTER}) for kind in ("brightness", "contrast", "saturation")]
        )
        learnt = [*networks.student.parameters(), *networks.autoencoder.parameters()]
        self.optimizer = torch.optim.Adam(learnt, RATE, weight_decay=DECAY)
        self.scheduler = torch.optim.lr_scheduler.StepLR(
            self.optimizer, max(1, int(SLOWER_AFTER * count)), gamma=0.1
        )
        self.mean, self.std = self._teacher_statistics(of_teacher)
        self.channels = self.mean.shape[1]

    def epoch(self, number: int, rng: np.random.Generator) -> Losses:
        """The next steps: views in a new order, again and again."""
        todo = min(STEPS_AN_EPOCH, self.count - number * STEPS_AN_EPOCH)
        self.networks.student.train()
        self.networks.autoencoder.train()
        rounds = [rng.permutation(len(self.pictures.learnt)) for _ in range(todo)]
        found = [self._step(self.pictures.learnt[i], rng) for i in np.concatenate(rounds)[:todo]]
        return {name: float(np.mean([f[name] for f in found])) for name in found[0]}

    def _step(self, picture: torch.Tensor, rng: np.random.Generator) -> Losses:
        losses = self._losses(self._seen(picture), self._seen(self._jittered(picture)))
        if self.pictures.others:
            other = read_picture(self.pictures.others[int(rng.integers(len(self.pictures.others)))])
            elsewhere = self._of_student(self._seen(self._from_elsewhere(other, rng)))[0]
            losses["elsewhere"] = elsewhere.square().mean()
        self.optimizer.zero_grad()
        torch.stack(list(losses.values())).sum().backward()
        self.optimizer.step()
        self.scheduler.step()
        return {name: float(loss.detach()) for name, loss in losses.items()}

    def _losses(self, plain: torch.Tensor, changed: torch.Tensor) -> dict[str, torch.Tensor]:
        """Student and teacher on the picture; both and the autoencoder on the changed one."""
        with torch.no_grad():
            taught, taught_changed = (self._of_teacher(each) for each in (plain, changed))
        apart = (taught - self._of_student(plain)[0]).square()
        coded = self.networks.autoencoder(changed)
        return {
            "student": hardest(apart).mean(),
            "autoencoder": (taught_changed - coded).square().mean(),
            "student of autoencoder": (coded - self._of_student(changed)[1]).square().mean(),
        }

    def normalisation(self) -> Normalisation:
        """Of the networks as they are: quantiles of the held-back views' maps."""
        self.networks.student.eval()
        self.networks.autoencoder.eval()
        maps = [self._maps(self._seen(picture)) for picture in self.pictures.held]
        mean, std = (each.flatten().cpu() for each in (self.mean, self.std))
        st, ae = (np.quantile([m[kind] for m in maps], QUANTILES) for kind in (0, 1))
        return Normalisation(mean, std, (float(st[0]), float(st[1])), (float(ae[0]), float(ae[1])))

    @torch.no_grad()
    def _maps(self, seen: torch.Tensor) -> tuple[Any, Any]:
        of_teacher, of_code = self._of_student(seen)
        coded = self.networks.autoencoder(seen)
        apart = (self._of_teacher(seen) - of_teacher, coded - of_code)
        st, ae = (each.square().mean(dim=1).cpu().numpy() for each in apart)
        return st, ae

    def _of_teacher(self, seen: torch.Tensor) -> torch.Tensor:
        taught: torch.Tensor = (self.networks.teacher(seen) - self.mean) / self.std
        return taught

    def _of_student(self, seen: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        both = self.networks.student(seen)
        return both[:, : self.channels], both[:, self.channels :]

    def _seen(self, picture: torch.Tensor) -> torch.Tensor:
        return published_picture(picture, self.steps).to(DEVICE)

    def _jittered(self, picture: torch.Tensor) -> torch.Tensor:
        changed: torch.Tensor = self.jitter(in_colour(picture))
        return changed

    def _from_elsewhere(self, picture: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
        """The middle half of it, sometimes grey."""
        height, width = self.steps.resize_px
        large = v2.functional.resize(in_colour(picture), [2 * height, 2 * width], antialias=True)
        middle: torch.Tensor = v2.functional.center_crop(large, [height, width])
        return v2.functional.rgb_to_grayscale(middle, 3) if rng.random() < GREY_SHARE else middle

    @torch.no_grad()
    def _teacher_statistics(self, wanted: bool) -> tuple[torch.Tensor, torch.Tensor]:
        """(1, c, 1, 1) mean and deviation of the teacher's channels over the learnt views."""
        said = [self.networks.teacher(self._seen(picture)) for picture in self.pictures.learnt]
        mean = torch.stack([each.mean(dim=(0, 2, 3), keepdim=True) for each in said]).mean(dim=0)
        if not wanted:
            return torch.zeros_like(mean), torch.ones_like(mean)
        apart = [(each - mean).square().mean(dim=(0, 2, 3), keepdim=True) for each in said]
        return mean, torch.stack(apart).mean(dim=0).sqrt()

    def state(self) -> dict[str, Any]:
        """Networks that learn, optimiser and schedule."""
        return states(**self._parts())

    def restore(self, state: Mapping[str, Any]) -> None:
        """As `Learner`."""
        restore_states(state, **self._parts())

    def _parts(self) -> dict[str, Any]:
        return {
            "student": self.networks.student,
            "autoencoder": self.networks.autoencoder,
            "optimizer": self.optimizer,
            "scheduler": self.scheduler,
        }


def read_picture(file: Path) -> torch.Tensor:
    """Raises EngineError for a file that is none."""
    blue_first = cv2.imread(str(file), cv2.IMREAD_COLOR)
    if blue_first is None:
        raise EngineError(f"{file}: cannot be read as a picture: remove it from the folder")
    return picture_planes(np.ascontiguousarray(blue_first[:, :, ::-1].transpose(2, 0, 1)[None]))


def hardest(apart: torch.Tensor) -> torch.Tensor:
    """The numbers that are not below the quantile 1 - HARDEST, however many they are of."""
    flat = apart.flatten()
    count = len(flat) - int(np.ceil((1 - HARDEST) * (len(flat) - 1)))
    return flat.topk(count).values
