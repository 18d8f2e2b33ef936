"""From golden scans to a model that `voxgate export` takes: one file, and the log beside it.

golden scans -> samples, turned, some held back -> epochs, each kept -> OUT and OUT.html
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from voxgate import __version__
from voxgate.export.golden.golden import load_golden
from voxgate.export.methods.mvtec.inputs import far_mm, golden_cube
from voxgate.export.methods.mvtec.model_file import TrainedPair, write_pair
from voxgate.export.progress import Progress, silent
from voxgate.export.training.loop import History, Losses, Plan, learn
from voxgate.export.training.page import training_page
from voxgate.export.training.reconstruction import CONSTANTS, EPOCHS, Anogan, Autoencoder
from voxgate.export.training.samples import Samples, depth_samples, voxel_samples
from voxgate.export.training.turned import MOST_DEG, TIMES
from voxgate.runtime.errors import EngineError

KEPT, PAGE = ".partial", ".html"
SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Training:
    """What is trained. scans: the first is the golden one of the recipe; times: copies of each
    sample that are turned."""

    method: str
    scans: tuple[Path, ...]
    out: Path
    volume: bool = False
    colour: bool = False
    epochs: int = EPOCHS
    times: int = TIMES
    seed: int = 0
    minutes: float | None = None
    calibration: Path | None = None


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


def train(training: Training, on_progress: Progress = silent) -> TrainedModel:
    """Raises ScanError, CalibrationError, or EngineError for a model that is there already."""
    if training.out.exists():
        raise EngineError(f"{training.out}: exists; a model is never changed, choose another --out")
    on_progress(0, 1, "read the scans and turn the part")
    goldens = [load_golden(scan, training.calibration, None, True) for scan in training.scans]
    far = None if training.volume else far_mm(goldens[0])
    cube = golden_cube(goldens[0]) if training.volume else None
    digests = [golden.scan.calibration.digest for golden in goldens]
    if far is None:
        samples = voxel_samples(goldens, training.colour, training.seed, training.times)
    else:
        samples = depth_samples(goldens, far, training.colour, training.seed, training.times)
    learner = _learner(training, samples)
    record = _record(training, samples, {"calibrations": ", ".join(dict.fromkeys(digests))})
    training.out.parent.mkdir(parents=True, exist_ok=True)
    plan = _plan(training, record)
    history = learn(learner, plan, time.monotonic, _shown(on_progress))
    if not history.epochs:
        raise EngineError("no epoch was begun: give it more --minutes")
    record |= {"epochs": len(history.epochs), "planned epochs": learner.epochs}
    networks = learner.encoder.state_dict(), learner.decoder.state_dict()
    write_pair(
        training.out,
        TrainedPair(
            training.method, training.volume, training.colour, far, cube, *networks, record
        ),
    )
    page = training.out.with_name(training.out.name + PAGE)
    page.write_text(training_page(record, history))
    plan.kept.unlink()
    return TrainedModel(training.out, page, history, learner.epochs)


def _learner(training: Training, samples: Samples) -> Autoencoder | Anogan:
    torch.manual_seed(training.seed)  # of the first weights; each epoch has its own
    constants = CONSTANTS[training.method, training.volume]
    made = Autoencoder if training.method == "autoencoder" else Anogan
    return made(samples, training.volume, constants, training.epochs)


def _plan(training: Training, record: Mapping[str, Any]) -> Plan:
    most_s = None if training.minutes is None else training.minutes * SECONDS
    kept = training.out.with_name(training.out.name + KEPT)
    return Plan(kept, repr(sorted(record.items())), training.seed, most_s)


def _record(training: Training, samples: Samples, more: Mapping[str, Any]) -> dict[str, Any]:
    """What the file and the log say of it; a kept training goes on under the same words only."""
    constants = CONSTANTS[training.method, training.volume]
    return {
        "method": training.method,
        "shape": "voxel" if training.volume else "depth",
        "colour": training.colour,
        "scans": ", ".join(scan.name for scan in training.scans),
        "samples": len(samples.learnt),
        "held back": len(samples.held),
        "turned": f"{training.times} times by up to {MOST_DEG:g} degrees",
        "code": constants.latent,
        "learning rate": constants.rate,
        "batch": constants.batch,
        "epochs asked": training.epochs,
        "seed": training.seed,
        "source": "MVTec 3D-AD, section 4.1 and appendix",
        "voxgate": __version__,
        **more,
    }


def _shown(on_progress: Progress) -> Any:
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
