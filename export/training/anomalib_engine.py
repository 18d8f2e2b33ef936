"""Training by anomalib's own engine, its model, losses and schedule: kept, resumed and told as any.

A round of the engine is one pass over its loader; some rounds are an epoch of ours, after which
everything is kept. What chance decides in a round follows from the seed and the round's number.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import lightning
import numpy as np
import torch
from anomalib.callbacks.checkpoint import ModelCheckpoint
from anomalib.data import ImageBatch, ImageItem
from anomalib.engine import Engine
from anomalib.models import AnomalibModule
from lightning.pytorch import Callback, LightningDataModule, Trainer
from torch.utils.data import DataLoader, Sampler

from voxgate.export.features.anomalib_checkpoint import TRAINING
from voxgate.export.features.model_file import UNFINISHED_ENGINE, whole_file
from voxgate.export.methods.tokens.encoder import as_in_anomalib
from voxgate.export.training.loop import (
    DEVICE,
    History,
    Losses,
    OnEpoch,
    Plan,
    check_finite,
    check_identity,
    is_over,
    read_kept,
    reproducible,
)
from voxgate.export.training.memory import freed_memory_kept
from voxgate.runtime.errors import EngineError

LOGGERS = ("anomalib", "lightning", "lightning.fabric", "lightning.pytorch", "lightning_fabric")


@dataclass(frozen=True, slots=True, eq=False)
class EngineLearner:
    """A module of anomalib and the views (3, h, w), 0..1, that it learns, or that are held back.

    epochs of `rounds` each; a round is `steps` of `batch` views, every view as often as another.
    """

    module: AnomalibModule
    learnt: Sequence[torch.Tensor]
    held: Sequence[torch.Tensor]
    epochs: int
    rounds: int
    steps: int
    batch: int


def learn_by_engine(
    learner: EngineLearner, plan: Plan, now_s: Callable[[], float], on_epoch: OnEpoch
) -> History:
    """Every epoch that is still missing, as `loop.learn`. Raises EngineError."""
    history = _restored(learner, plan)
    if len(history.epochs) == learner.epochs or is_over(plan, now_s()):
        return history
    epochs = Epochs(learner, plan, history, now_s, on_epoch)
    with (
        TemporaryDirectory() as folder,
        as_in_anomalib(),
        reproducible(),
        freed_memory_kept(),
        _quiet(),
    ):
        engine = Engine(
            callbacks=[epochs, ModelCheckpoint(dirpath=folder, save_top_k=0)],
            default_root_dir=folder,
            max_epochs=learner.epochs * learner.rounds,
            accelerator=DEVICE.type,
            devices=1,
            enable_progress_bar=False,
            enable_model_summary=False,
            log_every_n_steps=1,
        )
        kept = plan.kept if history.epochs else None
        engine.fit(learner.module, datamodule=GoldenViews(learner, plan.seed), ckpt_path=kept)
    learner.module.cpu()
    return history


@contextmanager
def _quiet() -> Iterator[None]:
    """What the engine says of loaders, devices and services is not for who trains here."""
    loggers = [logging.getLogger(name) for name in LOGGERS]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)


class GoldenViews(LightningDataModule):
    """The views that are learnt, as the engine takes them."""

    name, category = "golden", "views"

    def __init__(self, learner: EngineLearner, seed: int) -> None:
        super().__init__()
        self.learner, self.seed = learner, seed

    def train_dataloader(self) -> DataLoader[ImageItem]:
        """One round."""
        good = torch.tensor(0)
        items = [ImageItem(image=view, gt_label=good) for view in self.learner.learnt]
        return DataLoader(
            items,
            batch_size=self.learner.batch,
            sampler=Order(self.learner, self.seed, lambda: self._round()),
            collate_fn=ImageBatch.collate,
            generator=torch.Generator(),  # of its own: an iterator takes a number of it
        )

    def _round(self) -> int:
        return 0 if self.trainer is None else int(self.trainer.current_epoch)


class Order(Sampler[int]):
    """Which views a round sees: whole shuffles of them, one behind the other."""

    def __init__(self, learner: EngineLearner, seed: int, current: Callable[[], int]) -> None:
        self.count = learner.steps * learner.batch
        self.views, self.seed, self.current = len(learner.learnt), seed, current

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[int]:
        # run at the first view: the engine asks for an iterator before it knows the round
        rng = np.random.default_rng([self.seed, self.current()])
        shuffles = [rng.permutation(self.views) for _ in range(-(-self.count // self.views))]
        yield from np.concatenate(shuffles)[: self.count].tolist()


class Epochs(Callback):
    """What is done between the rounds."""

    def __init__(
        self,
        learner: EngineLearner,
        plan: Plan,
        history: History,
        now_s: Callable[[], float],
        on_epoch: OnEpoch,
    ) -> None:
        self.learner, self.plan, self.history = learner, plan, history
        self.now_s, self.on_epoch = now_s, on_epoch
        self.losses: list[float] = []

    def on_train_epoch_start(self, trainer: Trainer, pl_module: Any) -> None:
        """The same chance whether or not the training was killed before."""
        rounds = self.learner.epochs * self.learner.rounds
        torch.manual_seed(self.plan.seed * rounds + trainer.current_epoch)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """One step's loss."""
        self.losses.append(float(outputs["loss"]))

    def on_train_epoch_end(self, trainer: Trainer, pl_module: Any) -> None:
        """After the last round of an epoch: keep it, tell it, and stop where time is over."""
        if (trainer.current_epoch + 1) % self.learner.rounds:
            return
        losses = {"learnt": float(np.mean(self.losses)), "held back": held_back_loss(self.learner)}
        self.losses.clear()
        check_finite(losses, len(self.history.epochs))
        self.history.epochs.append(losses)
        _keep(trainer, self.plan)
        self.on_epoch(len(self.history.epochs), self.learner.epochs, losses)
        trainer.should_stop = is_over(self.plan, self.now_s())

    def on_save_checkpoint(
        self, trainer: Trainer, pl_module: Any, checkpoint: dict[str, Any]
    ) -> None:
        """Into the engine's own file."""
        checkpoint[UNFINISHED_ENGINE] = {
            "identity": self.plan.identity,
            "history": self.history.epochs,
        }


