"""From golden scans to a model that `voxgate export` takes: one file, and the log beside it.

golden scans -> course of a method -> epochs, each kept -> OUT and OUT.html
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from voxgate import __version__
from voxgate.export.features.model_file import whole_file
from voxgate.export.golden.golden import Golden, load_golden
from voxgate.export.progress import Progress, silent
from voxgate.export.training.loop import History, Losses, OnEpoch, Plan, learn
from voxgate.export.training.page import training_page
from voxgate.runtime.common.durable import check_writable
from voxgate.runtime.errors import EngineError, ScanError

KEPT, PAGE = ".partial", ".html"
SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Training:
    """What is the same for all methods. scans: the first is the golden one of the recipe.
    minutes: no epoch is begun after so long; None: all are."""

    method: str
    scans: tuple[Path, ...]
    out: Path
    seed: int = 0
    minutes: float | None = None
    calibration: Path | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Course:
    """record: what the file and the log say of the training; one that was killed goes on under the
    same words only. write: puts what was learnt, and the final record, into a file. learn: trains
    every epoch that is missing; another where a library has an engine of its own."""

    learner: Any
    record: Mapping[str, Any]
    write: Callable[[Path, Mapping[str, Any]], None]
    learn: Callable[[Any, Plan, Callable[[], float], OnEpoch], History] = learn


Open = Callable[[Sequence[Golden], int, Progress], Course]
"""(golden scans, seed, what is told of the preparation) -> the method's course."""


@dataclass(frozen=True, slots=True, eq=False)
class TrainedModel:
    """What came of it."""

    out: Path
    page: Path
    history: History
    planned: int

    def to_json(self) -> dict[str, Any]:
        """For programs."""
        done = len(self.history.epochs)
        last = self.history.epochs[-1]
        return {
            "model": str(self.out), "log": str(self.page), "epochs": done,
            "planned_epochs": self.planned, "losses": last,
        }  # fmt: skip


def train(training: Training, opened: Open, on_progress: Progress = silent) -> TrainedModel:
    """Raises ScanError, CalibrationError, or EngineError for a model that is there already."""
    begun_s = time.monotonic()
    check_place(training.out)
    on_progress(0, 1, "read the scans")
    goldens = [load_golden(scan, training.calibration, None, True) for scan in training.scans]
    _check_one_part(training, goldens)
    torch.manual_seed(training.seed)  # of the first weights; each epoch has its own
    course = opened(goldens, training.seed, on_progress)
    record = _record(training, goldens, course.record)
    plan = _plan(training, record)
    history = course.learn(
        course.learner, plan, lambda: time.monotonic() - begun_s, shown(on_progress)
    )
    if not history.epochs:
        raise EngineError("no epoch was begun: give it more --minutes")
    record |= {"epochs": len(history.epochs), "planned epochs": course.learner.epochs}
    page = write_page(training.out, record, history)
    course.write(training.out, record)
    plan.kept.unlink()
    return TrainedModel(training.out, page, history, course.learner.epochs)


def check_place(out: Path) -> None:
    """Raises EngineError where no new model can be written: before, not after long work."""
    if out.exists():
        raise EngineError(f"{out}: exists; a model is never changed, choose another --out")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        check_writable(out.parent)
    except OSError as error:
        raise EngineError(
            f"{out}: cannot be written: {error.strerror}: choose another --out"
        ) from error


def write_page(out: Path, record: Mapping[str, Any], history: History) -> Path:
    """The log beside the model; returns where. Raises EngineError."""
    page = out.with_name(out.name + PAGE)
    with whole_file(page) as written:
        written.write_text(training_page(record, history))
    return page


def _check_one_part(training: Training, goldens: Sequence[Golden]) -> None:
    parts = [golden.scan.calibration.part for golden in goldens]
    for scan, part in zip(training.scans, parts, strict=True):
        if part != parts[0]:
            raise ScanError(
                f"{scan}: is of part {part!r}, {training.scans[0]} of {parts[0]!r}: a model learns "
                "one part: train one for each"
            )


def _plan(training: Training, record: Mapping[str, Any]) -> Plan:
    most_s = None if training.minutes is None else training.minutes * SECONDS
    return Plan(kept_of(training.out), repr(sorted(record.items())), training.seed, most_s)


def kept_of(out: Path) -> Path:
    """What a training that is not over goes on from."""
    return out.with_name(out.name + KEPT)


def _record(
    training: Training, goldens: Sequence[Golden], of_course: Mapping[str, Any]
) -> dict[str, Any]:
    digests = dict.fromkeys(golden.scan.calibration.digest for golden in goldens)
    return {
        "method": training.method,
        "scans": ", ".join(scan.name for scan in training.scans),
        "scans sha256": ", ".join(_digest(golden) for golden in goldens),
        **of_course,
        "seed": training.seed,
        "voxgate": __version__,
        "calibrations": ", ".join(digests),
    }


def _digest(golden: Golden) -> str:
    """Of what is learnt from: pictures, depth, and where they were taken."""
    digest = hashlib.sha256()
    for view in golden.views:
        for array in (view.picture, view.depth_mm, view.part_from_camera):
            if array is not None:
                digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def shown(on_progress: Progress) -> OnEpoch:
    """Each epoch with its losses, and how long the rest may take."""
    begun_s = time.monotonic()
    first: list[int] = []

    def show(done: int, of: int, losses: Losses) -> None:
        first.append(done)
        each_s = (time.monotonic() - begun_s) / len(first)
        words = ", ".join(f"{name} {value:.4g}" for name, value in losses.items())
        on_progress(done, of, f"epoch {done} of {of}: {words}, {_left((of - done) * each_s)} left")

    return show


def _left(seconds: float) -> str:
    return f"{seconds / SECONDS:.0f} min" if seconds >= 2 * SECONDS else f"{seconds:.0f} s"
