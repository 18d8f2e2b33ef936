"""From pictures to a score map: the small interface that every backend fills.

A recipe's model is one graph. Its inputs are named after what the runtime can hand it (`INPUTS`),
its one output is `score`, float32 (1, 1, h, w), 1.0 = threshold.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Protocol, cast

import numpy as np
import numpy.typing as npt

from voxgate.runtime.engines.backends import BACKENDS, DEFAULT_BACKEND
from voxgate.runtime.errors import EngineError
from voxgate.runtime.nouns import ScoreMap
from voxgate.runtime.plans.plan_cache import PlanCache
from voxgate.runtime.recipe.contents import Probe
from voxgate.runtime.recipe.manifest import Manifest, TensorSpec
from voxgate.runtime.recipe.recipe import Recipe

Tensor = npt.NDArray[np.generic]

INPUTS = {
    "image": "uint8",  # (1, 1, h, w), or (1, 3, h, w) red, green, blue
    "reference": "uint8",  # as image, the golden view as this camera would have seen it
    "gloss": "uint8",  # (1, 1, h, w), its flicker
    "view": "uint8",  # (1, 1, 1, 1), number of the planned viewpoint
    "depth_mm": "float32",  # (1, 1, h, w), 0 = no return: NaN does not survive every engine
    "fpfh": "float32",  # (1, 33, h', w'), shape around each point, 0 = no point
    "points": "float32",  # (1, 1, n, 3), groups of points and who is near them (point_groups.py)
    "occupied": "uint8",  # (1, 1, n, n, n), 1 where a point was measured
    "grey": "float32",  # (1, 1, n, n, n), mean grey level 0..255 of the points there
    "pictures": "uint8",  # (m, c, s, s), of a tray: all its views, c 1 or 3
    "cameras": "float32",  # (1, m, 3, 4), where in each picture a voxel is, its sides being 1
    "source": "float32",  # (1, 1, n, d), what the graph `features` gave of a view
    "target": "float32",  # (1, 1, n, d), and of another one
    "pair": "uint8",  # (1, 1, 1, 2), the numbers of both planned viewpoints
    "errors": "float32",  # (1, 1, k, n), the least of what `pairs` gave of a view and every other
    "volume": "float32",  # (1, 1, d, n), what the graph before gave
    "boxes": "float32",  # (1, 1, k, 6), of instances in voxels, zeros where there is none
}
"""What the runtime can hand to a graph, by name, and its type."""

OUTPUT = "score"
WARM_UP_RUNS = 2  # the first run allocates, the second shows the steady state


class Engine(Protocol):
    """One loaded model, used by one thread."""

    @property
    def backend(self) -> str:
        """What actually runs, e.g. `onnxruntime-cpu`; it goes into every verdict."""

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        """The graph's inputs."""

    @property
    def outputs(self) -> tuple[TensorSpec, ...]:
        """The graph's outputs."""

    def run(self, inputs: dict[str, Tensor]) -> npt.NDArray[np.float32]:
        """The raw output (1, 1, h, w) float32. Raises EngineError."""

    def close(self) -> None:
        """Give memory and device back; the engine is of no use afterwards."""


class ModelOpener(Protocol):
    """How a row of the table opens a graph."""

    def __call__(self, model: bytes, threads: int) -> Engine: ...


class PlanOpener(Protocol):
    """How a row of the table opens what `voxgate build` made of a graph."""

    def __call__(self, recipe: Recipe, plans: PlanCache, beside: Engine | None) -> Engine: ...


def open_engine(
    recipe: Recipe,
    backend: str = DEFAULT_BACKEND,
    threads: int = 2,
    plans: PlanCache | None = None,
    beside: Engine | None = None,
) -> Engine:
    """The recipe's (first) model on `backend`, warm and proven to give the recipe's own scores.

    plans: where `voxgate build` put plans; only the backend tensorrt asks for them. beside: an open
    engine of the same backend and thread that is closed later than this one.
    Raises EngineError when the backend is unknown or not installed, when the model does not keep
    its manifest, or when the probe's scores differ from the recorded ones; PlanError without a plan
    that fits.
    """
    engine = _open(recipe, backend, threads, plans, beside)
    try:
        prove(engine, recipe)
    except EngineError:
        engine.close()
        raise
    return engine


def open_further(
    recipe: Recipe, backend: str, threads: int, plans: PlanCache | None, first: Engine
) -> dict[str, Engine]:
    """The recipe's other models, each warm and proven as `open_engine` does, by name.

    None is left open when one of them refuses. Raises as `open_engine` does, with the model's name.
    """
    with ExitStack() as undo:
        opened: dict[str, Engine] = {}
        for each in recipe.models[1:]:
            with of_detector(each.model_name):
                engine = open_engine(each, backend, threads, plans, beside=first)
            undo.callback(engine.close)
            opened[each.model_name] = engine
        undo.pop_all()
    return opened


@contextmanager
def of_detector(name: str) -> Iterator[None]:
    """Whatever an engine says in here is said of this detector."""
    try:
        yield
    except EngineError as error:
        raise type(error)(f"detector {name}: {error}") from error