def held_back_loss(learner: EngineLearner) -> float:
    """Mean of the maps of the views that nothing is learnt from."""
    module = learner.module
    module.eval()
    with torch.no_grad():
        maps = [
            module.model(module.pre_processor(view[None].to(module.device))).anomaly_map
            for view in learner.held
        ]
    module.train()
    return float(torch.cat(maps).mean())


def write_checkpoint(path: Path, module: AnomalibModule, record: Mapping[str, Any]) -> None:
    """As Lightning saves it, without what only a training needs; `record` says what was done."""
    content: dict[str, Any] = {
        "pytorch-lightning_version": lightning.__version__,
        "state_dict": module.state_dict(),
        "hyper_parameters": dict(module.hparams),
        TRAINING: dict(record),
    }
    module.on_save_checkpoint(content)
    with whole_file(path) as written:
        torch.save(content, written)


def _keep(trainer: Trainer, plan: Plan) -> None:
    with whole_file(plan.kept) as written:
        trainer.save_checkpoint(written)


def _restored(learner: EngineLearner, plan: Plan) -> History:
    if not plan.kept.exists():
        return History()
    content = read_kept(plan)
    kept = content.get(UNFINISHED_ENGINE) if isinstance(content, Mapping) else None
    if kept is None:
        raise EngineError(f"{plan.kept}: is no training that was kept: remove it to begin anew")
    check_identity(kept["identity"], plan)
    learner.module.load_state_dict(content["state_dict"])
    epochs: list[Losses] = kept["history"]
    return History(list(epochs))
