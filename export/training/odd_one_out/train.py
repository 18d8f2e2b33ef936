"""From published scenes to a checkpoint that `voxgate export odd-one-out` takes, and its log.

scenes -> network -> epochs of both stages, each kept -> figures on test scenes -> OUT and OUT.html
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from voxgate import __version__
from voxgate.export.evaluation.layouts.odd_one_out import SCENE
from voxgate.export.features.checkpoint import sha256_of
from voxgate.export.methods.odd_one_out.checkpoint import write_trained
from voxgate.export.methods.odd_one_out.constants import Constants
from voxgate.export.methods.odd_one_out.network import OddOneOut
from voxgate.export.progress import Progress, silent
from voxgate.export.training.loop import Plan, learn
from voxgate.export.training.odd_one_out.figures import figures
from voxgate.export.training.odd_one_out.learner import OddOneOutLearner, Schedule
from voxgate.export.training.odd_one_out.scenes import Shown, read_scene
from voxgate.export.training.odd_one_out.teacher import open_teacher
from voxgate.export.training.train import KEPT, SECONDS, check_place, shown, write_page
from voxgate.runtime.errors import EngineError, ScanError

TEST = "test"
LEARNT = "train"


@dataclass(frozen=True, slots=True)
class OddOneOutTraining:
    """data: folder of scenes, with a *split.json: names with `test` in them are figures' own.
    teacher: weights of `backbone`; None: nothing is distilled."""

    data: Path
    out: Path
    constants: Constants = field(default_factory=Constants)
    schedule: Schedule = field(default_factory=Schedule)
    teacher: Path | None = None
    backbone: str = "dinov2_vits14"
    seed: int = 0
    minutes: float | None = None


def train_odd_one_out(
    training: OddOneOutTraining, on_progress: Progress = silent
) -> dict[str, Any]:
    """A summary. Raises ScanError, or EngineError for a model that is there already."""
    begun_s = time.monotonic()
    check_place(training.out)
    on_progress(0, 1, "read the scenes")
    scenes = {
        part: [read_scene(folder, training.constants) for folder in folders]
        for part, folders in split(training.data).items()
    }
    learnt = [each for part, own in scenes.items() if TEST not in part for each in own]
    _check_views(learnt, training.schedule.views)
    record = _record(training, len(learnt))
    learner = _learner(training, learnt)
    most_s = None if training.minutes is None else training.minutes * SECONDS
    kept = training.out.with_name(training.out.name + KEPT)
    plan = Plan(kept, repr(sorted(record.items())), training.seed, most_s)
    history = learn(learner, plan, lambda: time.monotonic() - begun_s, shown(on_progress))
    if not history.epochs:
        raise EngineError("no epoch was begun: give it more --minutes")
    views, device = training.schedule.views, learner.device
    told = {
        part: figures(learner.network, own, views, device)
        for part, own in scenes.items()
        if TEST in part and own
    }
    record |= {"epochs": len(history.epochs), "figures": told}
    page = write_page(training.out, record, history)
    write_trained(training.out, learner.network, record)
    kept.unlink()
    return {
        "model": str(training.out),
        "log": str(page),
        "epochs": len(history.epochs),
        "planned_epochs": learner.epochs,
        "losses": history.epochs[-1],
        "figures": told,
    }


def split(data: Path) -> dict[str, list[Path]]:
    """Scenes by part; all are learnt from where no *split.json says otherwise."""
    for path in (*sorted(data.glob("*split*.json")), *sorted(data.parent.glob("*split*.json"))):
        try:
            said: Mapping[str, Sequence[str]] = json.loads(path.read_text("utf-8"))
            found = {part: [data / name for name in names] for part, names in said.items()}
        except (OSError, ValueError, AttributeError, TypeError) as error:
            raise ScanError(f"{path}: no split of scenes: {error}") from error
        if any(folder.is_dir() for folders in found.values() for folder in folders):
            return found
    folders = sorted(path.parent for path in data.glob(f"*/{SCENE}"))
    if not folders:
        raise ScanError(f"{data}: no scene in it: expected */{SCENE}")
    return {LEARNT: folders}


def _learner(training: OddOneOutTraining, learnt: Sequence[Shown]) -> OddOneOutLearner:
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    teacher = None
    if training.teacher is not None:
        grid, width = training.schedule.rendering.feature_px, training.constants.field
        teacher = open_teacher(training.backbone, training.teacher, grid, width, learnt, device)
    torch.manual_seed(training.seed)  # of the first weights; each epoch has its own
    network = OddOneOut(training.constants)
    return OddOneOutLearner(network, learnt, training.schedule, teacher, device)


def _check_views(scenes: Sequence[Shown], views: int) -> None:
    if not scenes:
        raise ScanError("no scene to learn from: is every part of the split a test?")
    few = next((each for each in scenes if len(each.pictures) < 2 * views), None)
    if few is not None:
        raise ScanError(
            f"{few.name}: {len(few.pictures)} views, {2 * views} are needed: {views} build the "
            "volume, as many are rendered from it; choose fewer --views"
        )


def _record(training: OddOneOutTraining, scenes: int) -> dict[str, Any]:
    """What the file and the log say of it; a kept training goes on under the same words only."""
    return {
        "method": "odd-one-out",
        "data": training.data.name,
        "scenes": scenes,
        "constants": training.constants.to_json(),
        "schedule": asdict(training.schedule),
        "teacher": training.backbone if training.teacher is not None else "none",
        "teacher sha256": "" if training.teacher is None else sha256_of(training.teacher),
        "seed": training.seed,
        "source": "Odd-One-Out, sections 3 and 4.2",
        "voxgate": __version__,
    }