def prove(engine: Engine, recipe: Recipe) -> float:
    """Hold the graph against its manifest, warm up on the probes, hold their scores against the
    recorded ones (promise 3).

    Returns the largest difference, in thresholds. Raises EngineError.
    """
    _check_contract(engine, recipe.manifest)
    probes, tolerance = recipe.probes, recipe.manifest.probe_tolerance
    if not probes:
        raise EngineError("the recipe has no probe: export it again")
    for number, probe in enumerate(probes):
        _check_probe(engine, probe, number)
    for _ in range(WARM_UP_RUNS):
        engine.run(probes[0].inputs)
    return max(
        _hold_against(raw_scores(engine, probe.inputs), probe.score, number, engine, tolerance)
        for number, probe in enumerate(probes)
    )


def score_map(engine: Engine, inputs: dict[str, Tensor]) -> ScoreMap:
    """One view's scores, (h, w). Raises EngineError when they are not finite or not a map."""
    score = raw_scores(engine, inputs)
    if score.ndim != 2:
        raise EngineError(f"the model's output is (1, 1, h, w) float32, got {(1, 1, *score.shape)}")
    return ScoreMap(score)


def score_volume(engine: Engine, inputs: dict[str, Tensor]) -> npt.NDArray[np.float32]:
    """The part's scores per cell, (n, n, n). Raises EngineError as `score_map` does."""
    score = raw_scores(engine, inputs)
    if score.ndim != 3:
        raise EngineError(f"the model's output is (1, 1, n, n, n), got {(1, 1, *score.shape)}")
    return score


def raw_scores(engine: Engine, inputs: dict[str, Tensor]) -> npt.NDArray[np.float32]:
    """Without batch and channel; finite. Raises EngineError."""
    raw = engine.run(inputs)
    if raw.ndim < 4 or raw.shape[:2] != (1, 1):
        raise EngineError(f"the model's output is (1, 1, ...) float32, got {raw.shape}")
    if not np.isfinite(raw).all():
        raise EngineError(f"the model on {engine.backend} gave no score: it must be finite")
    score: npt.NDArray[np.float32] = raw[0, 0]
    return score


def deviation(score: npt.NDArray[np.float32], expected: npt.NDArray[np.float32]) -> float:
    """Largest difference of two equally large maps, of the threshold.

    A score of many thresholds has a float32's digits, no more, and is as sure a defect: there of
    the score.
    """
    return float((np.abs(score - expected) / np.maximum(1.0, np.abs(expected))).max())


def _check_contract(engine: Engine, manifest: Manifest) -> None:
    """Hold the graph against what the manifest promises. Raises EngineError with both."""
    if unknown := {spec.name for spec in manifest.inputs} - set(INPUTS):
        raise EngineError(
            f"the model wants {sorted(unknown)}, this runtime has {', '.join(INPUTS)}"
        )
    for spec in manifest.inputs:
        if INPUTS[spec.name] != spec.dtype:
            raise EngineError(
                f"input {spec}: this runtime hands {INPUTS[spec.name]} under this name"
            )
    for what, found, promised in (
        ("inputs", engine.inputs, manifest.inputs),
        ("output", engine.outputs, (manifest.output,)),
    ):
        if sorted(map(str, found)) != sorted(map(str, promised)):
            raise EngineError(
                f"the model's {what} are {', '.join(map(str, found))}, "
                f"the manifest says {', '.join(map(str, promised))}: export the recipe again"
            )


def _check_probe(engine: Engine, probe: Probe, number: int) -> None:
    """Raises EngineError unless the probe holds exactly what the graph takes."""
    promised = {spec.name: (spec.dtype, spec.shape) for spec in engine.inputs}
    held = {name: (str(t.dtype), t.shape) for name, t in probe.inputs.items()}
    if held != promised:
        raise EngineError(f"probe {number} holds {held}, the model takes {promised}: export again")


def _hold_against(
    score: npt.NDArray[np.float32],
    expected: npt.NDArray[np.float32],
    number: int,
    engine: Engine,
    tolerance: float,
) -> float:
    if score.shape != expected.shape:
        raise EngineError(f"probe {number}: score map {score.shape}, expected {expected.shape}")
    if np.ptp(score) == 0 < np.ptp(expected):
        raise EngineError(f"probe {number}: {engine.backend} gives the same score everywhere")
    worst = deviation(score, expected)
    if not worst <= tolerance:  # so that NaN does not pass
        raise EngineError(
            f"probe {number}: {engine.backend} is off by {worst:.4f} of the threshold or score, "
            f"at most {tolerance} is allowed: this engine does not serve this recipe"
        )
    return worst


def _open(
    recipe: Recipe, backend: str, threads: int, plans: PlanCache | None, beside: Engine | None
) -> Engine:
    row = BACKENDS.get(backend)
    if row is None:
        raise EngineError(f"backend {backend!r} is unknown, choose one of {', '.join(BACKENDS)}")
    try:
        module = importlib.import_module(row.module)
    except ImportError as error:
        raise EngineError(f"backend {backend}: {error}; type: {row.install}") from error
    if not row.from_plan:
        return cast(ModelOpener, getattr(module, row.opener))(recipe.model, threads)
    if plans is None:
        raise EngineError(f"backend {backend} needs the folder of plans")
    return cast(PlanOpener, getattr(module, row.opener))(recipe, plans, beside)
