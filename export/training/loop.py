"""Epoch after epoch, each kept: a training that is killed goes on and ends with the same model.

What chance decides in an epoch follows from the seed and the epoch's number alone, so an epoch that
was begun and lost is the same again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch

from voxgate.export.features.model_file import UNFINISHED, whole_file
from voxgate.export.features.weights_file import read_content
from voxgate.export.training.memory import freed_memory_kept
from voxgate.runtime.errors import EngineError

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
"""What trainings run on; models are saved as of the CPU."""
Losses = dict[str, float]
OnEpoch = Callable[[int, int, Losses], None]
"""(epochs done, of, the last one's losses)."""


class Learner(Protocol):
    """Something that gets better epoch by epoch."""

    epochs: int

    def epoch(self, number: int, rng: np.random.Generator) -> Losses:
        """Learn for one epoch; losses by name."""
        ...

    def state(self) -> dict[str, Any]:
        """Everything that the next epoch depends on."""
        ...

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a `state`."""
        ...


def states(**parts: Any) -> dict[str, Any]:
    """Of networks and optimisers, by their names."""
    return {name: part.state_dict() for name, part in parts.items()}


def restore_states(state: Mapping[str, Any], **parts: Any) -> None:
    """What `states` gave, back into the same parts."""
    for name, part in parts.items():
        part.load_state_dict(state[name])


@dataclass(slots=True)
class History:
    """Losses of each epoch that was finished, in order."""

    epochs: list[Losses] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Plan:
    """kept: the file that a killed training goes on from. identity: of what is trained, so that
    it does not go on from another. most_s: no epoch is begun after so long; None: all are."""

    kept: Path
    identity: str
    seed: int
    most_s: float | None = None


def learn(learner: Learner, plan: Plan, now_s: Callable[[], float], on_epoch: OnEpoch) -> History:
    """Every epoch that is still missing; now_s: since the command began. Raises EngineError for a
    kept file of another training."""
    history = _restored(learner, plan)
    with reproducible(), freed_memory_kept():
        while len(history.epochs) < learner.epochs and not is_over(plan, now_s()):
            number = len(history.epochs)
            torch.manual_seed(plan.seed * learner.epochs + number)
            losses = learner.epoch(number, np.random.default_rng([plan.seed, number]))
            check_finite(losses, number)
            history.epochs.append(losses)
            _keep(learner, plan, history)
            on_epoch(number + 1, learner.epochs, losses)
    return history


@contextmanager
def reproducible() -> Iterator[None]:
    """Sums in one order: two threads that add as they come end with other last bits. Where a device
    has no such way, torch warns. New memory is not filled first: no operation here reads it so."""
    before = torch.are_deterministic_algorithms_enabled()
    filled = torch.utils.deterministic.fill_uninitialized_memory
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.utils.deterministic.fill_uninitialized_memory = False
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before)
        torch.utils.deterministic.fill_uninitialized_memory = filled


def is_over(plan: Plan, gone_s: float) -> bool:
    """Whether no epoch may be begun any more."""
    return plan.most_s is not None and gone_s >= plan.most_s


def check_finite(losses: Losses, number: int) -> None:
    """Raises EngineError for an epoch whose losses are no numbers."""
    if not all(np.isfinite(value) for value in losses.values()):
        raise EngineError(f"epoch {number + 1}: the loss is not a number: {losses}: another --seed")


def _keep(learner: Learner, plan: Plan, history: History) -> None:
    content = plan.identity, history.epochs, learner.state()
    with whole_file(plan.kept) as written:
        torch.save(dict(zip(UNFINISHED, content, strict=True)), written)


def _restored(learner: Learner, plan: Plan) -> History:
    if not plan.kept.exists():
        return History()
    content = read_kept(plan)
    if not isinstance(content, Mapping) or content.keys() != set(UNFINISHED):
        raise EngineError(f"{plan.kept}: is no training that was kept: remove it to begin anew")
    identity, history, state = (content[name] for name in UNFINISHED)
    check_identity(identity, plan)
    learner.restore(state)
    return History(list(history))


def read_kept(plan: Plan) -> Any:
    """What a training that was stopped left. Raises EngineError for a damaged file."""
    try:
        return read_content(plan.kept, "a training that was stopped")
    except EngineError as error:
        raise EngineError(f"{error}; or remove it to begin anew") from error


def check_identity(identity: str, plan: Plan) -> None:
    """Raises EngineError for what another training kept."""
    if identity != plan.identity:
        raise EngineError(
            f"{plan.kept}: is of another training: remove it, or choose another --out"
        )
