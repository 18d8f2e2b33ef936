"""Both stages as epochs: first the volume alone, by views rendered again; then all of it.

Section 3.4 and 4.2: Adam at 2e-5, batches of 4, 50 epochs a stage. Of 2M views M build the volume
and the others are rendered from it, and the other way round.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from voxgate.export.methods.odd_one_out.network import OddOneOut
from voxgate.export.training.loop import Losses, restore_states, states
from voxgate.export.training.odd_one_out.losses import (
    RENDER_WEIGHT,
    Rendering,
    classification,
    reconstruction,
    rendering_loss,
)
from voxgate.export.training.odd_one_out.scenes import Shown
from voxgate.export.training.odd_one_out.teacher import Teacher


@dataclass(frozen=True, slots=True)
class Schedule:
    """epochs of each stage; views (M) that build a volume; batch: scenes before a step."""

    epochs: int = 50
    views: int = 5
    batch: int = 4
    rate: float = 2e-5
    rendering: Rendering = field(default_factory=Rendering)


class OddOneOutLearner:
    """As `Learner`. scenes: of 2M views and more."""

    def __init__(
        self,
        network: OddOneOut,
        scenes: Sequence[Shown],
        schedule: Schedule,
        teacher: Teacher | None,
        device: torch.device,
    ) -> None:
        self.network, self.scenes, self.schedule = network.to(device).train(), scenes, schedule
        self.teacher, self.device = teacher, device
        self.epochs = 2 * schedule.epochs
        self.optimizer = torch.optim.Adam(network.parameters(), schedule.rate)

    def epoch(self, number: int, rng: np.random.Generator) -> Losses:
        """Every scene once, in a new order."""
        both = number >= self.schedule.epochs
        sums: dict[str, float] = {}
        order = rng.permutation(len(self.scenes))
        for start in range(0, len(order), self.schedule.batch):
            batch = order[start : start + self.schedule.batch]
            self.optimizer.zero_grad()
            for index in batch:
                for name, value in self._learn(self.scenes[index], len(batch), both, rng).items():
                    sums[name] = sums.get(name, 0.0) + value
            self.optimizer.step()
        return {name: value / len(self.scenes) for name, value in sums.items()}

    def _learn(self, scene: Shown, of: int, both: bool, rng: np.random.Generator) -> Losses:
        """Gradients of one scene, its views in two sets that swap their parts."""
        m = self.schedule.views
        chosen = rng.choice(len(scene.pictures), 2 * m, replace=False).tolist()
        sets = [scene.views(part, self.device) for part in (chosen[:m], chosen[m:])]
        sums: Losses = {}
        for here, there in (sets, sets[::-1]):
            volume = self.network.volume(here.pictures, here.picture_from_voxel)
            parts = reconstruction(
                self.network, volume, there, self.teacher, self.schedule.rendering
            )
            loss = rendering_loss(parts) * (RENDER_WEIGHT if both else 1.0)
            if both:
                parts["told"] = classification(self.network, volume, here)
                loss = loss + parts["told"]
            (loss / (2 * of)).backward()
            for name, part in parts.items():
                sums[name] = sums.get(name, 0.0) + float(part.detach()) / 2
        return sums

    def state(self) -> dict[str, Any]:
        """Network and optimiser."""
        return states(network=self.network, optimizer=self.optimizer)

    def restore(self, state: Mapping[str, Any]) -> None:
        """As `Learner`."""
        restore_states(state, network=self.network, optimizer=self.optimizer)
